//! Runs the example programs.

use std::io::{BufRead, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// An example, to be run with no variable of ours but those that the test sets.
pub(crate) fn example(name: &str) -> Command {
    let mut command = Command::new(path_of(name));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("MESSENGER_") {
            command.env_remove(variable);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// `cargo test` builds the examples of its package, next to the tests.
fn path_of(example: &str) -> PathBuf {
    let file = format!("{example}{}", std::env::consts::EXE_SUFFIX);
    let path = target_dir().join("examples").join(file);
    assert!(
        path.exists(),
        "the example {example} is not built: run `cargo build -p examples --examples`"
    );
    path
}

/// Where cargo puts what it builds, in this profile.
pub(crate) fn target_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let dir = test.ancestors().nth(2).expect("tests are in deps");
    dir.to_owned()
}

/// What an example that ends by itself did.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs an example to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the example starts");
    let text = |bytes| String::from_utf8(bytes).expect("programs write UTF-8");
    Ended {
        status,
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

impl Ended {
    /// What it wrote, if all went well.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert!(self.status.success(), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// What it complained about, if it failed without having done anything.
    #[track_caller]
    pub(crate) fn failure(self) -> String {
        assert!(!self.status.success(), "it succeeded: {}", self.stdout);
        assert_eq!(self.stdout, "");
        self.stderr
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A program that runs until it is told to stop. It does not outlive its test.
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

impl Running {
    /// Starts an example.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let stderr = BufReader::new(child.stderr.take().expect("it is a pipe"));
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let line = line_of(&mut self.stdout);
        if line.is_empty() {
            panic!("it ended without a line: {}", self.log());
        }
        line
    }

    /// The next line of its standard error.
    pub(crate) fn log_line(&mut self) -> String {
        line_of(&mut self.stderr)
    }

    /// All that is left on its standard error, once it has ended.
    pub(crate) fn log(&mut self) -> String {
        let mut text = String::new();
        self.stderr.read_to_string(&mut text).expect("UTF-8");
        text
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal])
            .arg(self.child.id().to_string())
            .status();
        assert!(status.expect("there is a shell").success());
    }

    /// Waits until it ends.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until(|| !self.is_running());
        self.child.wait().expect("it is our child")
    }

    /// Whether it still runs.
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
