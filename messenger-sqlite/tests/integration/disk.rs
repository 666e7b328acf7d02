//! Disks that fill up under load, or cannot be written to.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Completion, Trial};
use messenger_core::{ErrorKind, Messenger, Outcome};
use messenger_sqlite::SqliteStore;

use crate::world::{Result, ensure, history, message, runtime, views_agree};

pub(crate) fn trials(trials: &mut Vec<Trial>) {
    for (name, case) in [
        ("disk::a_full_disk_is_an_error_and_passes", full as Case),
        (
            "disk::a_read_only_disk_is_refused_at_open",
            read_only as Case,
        ),
    ] {
        trials.push(Trial::ignorable_test(name, move || {
            let directory = tempfile::tempdir()?;
            let Some(disk) = Disk::mount(directory.path()) else {
                return Ok(Completion::ignored_with("mounting a small disk needs root"));
            };
            runtime().block_on(async { case(&disk).await })?;
            Ok(Completion::Completed)
        }));
    }
}

type Case = fn(&Disk) -> std::pin::Pin<Box<dyn Future<Output = Result> + '_>>;

/// A small disk in memory, mounted while the value lives.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(path: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "messenger-test"])
            .arg(path)
            .output()
            .ok()?;
        mounted.status.success().then(|| Self(path.to_owned()))
    }

    fn remount(&self, option: &str) -> Result {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", &format!("remount,{option}")])
            .arg(&self.0);
        let status = mount.status()?;
        ensure(status.success(), format!("cannot remount with {option}"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .args(["--lazy"])
            .arg(&self.0)
            .status();
    }
}

/// Sends until a send fails, and returns the first message and the number of acknowledged ones.
async fn send_until_it_fails(
    messenger: &Messenger,
) -> Result<(messenger_core::Message, usize, messenger_core::Error)> {
    let first = messenger.send(message("alice", "bob", "first")).await?;
    let text = "x".repeat(10_000);
    for sent in 1..10_000 {
        if let Err(error) = messenger.send(message("alice", "bob", &text)).await {
            return Ok((first, sent, error));
        }
    }
    Err("the disk did not fill".into())
}

fn full(disk: &Disk) -> std::pin::Pin<Box<dyn Future<Output = Result> + '_>> {
    Box::pin(async move {
        let messenger = Messenger::new(SqliteStore::open(&disk.0)?);
        let (first, acknowledged, error) = send_until_it_fails(&messenger).await?;
        ensure(error.kind() == ErrorKind::Unavailable, format!("{error:?}"))?;
        ensure(error.outcome().is_some(), format!("no outcome: {error:?}"))?;
        // Reads go on, and what was acknowledged is there.
        let held = history(&messenger, &first).await?;
        ensure(
            held.len() >= acknowledged,
            "an acknowledged message is missing",
        )?;
        let unknown = usize::from(error.outcome() == Some(Outcome::Unknown));
        ensure(
            held.len() <= acknowledged + unknown,
            "a refused message is there",
        )?;

        disk.remount("size=64m")?;
        messenger.health().await?;
        messenger
            .send(message("bob", "alice", "space again"))
            .await?;
        views_agree(&messenger, &first).await
    })
}

/// A disk that is read-only from the start; one with open files cannot become so.
fn read_only(disk: &Disk) -> std::pin::Pin<Box<dyn Future<Output = Result> + '_>> {
    Box::pin(async move {
        let messenger = Messenger::new(SqliteStore::open(&disk.0)?);
        let first = messenger.send(message("alice", "bob", "first")).await?;
        drop(messenger);
        disk.remount("ro")?;
        let error = SqliteStore::open(&disk.0).unwrap_err();
        ensure(error.kind() == ErrorKind::Unavailable, format!("{error:?}"))?;
        disk.remount("rw")?;
        let messenger = Messenger::new(SqliteStore::open(&disk.0)?);
        messenger.send(message("alice", "bob", "second")).await?;
        views_agree(&messenger, &first).await
    })
}
