//! Latency against offered load, with a logarithmic axis: the server on memory on the left, on
//! Cassandra on the right. A rate that was not held is a hollow mark: beyond it requests only pile
//! up, for as long as is measured.

use anyhow::Result;
use plotters::prelude::*;

use super::look::{self, Area, GRID, INK, PALETTE, TEXT, TITLE};
use crate::report::figures::{Latency, Load, Step};

type Percentile = (&'static str, RGBColor, fn(&Latency) -> u64);

const PERCENTILES: [Percentile; 2] = [
    ("p99", PALETTE[1], |latency| latency.p99_micros),
    ("p50", PALETTE[0], |latency| latency.p50_micros),
];

/// Draws the latency of both stores.
pub(super) fn draw(memory: &Load, cassandra: &Load) -> Result<String> {
    look::svg((960, 400), |area| {
        let panels = area.split_evenly((1, 2));
        panel(&panels[0], "Memory", memory)?;
        panel(&panels[1], "Cassandra", cassandra)
    })
}

/// Offered rate and milliseconds of the steps of an open loop, and whether the rate was held.
fn points(load: &Load, of: fn(&Latency) -> u64) -> Vec<(f64, f64, bool)> {
    let point = |step: &Step| {
        let millis = of(&step.overall.latency) as f64 / 1_000.0;
        Some((step.offered_per_second?, millis, step.is_held()))
    };
    load.steps.iter().filter_map(point).collect()
}

fn panel(area: &Area<'_>, store: &str, load: &Load) -> Result<()> {
    let all = || PERCENTILES.iter().flat_map(|(.., of)| points(load, *of));
    let (_, highest) = look::bounds(all().map(|(rate, ..)| rate))?;
    let (fastest, slowest) = look::bounds(all().map(|(_, millis, _)| millis))?;
    // Whole decades, so that there are numbers on the axis.
    let least = 10f64.powf(fastest.log10().floor());
    let most = 10f64.powf((slowest * 1.5).log10().ceil());
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{store}: latency of all calls"), look::text(TITLE))
        .margin(12)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..highest * 1.08, (least..most).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(look::text(TEXT))
        .axis_desc_style(look::text(TEXT))
        .x_labels(6)
        .x_desc("requests offered a second")
        .y_desc("milliseconds from when it was due")
        .x_label_formatter(&look::tick)
        .y_label_formatter(&look::tick)
        .draw()?;
    for (name, color, of) in PERCENTILES {
        let points = points(load, of);
        let line = points.iter().map(|(rate, millis, _)| (*rate, *millis));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3)));
        // On white discs, so that no line shows through what is hollow.
        chart.draw_series(
            points
                .iter()
                .map(|(rate, millis, _)| Circle::new((*rate, *millis), 5, WHITE.filled())),
        )?;
        chart.draw_series(points.iter().map(|(rate, millis, held)| {
            let style = ShapeStyle {
                filled: *held,
                ..color.stroke_width(2)
            };
            Circle::new((*rate, *millis), 4, style)
        }))?;
    }
    let none = std::iter::empty::<Circle<(f64, f64), i32>>();
    chart
        .draw_series(none)?
        .label("rate not held")
        .legend(|(x, y)| Circle::new((x + 9, y), 4, INK.stroke_width(2)));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(GRID)
        .label_font(look::text(TEXT))
        .draw()?;
    Ok(())
}
