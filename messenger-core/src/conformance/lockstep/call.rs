//! The generated calls, and how failures show them.

use std::fmt;

use crate::conformance::fixture::{DAY, NOON};
use crate::conformance::gate::Point;

/// A user, by number.
pub(super) type User = usize;
/// The number of a write, a message or a client. It stays the same while a sequence is shortened.
pub(super) type Label = u32;

pub(super) const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// The number of servers, if other processes may write to the stores.
pub(super) const SERVERS: usize = 2;

/// A call of one of the servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) server: usize,
    pub(super) action: Action,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// Assigns an id to a message without sending it.
    Prepare {
        label: Label,
        from: User,
        to: User,
    },
    /// Writes, and is held at a point on the way.
    Write {
        label: Label,
        write: Write,
        hold: Option<Point>,
    },
    /// Lets a held write continue.
    Release(Label),
    /// Drops the future of a held write.
    Drop(Label),
    Wait {
        millis: u64,
    },
    /// Steps the system clock back.
    StepBack {
        millis: u64,
    },
    /// Walks through a whole list.
    Walk {
        list: Listed,
        limit: u64,
    },
    /// Reads the messages before a time.
    Before {
        one: User,
        two: User,
        millis: u64,
        limit: u64,
    },
    /// Starts a client, which reads the first page.
    Open {
        label: Label,
        list: Listed,
        limit: u64,
    },
    /// Reads the next older page of a client.
    Older(Label),
    /// Follows `prev` of a client until a page is not full.
    CatchUp(Label),
    /// Reads a message by its id, in any conversation.
    Message {
        of: Label,
        one: User,
        two: User,
    },
    /// Reads what a user sees of a conversation.
    Entry {
        user: User,
        other: User,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Write {
    Send {
        from: User,
        to: User,
        long: bool,
    },
    /// Sends a prepared message.
    SendPrepared {
        message: Label,
    },
    /// Sends under an idempotency key.
    SendOnce {
        from: User,
        to: User,
        key: u8,
        text: u8,
    },
    Import {
        from: User,
        to: User,
        ago: u64,
        sequence: u16,
        name: u8,
    },
    Edit {
        message: Label,
        by: By,
        /// `true` if the new text is the one that it has.
        same: bool,
    },
    Unsend {
        message: Label,
        by: By,
    },
    Mark {
        message: Label,
        by: By,
    },
}

/// A participant of a message's conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Sender,
    Receiver,
}

/// A list that is read page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    History(User, User),
    Inbox(User),
}

impl Action {
    /// Returns the label that the call introduces.
    pub(super) fn label(&self) -> Option<Label> {
        match *self {
            Self::Prepare { label, .. } | Self::Write { label, .. } | Self::Open { label, .. } => {
                Some(label)
            }
            _ => None,
        }
    }

    /// Returns the kind of the call, by which figures count it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Prepare { .. } => "prepared send",
            Self::Write { write, .. } => match write {
                Write::Send { .. } | Write::SendPrepared { .. } => "send",
                Write::SendOnce { .. } => "keyed send",
                Write::Import { .. } => "import",
                Write::Edit { .. } => "edit",
                Write::Unsend { .. } => "unsend",
                Write::Mark { .. } => "mark",
            },
            Self::Release(_) => "release",
            Self::Drop(_) => "drop",
            Self::Wait { .. } => "wait",
            Self::StepBack { .. } => "clock step",
            Self::Walk { .. } => "walk",
            Self::Before { .. } => "page before a time",
            Self::Open { .. } => "first page",
            Self::Older(_) => "older page",
            Self::CatchUp(_) => "catch-up",
            Self::Message { .. } => "message",
            Self::Entry { .. } => "entry",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Prepare { label, from, to } => {
                write!(
                    f,
                    "m{label}: {} prepares a message to {}",
                    name(from),
                    name(to)
                )
            }
            Self::Write { label, write, hold } => {
                match write {
                    Write::Send { .. } | Write::SendOnce { .. } | Write::Import { .. } => {
                        write!(f, "m{label}: {write}")?;
                    }
                    _ => write!(f, "w{label}: {write}")?,
                }
                match hold {
                    None => Ok(()),
                    Some(Point::Before) => f.write_str(", held before it is stored"),
                    Some(Point::After) => f.write_str(", held before it is acknowledged"),
                }
            }
            Self::Release(label) => write!(f, "the held write {label} continues"),
            Self::Drop(label) => write!(f, "the held write {label} is dropped"),
            Self::Wait { millis } => write!(f, "{} pass", Millis(millis)),
            Self::StepBack { millis } => write!(f, "the clock steps back by {millis} ms"),
            Self::Walk { list, limit } => write!(f, "walk through the {list}, limit {limit}"),
            Self::Before {
                one,
                two,
                millis,
                limit,
            } => {
                let list = Listed::History(one, two);
                match millis.checked_sub(NOON) {
                    Some(after) => write!(f, "{list} before start + {}", Millis(after))?,
                    None => write!(f, "{list} before start - {}", Millis(NOON - millis))?,
                }
                write!(f, ", limit {limit}")
            }
            Self::Open { label, list, limit } => {
                write!(f, "c{label}: a client opens the {list}, limit {limit}")
            }
            Self::Older(client) => write!(f, "c{client} reads an older page"),
            Self::CatchUp(client) => write!(f, "c{client} catches up"),
            Self::Message { of, one, two } => {
                write!(f, "m{of} by its id in the {}", Listed::History(one, two))
            }
            Self::Entry { user, other } => {
                write!(f, "the entry of {} about {}", name(user), name(other))
            }
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Send { from, to, long } => {
                let long = if long { " a long text" } else { "" };
                write!(f, "{} sends {}{long}", name(from), name(to))
            }
            Self::SendPrepared { message } => write!(f, "m{message} is sent"),
            Self::SendOnce {
                from,
                to,
                key,
                text,
            } => write!(
                f,
                "{} sends {} text {text} under the key k{key}",
                name(from),
                name(to)
            ),
            Self::Import {
                from,
                to,
                ago,
                sequence,
                name: source,
            } => write!(
                f,
                "import of {} to {}, {} before the start, sequence {sequence}, source {source}",
                name(from),
                name(to),
                Millis(ago)
            ),
            Self::Edit { message, by, same } => {
                let same = if same { " to the same text" } else { "" };
                write!(f, "the {by} edits m{message}{same}")
            }
            Self::Unsend { message, by } => write!(f, "the {by} unsends m{message}"),
            Self::Mark { message, by } => write!(f, "the {by} has read up to m{message}"),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        })
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::History(one, two) => write!(f, "history of {} and {}", name(one), name(two)),
            Self::Inbox(user) => write!(f, "inbox of {}", name(user)),
        }
    }
}

/// Milliseconds, or days if it is a whole number of them.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            days if days > 0 && days % DAY == 0 => write!(f, "{} days", days / DAY),
            millis => write!(f, "{millis} ms"),
        }
    }
}

fn name(user: User) -> &'static str {
    USERS.get(user).copied().unwrap_or("nobody")
}
