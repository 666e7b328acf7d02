//! What a chart must show, whatever it looks like.

use super::*;
use crate::report::figures::{Answers, Latency, Load, Step};

fn ratio(name: &str, goal: Option<f64>) -> Ratio {
    Ratio {
        name: name.to_owned(),
        in_flight: 1,
        median: 0.7,
        least: 0.6,
        most: 0.8,
        subject_per_second: 1_000.0,
        baseline_per_second: 1_400.0,
        rounds: 7,
        goal,
        server: None,
    }
}

fn pages(store: &str) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for (list, page) in [
        ("history", "first"),
        ("history", "middle"),
        ("inbox", "first"),
        ("inbox", "later"),
    ] {
        for size in [100, 1_000, 1_000_000] {
            ratios.push(ratio(&format!("{store}/{list}/{page}/{size}"), Some(0.5)));
        }
    }
    ratios
}

fn load() -> Load {
    let step = |rate: f64| Step {
        offered_per_second: Some(rate),
        overall: Answers {
            achieved_per_second: rate.min(900.0),
            latency: Latency {
                p50_micros: 250,
                p99_micros: 40_000,
            },
        },
    };
    Load {
        steps: [500.0, 1_000.0, 2_000.0].map(step).into(),
    }
}

fn figures() -> Figures {
    Figures {
        memory: Some(pages("memory")),
        cassandra: Some(pages("cassandra")),
        http: Some(vec![
            ratio("http/history", Some(0.9)),
            ratio("http/send", None),
        ]),
        load_memory: Some(load()),
        load_cassandra: Some(load()),
        ..Figures::default()
    }
}

fn chart(name: &str) -> String {
    let charts = all(&figures()).unwrap();
    let (_, chart) = charts.into_iter().find(|(of, _)| *of == name).unwrap();
    chart.unwrap()
}

#[track_caller]
fn shows(svg: &str, texts: &[&str]) {
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for text in texts {
        assert!(svg.contains(text), "there is no {text}");
    }
}

#[test]
fn costs_name_their_pages_stores_and_units() {
    let units = ["Memory", "Cassandra", "microseconds", "1,000,000"];
    shows(&chart("history.svg"), &units);
    shows(&chart("history.svg"), &["first page", "page in the middle"]);
    shows(&chart("inbox.svg"), &units);
    shows(&chart("inbox.svg"), &["first page", "later page"]);
    assert!(!chart("inbox.svg").contains("page in the middle"));
}

#[test]
fn latency_names_its_percentiles_and_units() {
    let texts = [
        "p50",
        "p99",
        "milliseconds",
        "offered",
        "Memory",
        "Cassandra",
    ];
    shows(&chart("load.svg"), &texts);
}

#[test]
fn bars_are_those_with_a_goal() {
    let svg = chart("baselines.svg");
    shows(&svg, &["http/history", "cassandra/inbox/first/100", "0.70"]);
    assert!(!svg.contains("http/send"));
}

#[test]
fn every_chart_is_on_white() {
    for (name, chart) in all(&figures()).unwrap() {
        let svg = chart.unwrap();
        let first = svg.lines().nth(1).unwrap();
        assert!(first.contains("#FFFFFF"), "{name}: {first}");
    }
}

#[test]
fn a_chart_without_its_figures_is_left() {
    let missing = Figures {
        cassandra: None,
        ..figures()
    };
    let charts = all(&missing).unwrap();
    let left: Vec<_> = charts
        .iter()
        .map(|(_, chart)| chart.as_ref().err())
        .collect();
    assert_eq!(
        left,
        [Some(&CASSANDRA), Some(&CASSANDRA), None, Some(&CASSANDRA)]
    );
}
