//! Power losses, simulated: the writes of a child are replayed up to some moment, and of those that
//! were not synced by then, some are lost.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use libtest_mimic::{Completion, Trial};
use messenger_core::Messenger;
use messenger_sqlite::SqliteStore;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::child;
use crate::said::{Act, Said};
use crate::trace::{self, Event};
use crate::world::{Result, ensure, message, runtime};

/// The number of power losses, unless `MESSENGER_SQLITE_POWER_LOSSES` says otherwise.
const LOSSES: u32 = 200;

/// The unit in which a disk writes. A write that was not synced is lost in any of these.
const SECTOR: usize = 512;

pub(crate) fn trials(trials: &mut Vec<Trial>) {
    let name = "power_loss::every_acknowledged_write_survives_power_loss";
    trials.push(Trial::ignorable_test(name, || {
        if !trace::is_available() {
            return Ok(Completion::ignored_with("recording writes needs strace"));
        }
        runtime().block_on(every_acknowledged_write_survives_power_loss())?;
        Ok(Completion::Completed)
    }));
}

async fn every_acknowledged_write_survives_power_loss() -> Result {
    let losses = std::env::var("MESSENGER_SQLITE_POWER_LOSSES");
    let losses = losses.map_or(Ok(LOSSES), |losses| losses.parse())?;
    let parent = tempfile::tempdir()?;
    let directory = parent.path().join("new").join("store");
    let mut child = child::endless(&directory)?;
    child::with_rounds(&mut child, 2);
    let events = trace::record(&child, &directory)?;

    let mut random = StdRng::seed_from_u64(13);
    // Anywhere, and in addition often at each event while the store is created.
    let created = events
        .iter()
        .position(|it| matches!(it, Event::Said { .. }));
    let created = created.ok_or("the child said nothing")?;
    for parent in directory.ancestors().skip(1).take(2) {
        let parent = parent.canonicalize()?;
        let is_synced = events[..created]
            .iter()
            .any(|it| matches!(it, Event::ParentSynced { directory } if *directory == parent));
        ensure(is_synced, "the name of a new directory was not synced")?;
    }
    let mut moments: Vec<usize> = (0..losses)
        .map(|_| random.random_range(created..events.len()))
        .chain((0..created).flat_map(|event| [event; 3]))
        .collect();
    moments.sort_unstable();
    let losses = moments.len();
    let (mut disk, mut said) = (Disk::default(), Said::default());
    let mut moments = moments.into_iter().peekable();
    for (index, event) in events.iter().enumerate() {
        while moments.next_if_eq(&index).is_some() {
            let kept = *[0.0, 0.5, 0.9, 1.0].get(random.random_range(0..4)).unwrap();
            let files = disk.after_power_loss(kept, &mut random);
            let checked = opens_with(&said, &files).await;
            checked.map_err(|error| {
                format!(
                    "power loss before event {index} of {}, with {kept} of what was not synced: {}",
                    events.len(),
                    error.message().unwrap_or_default()
                )
            })?;
        }
        disk.apply(index, event)?;
        if let Event::Said { text } = event {
            said.hear(text.trim_end());
        }
    }
    // The recording was complete: without a loss it is what the child left.
    for (file, bytes) in disk.after_power_loss(1.0, &mut random) {
        let left = fs::read(directory.join(&file))?;
        ensure(left == bytes, format!("{file} was recorded wrongly"))?;
    }
    let sent = said.count(Act::Sent);
    ensure(sent > 500, format!("only {sent} sends"))?;
    println!(
        "{losses} power losses, {} events, {sent} messages",
        events.len()
    );
    Ok(())
}

/// Checks that a store opens on some files, has all of the writes, and takes more.
async fn opens_with(said: &Said, files: &BTreeMap<String, Vec<u8>>) -> Result {
    let directory = tempfile::tempdir()?;
    for (file, bytes) in files {
        fs::write(directory.path().join(file), bytes)?;
    }
    let store = Arc::new(SqliteStore::open(&directory)?);
    said.is_in(&store).await?;
    let messenger = Messenger::new(Arc::clone(&store));
    messenger
        .send(message("user0", "hub", "afterwards"))
        .await?;
    said.is_in(&store).await
}

