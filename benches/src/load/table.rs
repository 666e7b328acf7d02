//! The report for people.

use std::fmt;

use super::report::{Answers, Bound, Idle, Sends, Step};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.measured_seconds;
        match self.offered_per_second {
            None => writeln!(f, "closed loop, {seconds:.1} s")?,
            Some(rate) => writeln!(f, "open loop, {rate}/s offered, {seconds:.1} s")?,
        }
        writeln!(
            f,
            "{:<12} {:>9} {:>6} {:>6} {:>11}  {:>10} {:>10} {:>10} {:>10} {:>10}",
            "call", "answered", "shed", "failed", "rate", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for call in &self.calls {
            row(f, call.call.name(), &call.answers)?;
        }
        row(f, "all", &self.overall)?;
        if self.offered_per_second.is_some() {
            writeln!(f, "due and not started: {}", self.not_started)?;
        }
        for failure in &self.failures {
            writeln!(f, "failed: {failure}")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, answers: &Answers) -> fmt::Result {
    let Answers {
        answered,
        shed,
        failed,
        achieved_per_second,
        latency,
    } = answers;
    write!(
        f,
        "{name:<12} {answered:>9} {shed:>6} {failed:>6} {achieved_per_second:>9.1}/s "
    )?;
    for micros in [
        latency.p50_micros,
        latency.p90_micros,
        latency.p99_micros,
        latency.p999_micros,
        latency.max_micros,
    ] {
        write!(f, " {:>7.2} ms", micros as f64 / 1e3)?;
    }
    writeln!(f)
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.p99_micros as f64 / 1e3;
        match (self.highest_held_per_second, self.reached) {
            (None, false) => write!(f, "no rate was measured to its end"),
            (None, true) => write!(f, "no rate kept p99 within {millis} ms"),
            (Some(rate), true) => {
                write!(f, "{rate}/s kept p99 within {millis} ms, the next did not")
            }
            (Some(rate), false) => {
                write!(f, "every rate up to {rate}/s kept p99 within {millis} ms")
            }
        }
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} idle connections, {} answered again at the end",
            self.opened, self.answered_at_the_end
        )?;
        if let Some(bytes) = self.resident_bytes_each {
            write!(f, ", {bytes} bytes of the server's memory for each")?;
        }
        if self.answered_at_the_end < self.opened {
            write!(f, " (a server closes connections that are idle for long)")?;
        }
        Ok(())
    }
}

impl fmt::Display for Sends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged, {} found",
            self.acknowledged, self.found
        )?;
        for missing in &self.missing {
            write!(f, "\nmissing: {missing}")?;
        }
        Ok(())
    }
}
