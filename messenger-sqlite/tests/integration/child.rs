//! A child process that sends until it is killed, or some messages, and says what was acknowledged.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use messenger_core::{MessageId, Messenger};
use messenger_sqlite::SqliteStore;

use crate::said::{Act, EDITED, Said};
use crate::world::{Result, message, runtime, user};

const DIRECTORY: &str = "MESSENGER_SQLITE_CHILD";
const ROUNDS: &str = "MESSENGER_SQLITE_CHILD_ROUNDS";

/// The number of senders of a child. Each has a conversation of its own, with "hub".
pub(crate) const SENDERS: usize = 8;

/// The number of messages of each sender in a round.
const ROUND: usize = 60;

/// Returns the command of a child that works on a directory until it is killed.
pub(crate) fn endless(directory: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(DIRECTORY, directory);
    Ok(command)
}

/// Makes the command that of a child that opens the store, sends some messages and closes it, this
/// many times.
pub(crate) fn with_rounds(command: &mut Command, rounds: usize) -> &mut Command {
    command.env(ROUNDS, rounds.to_string())
}

/// Returns the directory if this process is a child.
pub(crate) fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

/// Sends, edits, unsends and marks. Prints a line for each write that was acknowledged.
pub(crate) fn run(directory: &Path) {
    let rounds = std::env::var(ROUNDS).map(|rounds| rounds.parse::<usize>().unwrap());
    let (rounds, messages) = rounds.map_or((1, usize::MAX), |rounds| (rounds, ROUND));
    for _ in 0..rounds {
        runtime().block_on(async {
            let messenger = Messenger::new(SqliteStore::open(directory).unwrap());
            let senders: Vec<_> = (0..SENDERS)
                .map(|n| tokio::spawn(send(messenger.clone(), format!("user{n}"), messages)))
                .collect();
            for sender in senders {
                let _ = sender.await;
            }
        });
    }
}

async fn send(messenger: Messenger, name: String, messages: usize) {
    // The parent may be gone; then this ends.
    let say = |act: Act, id: MessageId| {
        let line = act.line(&name, id);
        std::io::stdout().write_all(line.as_bytes()).is_ok()
    };
    let (sender, hub) = (user(&name), user("hub"));
    for number in 0..messages {
        let text = format!("secret-{name}-{number}");
        let Ok(sent) = messenger.send(message(&name, "hub", &text)).await else {
            continue;
        };
        let (conversation, id) = (sent.conversation_id(), sent.id());
        if !say(Act::Sent, id) {
            return;
        }
        let (act, done) = match number % 3 {
            0 => {
                let unsent = messenger.unsend(conversation, id, &sender).await;
                (Act::Unsent, unsent.is_ok())
            }
            1 => {
                let text = EDITED.parse().unwrap();
                let edited = messenger.edit(conversation, id, &sender, text).await;
                (Act::Edited, edited.is_ok())
            }
            _ => {
                let marked = messenger.mark_read(conversation, &hub, id).await;
                (Act::Marked, marked.is_ok())
            }
        };
        if done && !say(act, id) {
            return;
        }
    }
}

/// Starts a child on a directory, kills it with SIGKILL after a while, and returns what it said.
pub(crate) fn killed_after(directory: &Path, time: Duration) -> Result<Said> {
    let mut child = endless(directory)?.stdout(Stdio::piped()).spawn()?;
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
        said.hear(&line);
    }
    Ok(said)
}
