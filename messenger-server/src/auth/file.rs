//! Keys in a file, which may be replaced while the server runs.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use messenger_http::jwt::{KeySource, Keys, KeysUnavailable};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tracing::{error, info};

use crate::report::with_causes;

/// The greatest length of keys, in bytes.
pub(super) const MAX_LEN: u64 = 1024 * 1024;

/// The time between two looks at the file. It is read, not watched: notifications do not arrive from
/// every file system, and a mounted Secret is replaced through a link.
const POLL: Duration = Duration::from_secs(2);

/// The keys in a file.
#[derive(Debug)]
pub(super) struct FileKeys(watch::Receiver<Keys>);

impl FileKeys {
    /// Reads the keys, and from now on whenever the file has changed.
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let text = contents(path).await?;
        let keys = parse(path, &text)?;
        let (sender, receiver) = watch::channel(keys);
        tokio::spawn(follow(path.to_owned(), text, sender));
        Ok(Self(receiver))
    }
}

#[async_trait]
impl KeySource for FileKeys {
    async fn keys(&self) -> Result<Keys, KeysUnavailable> {
        Ok(self.0.borrow().clone())
    }

    async fn refresh(&self) -> Result<Keys, KeysUnavailable> {
        self.keys().await
    }
}

/// Replaces the keys when the file has changed, until nobody needs them. If the new ones are not
/// valid, the old ones stay.
async fn follow(path: PathBuf, text: Vec<u8>, keys: watch::Sender<Keys>) {
    let mut seen = Ok(text);
    while !keys.is_closed() {
        tokio::time::sleep(POLL).await;
        let now = contents(&path).await.map_err(|error| with_causes(&error));
        if now == seen {
            continue;
        }
        let new = match &now {
            Ok(text) => parse(&path, text).map_err(|error| with_causes(&error)),
            Err(error) => Err(error.clone()),
        };
        match new {
            Ok(new) => {
                // Other keys drop the tokens that were verified; the same ones need not.
                let changed = keys.send_if_modified(|old| {
                    let differs = *old != new;
                    *old = new;
                    differs
                });
                if changed {
                    info!("the keys of tokens have been replaced");
                }
            }
            Err(error) => error!("{error}; the old keys stay in use"),
        }
        seen = now;
    }
}

async fn contents(path: &Path) -> Result<Vec<u8>> {
    let path = path.to_owned();
    spawn_blocking(move || read(&path)).await?
}

fn parse(path: &Path, text: &[u8]) -> Result<Keys> {
    Keys::parse(text).with_context(|| format!("the keys in {} are not accepted", path.display()))
}

/// Reads a file of keys.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let open = || -> std::io::Result<_> {
        let mut text = Vec::new();
        File::open(path)?.take(MAX_LEN + 1).read_to_end(&mut text)?;
        Ok(text)
    };
    let text = open().with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        text.len() as u64 <= MAX_LEN,
        "{} has more than {MAX_LEN} bytes",
        path.display()
    );
    Ok(text)
}
