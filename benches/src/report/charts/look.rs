//! How all charts look: sizes, colours and axes in one place.

use anyhow::{Context as _, Result};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::report::numbers::grouped;

/// Where a chart, or a part of it, is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Colours that also people with colour blindness tell apart (Okabe and Ito).
pub(super) const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Text, axes and what else is drawn in ink.
pub(super) const INK: RGBColor = RGBColor(51, 51, 51);

/// Lines behind the figures.
pub(super) const GRID: RGBColor = RGBColor(221, 221, 221);

/// The font of titles and of all else, in pixels.
pub(super) const TITLE: u32 = 17;
pub(super) const TEXT: u32 = 13;

/// Text of this size.
pub(super) fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// Draws on white, and gives the SVG.
pub(super) fn svg(
    (width, height): (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
    }
    Ok(svg)
}

/// A number on an axis, with the decimals that it needs.
pub(super) fn tick(value: &f64) -> String {
    if *value >= 10.0 || value.fract() == 0.0 {
        return grouped(value.round() as u64);
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The least and the greatest of some values.
pub(super) fn bounds(values: impl IntoIterator<Item = f64>) -> Result<(f64, f64)> {
    values
        .into_iter()
        .fold(None, |bounds: Option<(f64, f64)>, value| {
            let (least, most) = bounds.unwrap_or((value, value));
            Some((least.min(value), most.max(value)))
        })
        .context("there is nothing to draw")
}
