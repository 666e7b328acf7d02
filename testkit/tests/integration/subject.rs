//! A test program to be looked at from outside: this one, with a single case that wants a node.
//!
//! The environment of a running process cannot be changed safely, so it is given to a new one.

use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::Path,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use libtest_mimic::{Failed, Trial};
use testkit::trial::with_shared;

const WANTED: &str = "TESTKIT_SUBJECT";

pub(crate) fn is_wanted() -> bool {
    env::var_os(WANTED).is_some()
}

pub(crate) fn trial() -> Trial {
    with_shared("wants_a_node", |_| Ok(()))
}

/// How the program ended.
pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) text: String,
}

/// Runs it with nothing said about Cassandra but what `variables` say, and not as a part of the
/// run that is going on, which may have a node.
pub(crate) fn run(variables: &[(&str, &str)]) -> Result<Outcome, Failed> {
    let subject = env::current_exe()?;
    let child = as_cargo(|cargo| {
        // Not the last command, which the shell might become.
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
    let said = child.wait_with_output()?;
    Ok(Outcome {
        success: said.status.success(),
        text: String::from_utf8_lossy(&said.stdout).into_owned(),
    })
}

/// A shell by the name of cargo, which so is the owner of a run of its own.
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
