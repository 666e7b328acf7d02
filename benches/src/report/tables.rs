//! The tables of the report, in Markdown.

use std::fmt::Write as _;

use super::figures::{Entry, Figures, Load, Scale, Step};
use super::numbers::significant;
use crate::ratio::Ratio;

/// Each section of the document, with its table as far as its figures are there.
pub fn all(figures: &Figures) -> [(&'static str, Option<String>); 7] {
    let ratios = |of: &Option<Vec<Ratio>>| of.as_deref().map(ratios);
    let load = |of: &Option<Load>| of.as_ref().map(load);
    let machine = figures.machine.as_ref();
    [
        ("machine", machine.map(ToString::to_string)),
        ("ratios-memory", ratios(&figures.memory)),
        ("ratios-http", ratios(&figures.http)),
        ("ratios-cassandra", ratios(&figures.cassandra)),
        ("load-memory", load(&figures.load_memory)),
        ("load-cassandra", load(&figures.load_cassandra)),
        ("scale", figures.scale.as_ref().map(scale)),
    ]
}

/// The comparisons with a baseline; with the CPU time of servers if any of them has it.
fn ratios(ratios: &[Ratio]) -> String {
    let with_time = ratios.iter().any(|ratio| ratio.server.is_some());
    let mut columns = vec![
        ("pair", Align::Left),
        ("in flight", Align::Right),
        ("ratio", Align::Right),
        ("rounds from–to", Align::Right),
        ("goal", Align::Left),
        ("a second", Align::Right),
        ("baseline", Align::Right),
    ];
    if with_time {
        columns.push(("server's CPU time", Align::Right));
    }
    table(&columns, ratios.iter().map(|ratio| row(ratio, with_time)))
}

fn row(ratio: &Ratio, with_time: bool) -> Vec<String> {
    let mut cells = vec![
        format!("`{}`", ratio.name),
        ratio.in_flight.to_string(),
        format!("**{:.2}**", ratio.median),
        format!("{:.2}–{:.2}", ratio.least, ratio.most),
        goal(ratio),
        significant(ratio.subject_per_second),
        significant(ratio.baseline_per_second),
    ];
    if with_time {
        let time = ratio.server.as_ref().map(|time| {
            let [subject, baseline] = [time.subject_micros, time.baseline_micros].map(significant);
            format!("{subject} µs against {baseline}: {:.2}", time.median)
        });
        cells.push(time.unwrap_or_default());
    }
    cells
}

fn goal(ratio: &Ratio) -> String {
    let Some((goal, reached)) = ratio.goal.zip(ratio.is_reached()) else {
        return String::new();
    };
    format!("{goal:.2} {}", if reached { "reached" } else { "missed" })
}

/// Latency at each rate.
fn load(load: &Load) -> String {
    let columns = [
        ("offered a second", Align::Right),
        ("answered a second", Align::Right),
        ("p50, ms", Align::Right),
        ("p99, ms", Align::Right),
    ];
    let row = |step: &Step| {
        let latency = &step.overall.latency;
        let millis = |micros: u64| significant(micros as f64 / 1_000.0);
        vec![
            step.offered_per_second
                .map_or_else(|| "as fast as it answers".to_owned(), significant),
            significant(step.overall.achieved_per_second),
            millis(latency.p50_micros),
            millis(latency.p99_micros),
        ]
    };
    table(&columns, load.steps.iter().map(row))
}

/// Figures at a great size.
fn scale(scale: &Scale) -> String {
    let columns = [
        ("what", Align::Left),
        ("figure", Align::Right),
        ("command", Align::Left),
    ];
    let row = |entry: &Entry| {
        vec![
            entry.what.clone(),
            format!("{} {}", significant(entry.value), entry.unit),
            format!("`{}`", entry.command),
        ]
    };
    table(&columns, scale.entries.iter().map(row))
}

#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

fn table(columns: &[(&str, Align)], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = String::from("|");
    for (title, _) in columns {
        // Writing to a string cannot fail.
        let _ = write!(text, " {title} |");
    }
    text.push_str("\n|");
    for (_, align) in columns {
        text.push_str(match align {
            Align::Left => " --- |",
            Align::Right => " ---: |",
        });
    }
    for cells in rows {
        text.push_str("\n|");
        for cell in cells {
            let _ = write!(text, " {} |", cell.replace('|', "\\|"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratio::ServerTime;
    use crate::report::figures::{Answers, Latency};

    fn ratio(goal: Option<f64>) -> Ratio {
        Ratio {
            name: "memory/history/first/1000".to_owned(),
            in_flight: 1,
            median: 0.51,
            least: 0.484,
            most: 0.53,
            subject_per_second: 812_345.0,
            baseline_per_second: 1_600_000.0,
            rounds: 7,
            goal,
            server: None,
        }
    }

    #[test]
    fn a_ratio_is_a_row_that_says_whether_its_goal_is_reached() {
        let lines = ratios(&[ratio(Some(0.5)), ratio(Some(0.6)), ratio(None)]);
        let lines: Vec<_> = lines.lines().collect();
        let row = |goal| {
            format!(
                "| `memory/history/first/1000` | 1 | **0.51** | 0.48–0.53 | {goal} | 812,000 | 1,600,000 |"
            )
        };
        assert_eq!(
            lines[2..],
            [row("0.50 reached"), row("0.60 missed"), row("")]
        );
    }

    #[test]
    fn the_time_of_servers_has_a_column_where_it_is_known() {
        assert!(!ratios(&[ratio(None)]).contains("CPU"));
        let server = ServerTime {
            median: 0.8,
            subject_micros: 12.5,
            baseline_micros: 10.0,
        };
        let with_time = Ratio {
            server: Some(server),
            ..ratio(None)
        };
        assert!(ratios(&[with_time]).contains("12.5 µs against 10.0: 0.80"));
    }

    #[test]
    fn a_step_is_a_row_in_milliseconds() {
        let step = Step {
            offered_per_second: Some(500.0),
            overall: Answers {
                achieved_per_second: 499.7,
                latency: Latency {
                    p50_micros: 512,
                    p99_micros: 20_480,
                },
            },
        };
        let text = load(&Load { steps: vec![step] });
        assert!(text.ends_with("| 500 | 500 | 0.512 | 20.5 |"), "{text}");
    }
}
