//! Runs programs, and talks to them as a terminal does.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns a command that runs the program without any of our variables but those that the test
/// sets.
pub(crate) fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("MESSENGER_") {
            command.env_remove(variable);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// The result of a program that ended by itself.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ended {
    let mut program = Running::start(command);
    let status = program.wait();
    Ended {
        status,
        stdout: rest_of(&mut program.stdout),
        stderr: program.log(),
    }
}

impl Ended {
    /// Returns what it wrote to standard output. Panics if it failed.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert!(self.status.success(), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Returns what it wrote to standard error. Panics if it succeeded or did anything else.
    #[track_caller]
    pub(crate) fn failure(self) -> String {
        assert!(!self.status.success(), "it succeeded: {}", self.stdout);
        assert_eq!(self.stdout, "");
        self.stderr
    }
}

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "the condition never held");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A program that runs until it is stopped. It does not outlive its test.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

fn line_of(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).expect("UTF-8");
    line
}

/// Sends a signal to a process, through the `kill` of the shell.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name])
        .arg(child.id().to_string())
        .status();
    assert!(status.expect("there is a shell").success());
}

fn rest_of(output: &mut impl Read) -> String {
    let mut text = String::new();
    output.read_to_string(&mut text).expect("UTF-8");
    text
}

impl Running {
    /// Starts a program.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let stderr = BufReader::new(child.stderr.take().expect("it is a pipe"));
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Returns the next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let line = line_of(&mut self.stdout);
        if line.is_empty() {
            panic!("it ended without a line: {}", self.log());
        }
        line
    }

    /// Returns the address in the line that a server writes when it listens, and the line.
    pub(crate) fn address(&mut self) -> (String, String) {
        let line = self.line();
        let address = line
            .split(' ')
            .find_map(|word| word.strip_prefix("http://"))
            .expect("the line holds a URL");
        (address.to_owned(), line)
    }

    /// Returns the next line of its standard error.
    pub(crate) fn log_line(&mut self) -> String {
        line_of(&mut self.stderr)
    }

    /// Waits until it ends, and returns the rest of its standard error.
    pub(crate) fn log(&mut self) -> String {
        rest_of(&mut self.stderr)
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until it ends.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until(|| !self.is_running());
        self.child.wait().expect("it is our child")
    }

    /// Returns whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
