//! A child process that sends until it is killed, and says what was acknowledged.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use messenger_core::{MessageId, Messenger};
use messenger_sqlite::SqliteStore;

use crate::world::{Result, message, runtime, user};

const DIRECTORY: &str = "MESSENGER_SQLITE_CHILD";

/// The number of senders of a child. Each has a conversation of its own, with "hub".
pub(crate) const SENDERS: usize = 8;

/// Returns the directory if this process is a child.
pub(crate) fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

/// Sends, edits, unsends and marks until the process is killed. Prints a line for each message that
/// was acknowledged, and for each one that was unsent.
pub(crate) fn run(directory: &Path) {
    runtime().block_on(async {
        let messenger = Messenger::new(SqliteStore::open(directory).unwrap());
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| tokio::spawn(send(messenger.clone(), format!("user{number}"))))
            .collect();
        for sender in senders {
            let _ = sender.await;
        }
    });
}

async fn send(messenger: Messenger, name: String) {
    // The parent may be gone; then this ends.
    let say = |line: String| std::io::stdout().write_all(line.as_bytes()).is_ok();
    for number in 0.. {
        let text = format!("secret-{name}-{number}");
        let Ok(sent) = messenger.send(message(&name, "hub", &text)).await else {
            continue;
        };
        if !say(format!("sent {name} {}\n", sent.id())) {
            return;
        }
        let (conversation, id) = (sent.conversation_id(), sent.id());
        let done = match number % 3 {
            0 => messenger
                .unsend(conversation, id, &user(&name))
                .await
                .is_ok(),
            1 => {
                let (name, text) = (user(&name), "edited".parse().unwrap());
                let _ = messenger.edit(conversation, id, &name, text).await;
                continue;
            }
            _ => {
                let _ = messenger.mark_read(conversation, &user("hub"), id).await;
                continue;
            }
        };
        if done && !say(format!("unsent {name} {id}\n")) {
            return;
        }
    }
}

/// What a child said before it was killed.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The name of the sender and the id of each message.
    pub(crate) sent: Vec<(String, MessageId)>,
    pub(crate) unsent: Vec<(String, MessageId)>,
}

/// Starts a child on a directory, kills it with SIGKILL after a while, and returns what it said.
pub(crate) fn killed_after(directory: &Path, time: Duration) -> Result<Said> {
    let mut child = Command::new(std::env::current_exe()?)
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()?;
    let said = listen(&mut child, time);
    // `listen` has killed it; this waits for its end.
    child.wait()?;
    said
}

fn listen(child: &mut Child, time: Duration) -> Result<Said> {
    let stdout = child.stdout.take().ok_or("the child has no stdout")?;
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(stdout)
            .lines()
            .map_while(std::result::Result::ok);
        lines.collect::<Vec<_>>()
    });
    std::thread::sleep(time);
    child.kill()?;
    let lines = reader.join().map_err(|_| "the reader panicked")?;
    let mut said = Said::default();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        // The last line may be cut off.
        let [what, name, id] = words[..] else {
            continue;
        };
        let Ok(id) = id.parse() else { continue };
        match what {
            "sent" => said.sent.push((name.to_owned(), id)),
            "unsent" => said.unsent.push((name.to_owned(), id)),
            _ => {}
        }
    }
    Ok(said)
}
