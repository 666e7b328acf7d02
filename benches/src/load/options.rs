//! The flags of the load tool.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use messenger_core::Limit;

use super::mix::Mix;
use super::pace::Pace;

/// Drives a running server over HTTP, and says how long it took to answer.
///
/// Without --rate the loop is closed: each connection sends the next request when the last one was
/// answered, which gives the throughput. With --rate it is open: requests are due at random times
/// whatever the server does, and latency counts from when a request was due. Ctrl-C ends a run early
/// and still reports. It exits with 1 if a message was lost or a request failed.
#[derive(Clone, Debug, Parser)]
#[command(name = "load")]
pub struct Options {
    /// The server.
    #[arg(default_value = "http://127.0.0.1:8000")]
    pub url: String,

    /// How many connections there are, and so how many requests are in flight at most.
    #[arg(long, default_value_t = 64, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub connections: u32,

    /// Opens the loop, with so many requests a second on all connections together; several rates
    /// make a step for each.
    #[arg(long, visible_alias = "rate", value_name = "RATE,…", value_delimiter = ',', value_parser = rate)]
    pub rates: Vec<f64>,

    /// Ends after the first rate that does not hold: its p99 is above this time, or not every
    /// request was served. Names the highest rate that did.
    #[arg(long, value_name = "TIME", requires = "rates", value_parser = time)]
    pub until_p99: Option<Duration>,

    /// How many requests that are due may wait for a connection. Those beyond are not started, and
    /// counted.
    #[arg(long, default_value_t = 10_000, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub max_waiting: u32,

    /// How often each call is made in relation to the others.
    #[arg(long, default_value_t, value_name = "CALL=WEIGHT,…")]
    pub mix: Mix,

    /// How many users there are, called 1, 2, 3 and so on. The first one is the most active, the
    /// second half as active, the third a third.
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub users: u32,

    /// How many items a page has.
    #[arg(long, default_value_t, value_name = "NUMBER", value_parser = limit)]
    pub limit: Limit,

    /// The share of sends that have an Idempotency-Key, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    pub keyed: f64,

    /// What the random choices follow from.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,

    /// How long each step runs before it is measured.
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = seconds)]
    pub warm_up: Duration,

    /// How long each step is measured.
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub duration: Duration,

    /// How many requests each step measures at most.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: Option<u64>,

    /// How long a request may take, from when it is due.
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,

    /// How many more connections are opened first, and do nothing while load runs.
    #[arg(long, default_value_t = 0, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub idle: u32,

    /// The server's process on this machine, to tell how much memory each idle connection takes:
    /// of thousands, since few are lost in what the server has at hand.
    #[arg(long, value_name = "PID", requires = "idle")]
    pub pid: Option<u32>,

    /// Also writes the report to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Sends load to a server on another machine too.
    #[arg(long)]
    pub allow_remote: bool,
}

impl Options {
    /// The steps of a run.
    pub(super) fn paces(&self) -> Vec<Pace> {
        if self.rates.is_empty() {
            return vec![Pace::Closed];
        }
        let open = |&per_second| Pace::Open { per_second };
        self.rates.iter().map(open).collect()
    }
}

fn rate(text: &str) -> Result<f64> {
    let rate: f64 = text.parse().context("it must be a number")?;
    ensure!(
        (0.01..=10_000_000.0).contains(&rate),
        "it must be 0.01 to 10000000 requests a second"
    );
    Ok(rate)
}

fn share(text: &str) -> Result<f64> {
    let share: f64 = text.parse().context("it must be a number")?;
    ensure!((0.0..=1.0).contains(&share), "it must be 0 to 1");
    Ok(share)
}

fn limit(text: &str) -> Result<Limit> {
    Ok(Limit::new(text.parse().context("it must be a number")?)?)
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds = text.parse().context("it must be a number of seconds")?;
    ensure!(
        (0.0..=86_400.0).contains(&seconds),
        "it must be 0 to 86400 seconds"
    );
    Ok(Duration::from_secs_f64(seconds))
}

fn time(text: &str) -> Result<Duration> {
    let time: jiff::SignedDuration = text
        .parse()
        .ok()
        .context("it must be a time with its unit, such as 50ms or 1.5s")?;
    Duration::try_from(time).context("it must not be negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("load").chain(flags.split_whitespace()))
    }

    #[test]
    fn the_loop_is_closed_unless_there_is_a_rate() {
        let paces = |flags: &str| parse(flags).unwrap().paces();
        let open = |per_second| Pace::Open { per_second };
        assert_eq!(paces(""), [Pace::Closed]);
        assert_eq!(paces("--rate 500"), [open(500.0)]);
        assert_eq!(paces("--rates 500,1000.5"), [open(500.0), open(1000.5)]);
    }

    #[test]
    fn a_run_is_bounded_unless_told_otherwise() {
        assert_eq!(parse("").unwrap().duration, Duration::from_secs(30));
    }

    #[test]
    fn what_is_wrong_with_a_flag_is_told() {
        for (flags, complaint) in [
            ("--rate 0", "0.01 to 10000000 requests a second"),
            ("--rate NaN", "0.01 to 10000000 requests a second"),
            (
                "--rate 10 --until-p99 50",
                "a time with its unit, such as 50ms",
            ),
            ("--until-p99 50ms", "--rates"),
            ("--mix send=x", "the weight of send must be"),
            ("--limit 101", "100"),
            ("--keyed 2", "0 to 1"),
            ("--users 1", "2.."),
            ("--duration -1", "-1"),
            ("--duration inf", "0 to 86400 seconds"),
        ] {
            let error = parse(flags).unwrap_err().to_string();
            assert!(error.contains(complaint), "{flags}: {error}");
        }
    }
}
