//! What a page costs against the size of what is paged: the memory store on the left, Cassandra on
//! the right. The costs begin at zero, so that a line that looks flat is flat.

use anyhow::Result;
use plotters::prelude::*;

use super::look::{self, Area, GRID, INK, PALETTE, TEXT, TITLE};
use crate::ratio::Ratio;
use crate::report::name::Name;

/// What is paged, in the names of pairs and in words.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    name: &'static str,
    size: &'static str,
}

pub(super) const HISTORY: List = List {
    name: "history",
    size: "messages in the history",
};

pub(super) const INBOX: List = List {
    name: "inbox",
    size: "conversations in the inbox",
};

/// The cost of one page at growing sizes.
struct Curve<'a> {
    page: &'a str,
    points: Vec<(f64, f64)>,
}

/// Draws the costs of pages of this list.
pub(super) fn draw(list: List, memory: &[Ratio], cassandra: &[Ratio]) -> Result<String> {
    look::svg((960, 400), |area| {
        let panels = area.split_evenly((1, 2));
        panel(&panels[0], list, "Memory", &curves(list, memory))?;
        panel(&panels[1], list, "Cassandra", &curves(list, cassandra))
    })
}

/// The pages of a list, one call at a time.
fn curves(list: List, ratios: &[Ratio]) -> Vec<Curve<'_>> {
    let mut curves: Vec<Curve<'_>> = Vec::new();
    for ratio in ratios.iter().filter(|ratio| ratio.in_flight == 1) {
        let Some(name) = Name::of_page(&ratio.name).filter(|name| name.list == list.name) else {
            continue;
        };
        let point = (name.size as f64, ratio.subject_micros());
        match curves.iter_mut().find(|curve| curve.page == name.page) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve {
                page: name.page,
                points: vec![point],
            }),
        }
    }
    for curve in &mut curves {
        curve
            .points
            .sort_by(|(one, _), (other, _)| one.total_cmp(other));
    }
    curves
}

/// What the names of pairs call a page.
fn in_words(page: &str) -> &str {
    match page {
        "first" => "first page",
        "middle" => "page in the middle",
        "before" => "page before a time",
        "newer" => "newer page",
        "later" => "later page",
        other => other,
    }
}

fn panel(area: &Area<'_>, list: List, store: &str, curves: &[Curve<'_>]) -> Result<()> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let (smallest, greatest) = look::bounds(points().map(|(size, _)| *size))?;
    let (_, dearest) = look::bounds(points().map(|(_, cost)| *cost))?;
    let title = format!("{store}: a page of 20 from its {}", list.name);
    // A little room left and right of the first and last mark, and above them for the legend.
    let sizes = (smallest * 0.8..greatest * 1.25).log_scale();
    let room = 1.3 + 0.08 * curves.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, look::text(TITLE))
        .margin(12)
        .margin_right(32)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(sizes, 0.0..dearest * room)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(look::text(TEXT))
        .axis_desc_style(look::text(TEXT))
        .x_desc(list.size)
        .y_desc("microseconds a page")
        .x_label_formatter(&look::tick)
        .y_label_formatter(&look::tick)
        .draw()?;
    for (curve, color) in curves.iter().zip(PALETTE.iter().cycle()) {
        let line = LineSeries::new(curve.points.iter().copied(), color.stroke_width(2));
        chart
            .draw_series(line.point_size(4))?
            .label(in_words(curve.page))
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .border_style(GRID)
        .label_font(look::text(TEXT))
        .draw()?;
    Ok(())
}
