//! Commands with a time limit.

use std::{
    fmt,
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What a command that ended said, stdout and stderr together.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) text: String,
}

impl Said {
    /// The text if the command succeeded, else an error that names it.
    pub(crate) fn success(self, what: impl fmt::Display) -> io::Result<String> {
        if self.status.success() {
            return Ok(self.text);
        }
        let text = tail(&self.text, 15);
        Err(io::Error::other(format!("{what}: {}: {text}", self.status)))
    }
}

/// Runs a command to its end, without input; kills it after `limit`.
///
/// # Errors
///
/// If the program cannot be started (`NotFound` if there is none) or has not ended in time
/// (`TimedOut`). A command that ends without success is not an error here.
pub(crate) fn run(command: &mut Command, limit: Duration) -> io::Result<Said> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    // Read while it runs: a full pipe would stop it.
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
    Ok(Said { status, text })
}

/// Waits for a child at most `limit`; `None` if it still runs.
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

/// The last lines of a text, at most `lines`.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn read_in_background(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
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
    fn a_failing_command_is_quoted() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let said = run(&mut command, Duration::from_secs(10)).unwrap();
        let error = said.success("trying").unwrap_err().to_string();
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
