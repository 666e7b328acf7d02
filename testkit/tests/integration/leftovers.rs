//! Nothing is left of nodes, whatever happens to their owner.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Completion, Failed, Trial};

/// The time limit of the cleanup after the owner is gone.
const LIMIT: Duration = Duration::from_secs(15);

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        Trial::ignorable_test("a_killed_owner_leaves_nothing", killed_owner),
        Trial::ignorable_test(
            "ctrl_c_while_starting_leaves_nothing",
            ctrl_c_while_starting,
        ),
        Trial::ignorable_test(
            "the_next_owner_cleans_up_after_a_killed_watchdog",
            killed_watchdog,
        ),
    ]
}

/// Kills a process whose node is running, with `kill -9`.
fn killed_owner() -> Result<Completion, Failed> {
    let mut up = Up::spawn()?;
    if let Some(ignored) = up.wait_until_ready()? {
        return Ok(ignored);
    }
    assert!(
        !remains(up.pid()).is_empty(),
        "this test would find nothing"
    );
    up.child.kill()?;
    up.child.wait()?;
    nothing_of(up.pid())?;
    Ok(Completion::Completed)
}

/// Sends SIGINT to the process group, as a terminal does, while the node is starting.
fn ctrl_c_while_starting() -> Result<Completion, Failed> {
    let mut up = Up::spawn()?;
    if let Some(ignored) = up.wait_until_started()? {
        return Ok(ignored);
    }
    // Background processes of a shell without a terminal ignore SIGINT, and so do their children.
    // They do not ignore SIGTERM.
    let group = format!("-{}", up.pid());
    for signal in ["INT", "TERM"] {
        shell(&["-c", r#"kill -s "$1" -- "$2""#, "signal", signal, &group])?;
    }
    up.child.wait()?;
    nothing_of(up.pid())?;
    Ok(Completion::Completed)
}

/// Kills watchdog and owner. The next process that starts a cluster cleans up.
fn killed_watchdog() -> Result<Completion, Failed> {
    let mut up = Up::spawn()?;
    if let Some(ignored) = up.wait_until_started()? {
        return Ok(ignored);
    }
    for watchdog in processes_of(up.pid(), "watchdog.sh") {
        shell(&["-c", r#"kill -s KILL -- "$1""#, "signal", &watchdog])?;
    }
    up.child.kill()?;
    up.child.wait()?;
    assert!(processes_of(up.pid(), "watchdog.sh").is_empty());
    let mut next = Up::spawn()?;
    next.wait_until_started()?;
    next.child.kill()?;
    next.child.wait()?;
    nothing_of(up.pid())?;
    nothing_of(next.pid())?;
    Ok(Completion::Completed)
}

/// `testkit up` in its own process group, as in a terminal.
struct Up {
    child: Child,
}

impl Up {
    fn spawn() -> Result<Self, Failed> {
        let child = Command::new(env!("CARGO_BIN_EXE_testkit"))
            .arg("up")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        Ok(Self { child })
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the node answers. Returns a completion if there is no Cassandra.
    fn wait_until_ready(&mut self) -> Result<Option<Completion>, Failed> {
        let mut line = String::new();
        if let Some(out) = self.child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        if line.starts_with("MESSENGER_CASSANDRA_NODES=") {
            return Ok(None);
        }
        self.missing().map(Some)
    }

    /// Waits until there is a process or a container of a node.
    fn wait_until_started(&mut self) -> Result<Option<Completion>, Failed> {
        let end = Instant::now() + Duration::from_secs(400);
        while Instant::now() < end {
            if self.child.try_wait()?.is_some() {
                return self.missing().map(Some);
            }
            let is_node = |what: &String| !what.contains("watchdog.sh") && !what.starts_with('/');
            if remains(self.pid()).iter().any(is_node) {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err("the node was never started".into())
    }

    /// Returns the result of a case whose `testkit up` ended by itself.
    fn missing(&mut self) -> Result<Completion, Failed> {
        let mut text = String::new();
        if let Some(mut err) = self.child.stderr.take() {
            err.read_to_string(&mut text)?;
        }
        match self.child.wait()?.code() {
            Some(3) => Ok(Completion::ignored_with(text.trim())),
            _ => Err(text.into()),
        }
    }
}

/// Waits until nothing is left that a process started.
pub(crate) fn nothing_of(pid: u32) -> Result<(), Failed> {
    let end = Instant::now() + LIMIT;
    loop {
        let left = remains(pid);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("left behind by {pid}: {left:#?}").into());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Returns the directories, processes and containers of a process.
fn remains(pid: u32) -> Vec<String> {
    let mut left: Vec<_> = directories(pid)
        .iter()
        .map(|dir| dir.display().to_string())
        .collect();
    for id in processes_of(pid, "") {
        let command = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        left.push(format!("process {id}: {}", command.replace('\0', " ")));
    }
    left.extend(containers(pid));
    left
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("testkit")
}

/// Returns the prefixes of the names of a process's directories.
fn marks(pid: u32) -> [String; 2] {
    [format!("own-{pid}-"), format!("run-{pid}-")]
}

fn directories(pid: u32) -> Vec<PathBuf> {
    let marks = marks(pid);
    let entries = fs::read_dir(root()).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let name = entry.file_name().into_string().unwrap_or_default();
            marks.iter().any(|mark| name.starts_with(mark))
        })
        .map(|entry| entry.path())
        .collect()
}

/// Returns the pids of the processes whose command contains such a directory and `what`. The command
/// of a zombie is empty.
fn processes_of(pid: u32, what: &str) -> Vec<String> {
    let marks = marks(pid).map(|mark| format!("/testkit/{mark}"));
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command);
            marks.iter().any(|mark| command.contains(mark)) && command.contains(what)
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn containers(pid: u32) -> Vec<String> {
    let format = r#"{{.Names}} {{.Label "messenger-testkit"}}"#;
    let listed = Command::new("docker")
        .args([
            "ps",
            "-a",
            "--filter",
            "label=messenger-testkit",
            "--format",
            format,
        ])
        .output();
    let text = listed.map(|listed| listed.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .filter(|line| marks(pid).iter().any(|mark| line.contains(mark)))
        .map(|line| format!("container {line}"))
        .collect()
}

fn shell(arguments: &[&str]) -> Result<(), Failed> {
    Command::new("/bin/sh").args(arguments).status()?;
    Ok(())
}
