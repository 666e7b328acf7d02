//! A test program observed from outside: this one, with a single case that wants a node.
//!
//! A new process is needed because the environment of a running one cannot be changed safely.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::{Failed, Trial};
use testkit::trial::with_shared;

const WANTED: &str = "TESTKIT_SUBJECT";

pub(crate) fn is_wanted() -> bool {
    env::var_os(WANTED).is_some()
}

pub(crate) fn trial() -> Trial {
    with_shared("wants_a_node", |_| Ok(()))
}

/// The result of the program.
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) text: String,
}

/// Runs it with only these variables about Cassandra, and as its own run, because the current run may
/// have a node.
pub(crate) fn run(variables: &[(&str, &str)]) -> Result<Ended, Failed> {
    let subject = env::current_exe()?;
    let child = as_cargo(|cargo| {
        // Another command follows, so that the shell does not replace itself.
        cargo
            .args(["-c", r#""$1"; exit "$?""#, "run"])
            .arg(subject)
            .env_remove("MESSENGER_CASSANDRA_FROM")
            .env_remove("MESSENGER_REQUIRE_CASSANDRA")
            .env_remove("JAVA_HOME")
            .env(WANTED, "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::null());
    })?;
    let output = child.wait_with_output()?;
    Ok(Ended {
        success: output.status.success(),
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}

/// Starts a shell named cargo, which makes it the owner of its own run.
pub(crate) fn as_cargo(prepare: impl FnOnce(&mut Command)) -> io::Result<Child> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("testkit-{}-{count}", process::id());
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir)?;
    symlink("/bin/sh", dir.join("cargo"))?;
    let mut command = Command::new(dir.join("cargo"));
    command
        .env_remove("MESSENGER_CASSANDRA_NODES")
        .stdout(Stdio::piped());
    prepare(&mut command);
    let child = command.spawn();
    fs::remove_dir_all(&dir)?;
    child
}
