//! The identity of a process. A pid alone may be reused by another process.

use std::fmt;
use std::fs;
use std::io;
use std::process;

/// A pid and its start time, in clock ticks since the machine booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    pub(crate) born: u64,
}

/// The contents of `/proc/PID/stat`.
struct Stat {
    name: String,
    zombie: bool,
    parent: u32,
    born: u64,
}

impl Identity {
    /// Returns the calling process.
    pub(crate) fn own() -> io::Result<Self> {
        let pid = process::id();
        let born = Stat::read(pid)?.born;
        Ok(Self { pid, born })
    }

    /// Returns the process that ends with the test run: the nearest ancestor that is cargo or
    /// cargo-nextest, or else the calling process. `cargo run` replaces itself by the program, so a
    /// program started by hand owns itself.
    pub(crate) fn run_owner() -> io::Result<Self> {
        let own = Self::own()?;
        let mut pid = Stat::read(own.pid)?.parent;
        while pid > 1 {
            let Ok(stat) = Stat::read(pid) else { break };
            if matches!(stat.name.as_str(), "cargo" | "cargo-nextest") {
                return Ok(Self {
                    pid,
                    born: stat.born,
                });
            }
            pid = stat.parent;
        }
        Ok(own)
    }

    /// Returns whether it is running. A zombie is not.
    pub(crate) fn is_alive(self) -> bool {
        Stat::read(self.pid).is_ok_and(|stat| stat.born == self.born && !stat.zombie)
    }

    /// Parses the text that [`fmt::Display`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (pid, born) = text.trim().split_once(' ')?;
        Some(Self {
            pid: pid.parse().ok()?,
            born: born.parse().ok()?,
        })
    }
}

/// Writes `PID START`, as `watchdog.sh` and `run.sh` do.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.born)
    }
}

impl Stat {
    fn read(pid: u32) -> io::Result<Self> {
        let line = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::parse(&line)
            .ok_or_else(|| io::Error::other(format!("unexpected /proc/{pid}/stat: {line}")))
    }

    /// Parses `pid (name) state parent …`. The start time is the 22nd word. The name may contain
    /// spaces and parentheses.
    fn parse(line: &str) -> Option<Self> {
        let (head, rest) = line.rsplit_once(") ")?;
        let (_, name) = head.split_once('(')?;
        let words: Vec<_> = rest.split_ascii_whitespace().collect();
        Some(Self {
            name: name.to_owned(),
            zombie: matches!(*words.first()?, "Z" | "X"),
            parent: words.get(1)?.parse().ok()?,
            born: words.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_read_whole() {
        let line = "7 (a) (b) Z 3 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987 0 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(stat.name, "a) (b");
        assert_eq!((stat.zombie, stat.parent, stat.born), (true, 3, 987));
    }

    #[test]
    fn a_pid_with_another_start_time_is_another_process() {
        let own = Identity::own().unwrap();
        assert!(own.is_alive());
        assert_eq!(Identity::parse(&own.to_string()), Some(own));
        let other = Identity {
            born: own.born + 1,
            ..own
        };
        assert!(!other.is_alive());
    }
}
