//! Throughput in relation to the baselines, as bars: those pairs that have a goal, with the goal
//! marked.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::look::{self, GRID, INK, PALETTE, TEXT, TITLE};
use crate::ratio::Ratio;

const WIDTH: i32 = 960;
/// Where bars begin: the names stand left of it.
const LEFT: i32 = 320;
/// Where a bar of full length ends: figures stand right of it.
const RIGHT: i32 = 890;
const TOP: i32 = 72;
const ROW: i32 = 26;
const BAR: i32 = 16;

/// Draws the bars of all pairs that have a goal.
pub(super) fn draw(ratios: &[&Ratio]) -> Result<String> {
    let with_goal: Vec<_> = ratios
        .iter()
        .filter_map(|ratio| Some((*ratio, ratio.goal?)))
        .collect();
    let values = with_goal
        .iter()
        .flat_map(|(ratio, goal)| [ratio.median, *goal]);
    let (_, most) = look::bounds(values)?;
    let scale = Scale {
        most: (most.max(1.0) * 5.0).ceil() / 5.0,
        bottom: TOP + ROW * with_goal.len() as i32,
    };
    look::svg((WIDTH as u32, (scale.bottom + 60) as u32), |area| {
        title(area)?;
        axis(area, scale)?;
        for (row, (ratio, goal)) in with_goal.into_iter().enumerate() {
            bar(area, scale, TOP + ROW * row as i32, ratio, goal)?;
        }
        Ok(())
    })
}

#[derive(Clone, Copy)]
struct Scale {
    most: f64,
    bottom: i32,
}

impl Scale {
    fn x(self, ratio: f64) -> i32 {
        LEFT + (ratio / self.most * f64::from(RIGHT - LEFT)).round() as i32
    }
}

type Area<'a> = look::Area<'a>;

fn anchored(size: u32, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    look::text(size).pos(Pos::new(horizontal, vertical))
}

fn title(area: &Area<'_>) -> Result<()> {
    let style = anchored(TITLE, HPos::Center, VPos::Top);
    area.draw_text(
        "Throughput in relation to the baseline",
        &style,
        (WIDTH / 2, 12),
    )?;
    // The legend, above the bars.
    let style = anchored(TEXT, HPos::Left, VPos::Center);
    for (x, label, color) in [
        (LEFT, "goal reached", reached(true)),
        (LEFT + 130, "goal missed", reached(false)),
    ] {
        area.draw(&Rectangle::new([(x, 46), (x + 18, 58)], color.filled()))?;
        area.draw_text(label, &style, (x + 24, 52))?;
    }
    let x = LEFT + 260;
    area.draw(&PathElement::new([(x, 44), (x, 60)], INK.stroke_width(3)))?;
    area.draw_text("the goal", &style, (x + 10, 52))?;
    Ok(())
}

fn axis(area: &Area<'_>, scale: Scale) -> Result<()> {
    let style = anchored(TEXT, HPos::Center, VPos::Top);
    for fifth in 0..=(scale.most * 5.0).round() as u32 {
        let ratio = f64::from(fifth) / 5.0;
        let x = scale.x(ratio);
        // One is as fast as the baseline.
        let color = if fifth == 5 { INK } else { GRID };
        area.draw(&PathElement::new([(x, TOP - 4), (x, scale.bottom)], color))?;
        area.draw_text(&format!("{ratio:.1}"), &style, (x, scale.bottom + 6))?;
    }
    let middle = (LEFT + RIGHT) / 2;
    let text = "calls a second of the messenger / of the baseline; 1.0 is as fast";
    area.draw_text(text, &style, (middle, scale.bottom + 30))?;
    Ok(())
}

fn bar(area: &Area<'_>, scale: Scale, top: i32, ratio: &Ratio, goal: f64) -> Result<()> {
    let middle = top + ROW / 2;
    let (upper, lower) = (middle - BAR / 2, middle + BAR / 2);
    let color = reached(ratio.median >= goal);
    let corners = [(LEFT, upper), (scale.x(ratio.median), lower)];
    area.draw(&Rectangle::new(corners, color.filled()))?;
    let x = scale.x(goal);
    let mark = [(x, upper - 3), (x, lower + 3)];
    area.draw(&PathElement::new(mark, INK.stroke_width(3)))?;
    let style = anchored(TEXT, HPos::Right, VPos::Center);
    area.draw_text(&label(ratio), &style, (LEFT - 8, middle))?;
    let figure = format!("{:.2}", ratio.median);
    area.draw_text(&figure, &style, (WIDTH - 16, middle))?;
    Ok(())
}

fn label(ratio: &Ratio) -> String {
    match ratio.in_flight {
        1 => ratio.name.clone(),
        many => format!("{}, {many} in flight", ratio.name),
    }
}

fn reached(reached: bool) -> RGBColor {
    PALETTE[usize::from(!reached)]
}
