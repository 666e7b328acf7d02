//! Where it was measured.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::numbers::grouped;

/// The machine and the versions that figures come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// How many processors the process could use.
    pub cores: usize,
    /// The name of the processors.
    pub cpu: String,
    /// The memory of the machine, in mebibytes.
    pub memory_mebibytes: u64,
    /// The kernel.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// The version of these crates.
    pub messenger: String,
    /// The version of Cassandra, if a node was there to ask.
    pub cassandra: Option<String>,
    /// The command that measured.
    pub command: String,
}

impl Machine {
    /// This machine. The version of Cassandra is known to who has a node.
    ///
    /// # Errors
    ///
    /// When Linux or the compiler do not say what they are.
    pub fn here(command: String, cassandra: Option<String>) -> Result<Self> {
        let kernel = read("/proc/sys/kernel/osrelease")?;
        Ok(Self {
            cores: available_parallelism()?.get(),
            cpu: cpu(&read("/proc/cpuinfo")?),
            memory_mebibytes: memory(&read("/proc/meminfo")?)?,
            kernel: format!("Linux {}", kernel.trim()),
            rustc: rustc()?,
            messenger: env!("CARGO_PKG_VERSION").to_owned(),
            cassandra,
            command,
        })
    }
}

/// The section of the document.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cores,
            cpu,
            memory_mebibytes,
            kernel,
            rustc,
            messenger,
            cassandra,
            command,
        } = self;
        let memory = grouped(*memory_mebibytes);
        writeln!(f, "| | |\n| --- | --- |")?;
        writeln!(f, "| processors | {cores} × {cpu} |")?;
        writeln!(f, "| memory | {memory} MiB |")?;
        writeln!(f, "| kernel | {kernel} |")?;
        writeln!(f, "| compiler | {rustc} |")?;
        writeln!(f, "| messenger | {messenger} |")?;
        if let Some(cassandra) = cassandra {
            writeln!(
                f,
                "| Apache Cassandra | {cassandra}, one node on this machine |"
            )?;
        }
        write!(f, "| command | `{command}` |")
    }
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))
}

/// The name of the first processor; some architectures have none.
fn cpu(info: &str) -> String {
    let name = info.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn memory(info: &str) -> Result<u64> {
    let kibibytes = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))
        .context("/proc/meminfo has no MemTotal")?;
    Ok(kibibytes.trim().parse::<u64>()? / 1024)
}

fn rustc() -> Result<String> {
    let output = Command::new("rustc")
        .arg("--version")
        .output()
        .context("rustc does not run")?;
    ensure!(output.status.success(), "rustc --version failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_and_memory_are_found() {
        assert_eq!(
            cpu("processor\t: 0\nmodel name\t: Fast 9000\n"),
            "Fast 9000"
        );
        assert_eq!(memory("MemTotal:       16384000 kB\n").unwrap(), 16_000);
        assert!(memory("").is_err());
    }

    #[test]
    fn a_machine_without_cassandra_names_none() {
        let machine = Machine::here("scripts/measure".to_owned(), None).unwrap();
        let text = machine.to_string();
        assert!(!text.contains("Cassandra"), "{text}");
        assert!(text.contains("`scripts/measure`"), "{text}");
    }
}
