//! A directory for what a run starts, and the watchdog that removes it all at the end.
//!
//! Whoever starts nodes may be killed at any moment, and cargo may be too, so cleaning up cannot
//! be left to them. A small `sh` script in a process group of its own (Ctrl-C does not reach it)
//! looks three times a second whether the owner still lives; when it does not, or when it is told
//! to stop, the script kills what the directory names and deletes the directory. This is the only
//! code that cleans up, so whatever happens, the same thing happens.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use super::{identity::Identity, limited, place};

const WATCHDOG: &str = include_str!("../../files/watchdog.sh");
const RUN: &str = include_str!("../../files/run.sh");

/// By its full name, because the PATH of a test may be empty.
pub(crate) const SHELL: &str = "/bin/sh";
/// How long the watchdog may take once it was told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A directory with a watchdog. Dropping it ends and deletes what is in it.
#[derive(Debug)]
pub(crate) struct State {
    dir: PathBuf,
    watchdog: Option<Child>,
}

impl State {
    /// A directory of the calling process alone.
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

    /// Where the files are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // Without the file the watchdog still cleans up, at the end of this process.
        let told = fs::write(self.dir.join("stop"), "").is_ok();
        if let Some(watchdog) = self.watchdog.as_mut().filter(|_| told) {
            let _ = limited::wait(watchdog, STOP_LIMIT);
        }
    }
}

/// The directory that all processes of one run share, made by whoever comes first.
pub(crate) fn of_run(owner: Identity) -> io::Result<PathBuf> {
    let dir = place::root()?.join(format!("run-{}-{}", owner.pid, owner.born));
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// Sees to it that a run's directory has its watchdog, which lives as long as the owner does. To be
/// called by whoever holds the run's lock, before anything is started.
pub(crate) fn watch_run(dir: &Path, owner: Identity) -> io::Result<()> {
    let started = dir.join("watched");
    if !started.exists() {
        // Its end is not waited for: it outlives this process.
        drop(watch(dir, owner)?);
        fs::write(started, "")?;
        sweep();
    }
    Ok(())
}

/// A command that the watchdog of `home`'s parent knows: its pid is in `home/pid` before it begins.
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

/// Ends directories whose owner is gone and whose watchdog was killed as well.
fn sweep() {
    let Ok(entries) = place::root().and_then(fs::read_dir) else {
        return;
    };
    for dir in entries.flatten().map(|entry| entry.path()) {
        let owner = fs::read_to_string(dir.join("owner")).unwrap_or_default();
        let Some(owner) = Identity::parse(&owner).filter(|owner| !owner.is_alive()) else {
            continue;
        };
        // If its watchdog is at work after all, the second one finds nothing to do.
        let _ = watch(&dir, owner);
    }
}

fn watch(dir: &Path, owner: Identity) -> io::Result<Child> {
    fs::write(dir.join("owner"), owner.to_string())?;
    Command::new(SHELL)
        .args(["-c", WATCHDOG, "watchdog.sh"])
        .arg(dir)
        .args([owner.pid.to_string(), owner.born.to_string()])
        // A working directory inside a mount or a temporary directory would keep it busy.
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

    /// A state that knows `child` as born `later` ticks after it was, and the end of the state.
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
        let said = command.arg("began").output().unwrap();
        assert!(!said.status.success() && said.stdout.is_empty());
    }
}
