//! The writes and syncs of a process on the files of a store, and the lines that it printed meanwhile,
//! recorded by strace.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::world::{Result, ensure};

/// An event, at the moment when the call returned.
#[derive(Debug)]
pub(crate) enum Event {
    Created {
        file: String,
    },
    Removed {
        file: String,
    },
    Written {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: String,
        len: usize,
    },
    /// The file is on the disk as it was after the first `from` events.
    Synced {
        file: String,
        from: usize,
    },
    /// The names of the directory are on the disk as they were after the first `from` events.
    DirectorySynced {
        from: usize,
    },
    /// The names of a directory above that one are on the disk.
    ParentSynced {
        directory: PathBuf,
    },
    /// The process wrote to its standard output.
    Said {
        text: String,
    },
}

/// Returns whether strace is installed and allowed.
pub(crate) fn is_available() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-e", "trace=none", "true"]);
    let status = strace.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a program to its end, and returns what happened to the files of a store meanwhile.
pub(crate) fn record(program: &Command, directory: &Path) -> Result<Vec<Event>> {
    let output = tempfile::NamedTempFile::new()?;
    let mut strace = Command::new("strace");
    strace
        // Threads too; paths of descriptors; every byte, in hexadecimal.
        .args(["-f", "-y", "-xx", "-s", "1000000", "-o"])
        .arg(output.path())
        .args([
            "-e",
            concat!(
                "trace=openat,write,pwrite64,ftruncate,fallocate,",
                "fsync,fdatasync,unlink,rename"
            ),
        ])
        .arg(program.get_program())
        .stdout(Stdio::null());
    for (name, value) in program.get_envs() {
        strace.env(name, value.unwrap_or_default());
    }
    let status = strace.status()?;
    ensure(status.success(), format!("the program ended with {status}"))?;
    let mut recorder = Recorder {
        directory: directory.canonicalize()?,
        unfinished: HashMap::new(),
        events: Vec::new(),
    };
    for line in std::fs::read_to_string(output.path())?.lines() {
        recorder.line(line)?;
    }
    Ok(recorder.events)
}

struct Recorder {
    directory: PathBuf,
    /// The calls that have not returned, by thread: the beginning of the line, and the number of
    /// events before it.
    unfinished: HashMap<String, (String, usize)>,
    events: Vec<Event>,
}

impl Recorder {
    fn line(&mut self, line: &str) -> Result {
        let (thread, call) = line.split_once(' ').ok_or("a line without a thread")?;
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            let begun = (begun.to_owned(), self.events.len());
            self.unfinished.insert(thread.to_owned(), begun);
            return Ok(());
        }
        if call.starts_with("<... ") {
            let begun = self.unfinished.remove(thread);
            let (begun, from) = begun.ok_or("an end without a beginning")?;
            let (_, rest) = call.split_once("resumed>").ok_or("no end of a call")?;
            return self.call(&format!("{begun}{rest}"), from);
        }
        self.call(call, self.events.len())
    }

    fn call(&mut self, call: &str, from: usize) -> Result {
        // Signals and ends of threads are no calls.
        let Some((name, rest)) = call.split_once('(') else {
            return Ok(());
        };
        let Some((arguments, result)) = rest.rsplit_once('=') else {
            return Ok(());
        };
        let result = result.trim();
        if result.starts_with('-') || result.starts_with('?') {
            return Ok(());
        }
        // All strings are hexadecimal, so these are not part of one.
        let arguments = arguments.trim_end().trim_end_matches(')');
        let arguments: Vec<&str> = arguments.split(", ").collect();
        let number = |index: usize| -> Result<usize> {
            let number = arguments.get(index).ok_or("an argument is missing")?;
            number.parse().map_err(|_| format!("{number}?").into())
        };
        let events = &mut self.events;
        match (name, &arguments[..]) {
            ("openat", [_, path, flags, ..]) if flags.contains("O_CREAT") => {
                let file = file(&self.directory, &decoded(path)?);
                events.extend(file.map(|file| Event::Created { file }));
            }
            ("unlink", [path]) => {
                let file = file(&self.directory, &decoded(path)?);
                events.extend(file.map(|file| Event::Removed { file }));
            }
            ("write", [output, text, _]) if output.starts_with("1<") => {
                let text = String::from_utf8(decoded(text)?)?;
                events.push(Event::Said { text });
            }
            (_, [descriptor, rest @ ..]) => {
                let Some((_, path)) = descriptor.split_once('<') else {
                    return Ok(());
                };
                let path = decoded(path)?;
                if name.ends_with("sync") {
                    let synced = Path::new(std::str::from_utf8(&path)?);
                    if synced == self.directory {
                        events.push(Event::DirectorySynced { from });
                    } else if self.directory.starts_with(synced) {
                        let directory = synced.to_owned();
                        events.push(Event::ParentSynced { directory });
                    }
                }
                let Some(file) = file(&self.directory, &path) else {
                    return Ok(());
                };
                events.push(match (name, rest) {
                    ("fsync" | "fdatasync", []) => Event::Synced { file, from },
                    ("ftruncate", [_]) => Event::Cut {
                        file,
                        len: number(1)?,
                    },
                    ("pwrite64", [bytes, len, _]) if *len == result => Event::Written {
                        file,
                        at: number(3)?,
                        bytes: decoded(bytes)?,
                    },
                    ("openat", _) => return Ok(()),
                    _ => return Err(format!("this is not understood: {name}").into()),
                });
            }
            _ => {}
        }
        Ok(())
    }
}

/// Returns the name of a file of the database. What SQLite needs of `-shm` after a crash it builds
/// anew.
fn file(directory: &Path, path: &[u8]) -> Option<String> {
    let path = Path::new(std::str::from_utf8(path).ok()?);
    let name = path.file_name()?.to_str()?;
    let ours = path.parent()? == directory && name.starts_with("messenger.db");
    (ours && !name.ends_with("-shm")).then(|| name.to_owned())
}

/// Returns the bytes of `"\x61\x62"` or `\x61\x62>`.
fn decoded(text: &str) -> Result<Vec<u8>> {
    let text = text.trim_matches(['"', '<', '>']).as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    let byte = |byte: &[u8]| match *byte {
        [b'\\', b'x', high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<_> = text.chunks(4).map(byte).collect();
    bytes.ok_or_else(|| "a string of strace is not hexadecimal".into())
}