/// A disk that holds what was synced, and what may be lost.
#[derive(Debug, Default)]
struct Disk {
    files: Vec<File>,
    /// The files by name, as the process sees them: indices of `files`.
    seen: BTreeMap<String, usize>,
    /// The files by name, as they were synced.
    names: BTreeMap<String, usize>,
    /// Names that were given or removed since, each with the number of its event.
    renamed: Vec<(usize, String, Option<usize>)>,
}

#[derive(Debug, Default)]
struct File {
    synced: Vec<u8>,
    /// Changes since, each with the number of its event.
    changes: Vec<(usize, Change)>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut { len: usize },
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Cut { len } => to.resize(*len, 0),
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
        }
    }

    /// Splits a write at the boundaries of sectors.
    fn sectors(&self) -> Vec<Self> {
        let Self::Write { at, bytes } = self else {
            return vec![self.clone()];
        };
        let (mut at, mut bytes) = (*at, &bytes[..]);
        let mut sectors = Vec::new();
        while !bytes.is_empty() {
            let (sector, rest) = bytes.split_at(bytes.len().min(SECTOR - at % SECTOR));
            sectors.push(Self::Write {
                at,
                bytes: sector.to_vec(),
            });
            at += sector.len();
            bytes = rest;
        }
        sectors
    }
}

impl Disk {
    fn apply(&mut self, index: usize, event: &Event) -> Result {
        match event {
            Event::Created { file } => {
                if !self.seen.contains_key(file) {
                    let new = self.files.len();
                    self.files.push(File::default());
                    self.seen.insert(file.clone(), new);
                    self.renamed.push((index, file.clone(), Some(new)));
                }
            }
            Event::Removed { file } => {
                self.seen.remove(file);
                self.renamed.push((index, file.clone(), None));
            }
            Event::Written { file, at, bytes } => {
                let (at, bytes) = (*at, bytes.clone());
                let change = Change::Write { at, bytes };
                self.file(file)?.changes.push((index, change));
            }
            Event::Cut { file, len } => {
                let change = Change::Cut { len: *len };
                self.file(file)?.changes.push((index, change));
            }
            Event::Synced { file, from } => {
                let file = self.file(file)?;
                for (_, change) in file.changes.extract_if(.., |(index, _)| *index < *from) {
                    change.apply(&mut file.synced);
                }
            }
            Event::DirectorySynced { from } => {
                let synced = self.renamed.extract_if(.., |(index, ..)| *index < *from);
                for (_, name, file) in synced {
                    give(&mut self.names, name, file);
                }
            }
            Event::ParentSynced { .. } | Event::Said { .. } => {}
        }
        Ok(())
    }

    fn file(&mut self, name: &str) -> Result<&mut File> {
        let file = self.seen.get(name).map(|&file| &mut self.files[file]);
        file.ok_or_else(|| format!("{name} does not exist").into())
    }

    /// Returns the files after a power loss, where each name and each sector that was not synced is
    /// kept with a probability.
    fn after_power_loss(&self, kept: f64, random: &mut StdRng) -> BTreeMap<String, Vec<u8>> {
        let mut names = self.names.clone();
        for (_, name, file) in &self.renamed {
            if random.random_bool(kept) {
                give(&mut names, name.clone(), *file);
            }
        }
        let content = |file: usize, random: &mut StdRng| {
            let mut bytes = self.files[file].synced.clone();
            let changes = self.files[file].changes.iter();
            for change in changes.flat_map(|(_, change)| change.sectors()) {
                if random.random_bool(kept) {
                    change.apply(&mut bytes);
                }
            }
            bytes
        };
        let files = names.into_iter();
        files
            .map(|(name, file)| (name, content(file, random)))
            .collect()
    }
}

/// Gives a name to a file, or removes it.
fn give(names: &mut BTreeMap<String, usize>, name: String, file: Option<usize>) {
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}
