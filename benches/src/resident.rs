//! How much memory a process holds.

use anyhow::{Context as _, Result};

/// How many bytes of a process of this machine are resident. Linux only.
///
/// # Errors
///
/// If there is no such process.
pub fn resident_bytes(pid: u32) -> Result<i64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("no {path}"))?;
    resident_in(&status).with_context(|| format!("{path} has no VmRSS"))
}

fn resident_in(status: &str) -> Option<i64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_status() {
        let status = "VmHWM:\t    9000 kB\nVmRSS:\t    2812 kB\nRssAnon:\t      96 kB\n";
        assert_eq!(resident_in(status), Some(2812 * 1024));
        assert_eq!(resident_in("Name:\tserver\n"), None);
        assert!(resident_bytes(std::process::id()).unwrap() > 0);
    }
}
