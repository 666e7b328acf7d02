//! A directory for everything that a run starts, and the watchdog that cleans it up.
//!
//! A test process may be killed at any moment, and so may cargo, so neither can clean up. A small
//! `sh` script in its own process group (Ctrl-C does not reach it) checks three times a second that
//! the owner is alive. If it is not, or if the script is told to stop, it kills the processes that
//! the directory names and deletes the directory. No other code cleans up.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::identity::Identity;
use super::{limited, place};

const WATCHDOG: &str = include_str!("../../files/watchdog.sh");
const RUN: &str = include_str!("../../files/run.sh");

/// The absolute path, because the `PATH` of a test may be empty.
pub(crate) const SHELL: &str = "/bin/sh";
/// The time limit of the watchdog after it was told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A directory with a watchdog. Dropping it kills its processes and deletes it.
#[derive(Debug)]
pub(crate) struct State {
    dir: PathBuf,
    watchdog: Option<Child>,
}

impl State {
    /// Creates a directory for the calling process.
    pub(crate) fn own() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let owner = Identity::own()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("own-{}-{}-{count}", owner.pid, owner.born);
        let dir = place::root()?.join(name);
        fs::create_dir(&dir)?;
        let mut state = Self {
            dir,
            watchdog: None,
        };
        state.watchdog = Some(watch(&state.dir, owner)?);
        sweep();
        Ok(state)
    }

    /// Returns the path of the directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // Without the file the watchdog cleans up when this process ends.
        let told = fs::write(self.dir.join("stop"), "").is_ok();
        if let Some(watchdog) = self.watchdog.as_mut().filter(|_| told) {
            let _ = limited::wait(watchdog, STOP_LIMIT);
        }
    }
}

/// Returns the directory that all processes of a run share, and creates it if it does not exist.
pub(crate) fn of_run(owner: Identity) -> io::Result<PathBuf> {
    let dir = place::root()?.join(format!("run-{}-{}", owner.pid, owner.born));
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Starts the watchdog of a run's directory if there is none. It lives as long as the owner. The
/// caller must hold the run's lock, and must not have started anything yet.
pub(crate) fn watch_run(dir: &Path, owner: Identity) -> io::Result<()> {
    let started = dir.join("watched");
    if !started.exists() {
        // It outlives this process, so nobody waits for it.
        drop(watch(dir, owner)?);
        fs::write(started, "")?;
        sweep();
    }
    Ok(())
}

/// Returns a command that the watchdog of `home`'s parent will kill: its pid is in `home/pid` before
/// it begins.
pub(crate) fn watched(home: &Path, program: &Path) -> Command {
    let mut command = Command::new(SHELL);
    command
        .args(["-c", RUN, "run.sh"])
        .arg(home.join("pid"))
        .arg(program)
        .stdin(Stdio::null())
        .process_group(0);
    command
}

/// Cleans up directories whose owner and watchdog were both killed.
fn sweep() {
    let Ok(entries) = place::root().and_then(fs::read_dir) else {
        return;
    };
    for dir in entries.flatten().map(|entry| entry.path()) {
        let owner = fs::read_to_string(dir.join("owner")).unwrap_or_default();
        let Some(owner) = Identity::parse(&owner).filter(|owner| !owner.is_alive()) else {
            continue;
        };
        // If its watchdog is alive after all, the second one finds nothing to do.
        let _ = watch(&dir, owner);
    }
}

fn watch(dir: &Path, owner: Identity) -> io::Result<Child> {
    fs::write(dir.join("owner"), owner.to_string())?;
    Command::new(SHELL)
        .args(["-c", WATCHDOG, "watchdog.sh"])
        .arg(dir)
        .args([owner.pid.to_string(), owner.born.to_string()])
        // Another working directory could not be unmounted or deleted.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| {
            io::Error::other(format!("cannot start the watchdog with {SHELL}: {error}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drops a state that names `child`, with a start time that is `later` ticks too late.
    fn end_with(child: &Child, later: u64) {
        let state = State::own().unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let mut words = stat.rsplit_once(") ").unwrap().1.split(' ');
        let born: u64 = words.nth(19).unwrap().parse().unwrap();
        let home = state.dir().join("n1");
        fs::create_dir(&home).unwrap();
        fs::write(
            home.join("pid"),
            format!("{} {}\n", child.id(), born + later),
        )
        .unwrap();
        let dir = state.dir().to_owned();
        drop(state);
        assert!(!dir.exists() && !dir.with_extension("gone").exists());
    }

    fn sleeper() -> Child {
        let mut command = Command::new("sleep");
        command.arg("600").process_group(0).spawn().unwrap()
    }

    #[test]
    fn what_the_directory_names_is_killed() {
        let mut child = sleeper();
        end_with(&child, 0);
        assert!(limited::wait(&mut child, Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn a_process_that_was_given_the_same_pid_is_spared() {
        let mut child = sleeper();
        end_with(&child, 1);
        assert!(limited::wait(&mut child, Duration::ZERO).unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_watched_command_is_known_before_it_begins() {
        let state = State::own().unwrap();
        let mut command = watched(state.dir(), Path::new("/bin/cat"));
        let known = command.arg(state.dir().join("pid")).output().unwrap();
        let known = String::from_utf8(known.stdout).unwrap();
        assert!(Identity::parse(&known).is_some(), "{known:?}");
    }

    #[test]
    fn a_watched_command_does_not_begin_once_its_directory_is_gone() {
        let state = State::own().unwrap();
        let home = state.dir().join("gone");
        let mut command = watched(&home, Path::new("/bin/echo"));
        let output = command.arg("began").output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
    }
}
