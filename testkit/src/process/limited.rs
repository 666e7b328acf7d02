//! Commands with a time limit.

use std::env;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The exit status of a command, and its stdout and stderr together.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) text: String,
}

impl Finished {
    /// Returns the text if the command succeeded, and otherwise an error that names it.
    pub(crate) fn success(self, what: impl fmt::Display) -> io::Result<String> {
        if self.status.success() {
            return Ok(self.text);
        }
        let text = tail(&self.text, 15);
        Err(io::Error::other(format!("{what}: {}: {text}", self.status)))
    }
}

/// Runs a command without input, and kills it after `limit`.
///
/// # Errors
///
/// If the program cannot be started (`NotFound` if it does not exist) or does not end in time
/// (`TimedOut`). An unsuccessful exit status is not an error here.
pub(crate) fn run(command: &mut Command, limit: Duration) -> io::Result<Finished> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    // Read while it runs: a full pipe would block it.
    let out = child.stdout.take().map(read_in_background);
    let err = child.stderr.take().map(read_in_background);
    let Some(status) = wait(&mut child, limit)? else {
        child.kill()?;
        child.wait()?;
        let text = format!("{:?} took over {limit:?}", command.get_program());
        return Err(io::Error::new(io::ErrorKind::TimedOut, text));
    };
    let text = [out, err]
        .into_iter()
        .flatten()
        .map(|reader| reader.join().unwrap_or_default())
        .collect();
    Ok(Finished { status, text })
}

/// Waits for a child at most `limit`. Returns `None` if it is still running.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the path of a program on the `PATH`, if there is one: a missing program differs from one
/// that fails.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Returns at most `lines` lines from the end of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn read_in_background(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // The text before an error is still useful.
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_killed() {
        let limit = Duration::from_millis(100);
        let error = run(Command::new("sleep").arg("60"), limit).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn the_error_of_a_command_has_its_output() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let output = run(&mut command, Duration::from_secs(10)).unwrap();
        let error = output.success("trying").unwrap_err().to_string();
        assert!(
            error.contains("trying") && error.contains("out\nerr"),
            "{error}"
        );
    }

    #[test]
    fn a_tail_is_the_last_lines() {
        assert_eq!(tail("1\n2\n3\n", 2), "2\n3");
        assert_eq!(tail("1", 2), "1");
    }
}
