//! Another process: this program once more, with a role to play.
//!
//! It says on its standard output what it does, a line for each thing, and does what it reads on
//! its standard input. When that ends, it ends: so none outlives the test, however that ended.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{self, Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use libtest_mimic::Failed;
use testkit::cassandra::Nodes;

use super::world::{Verdict, ensure};
use super::{client, clocks};

const ROLE: &str = "MESSENGER_FAULTS_CHILD";

/// The role that this process was started for, if it was.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Plays a role to its end.
pub(crate) fn play(role: &str) {
    let words: Vec<&str> = role.split(' ').collect();
    let done = match words[..] {
        ["client", nodes, keyspace, name] => client::play(&split(nodes), keyspace, name),
        ["clocks", nodes, keyspace, name, ahead, part] => {
            clocks::play(&split(nodes), keyspace, name, ahead, part)
        }
        _ => Err(format!("there is no role {role:?}").into()),
    };
    if let Err(error) = done {
        eprintln!("{}: {}", words[0], error.message().unwrap_or("it failed"));
        process::exit(1);
    }
}

fn split(nodes: &str) -> Vec<String> {
    nodes.split(',').map(str::to_owned).collect()
}

/// Says something to the process that started this one. A line is never torn.
pub(crate) fn say(line: &str) {
    // Nobody hears it when the test has ended; then so does this process.
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

/// Returns the lines that the process that started this one prints. This one ends with it.
pub(crate) fn listen() -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
        process::exit(0);
    });
    receiver
}

/// A process that was started, and what it has said.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    reader: Option<JoinHandle<Vec<String>>>,
    /// Something for each line as it is said.
    lines: Receiver<()>,
}

impl Process {
    /// Starts one, on these nodes.
    pub(crate) fn start(
        role: &str,
        nodes: &Nodes,
        keyspace: &str,
        rest: &str,
    ) -> Result<Self, Failed> {
        let nodes = nodes.contact_points().join(",");
        let mut child = Command::new(std::env::current_exe()?)
            .env(ROLE, format!("{role} {nodes} {keyspace} {rest}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take();
        let output = child.stdout.take().ok_or("it has no output")?;
        let (sender, lines) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut said = Vec::new();
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(());
                if line != "ready" {
                    said.push(line);
                }
            }
            said
        });
        Ok(Self {
            child,
            orders,
            reader: Some(reader),
            lines,
        })
    }

    /// Waits until it has said that it is ready, or has ended.
    pub(crate) fn wait_until_ready(&self) -> Verdict {
        self.wait_until_said(1)
    }

    /// Waits until it has printed this many more lines.
    pub(crate) fn wait_until_said(&self, lines: usize) -> Verdict {
        for _ in 0..lines {
            let line = self.lines.recv();
            line.map_err(|_| Failed::from("the process ended too early"))?;
        }
        Ok(())
    }

    /// Tells it something.
    pub(crate) fn tell(&mut self, order: &str) -> Verdict {
        let orders = self.orders.as_mut().ok_or("it has ended")?;
        Ok(writeln!(orders, "{order}")?)
    }

    /// `kill -9`; gives all that it has said.
    pub(crate) fn kill(mut self) -> Result<Vec<String>, Failed> {
        ensure!(self.child.try_wait()?.is_none(), "the process has ended");
        self.child.kill()?;
        self.child.wait()?;
        self.said()
    }

    /// Waits until it ends by itself; gives all that it has said.
    pub(crate) fn wait(mut self) -> Result<Vec<String>, Failed> {
        let status = self.child.wait()?;
        ensure!(status.success(), "the process ended with {status}");
        self.said()
    }

    fn said(&mut self) -> Result<Vec<String>, Failed> {
        let reader = self.reader.take().ok_or("it was asked before")?;
        reader.join().map_err(|_| "its output was not read".into())
    }
}

/// A case that fails leaves no process.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
