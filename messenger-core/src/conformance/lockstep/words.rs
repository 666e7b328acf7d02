//! Calls as a person would note them down.

use std::fmt;

use crate::testing::Point;
use crate::testing::stage::{DAY, NOON};

use super::script::{Call, From, Listed, USERS};

/// Milliseconds, or days where it is whole ones.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            days if days > 0 && days % DAY == 0 => write!(f, "{} days", days / DAY),
            millis => write!(f, "{millis} ms"),
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::History(one, two) => write!(f, "history of {}+{}", USERS[one], USERS[two]),
            Self::Inbox(user) => write!(f, "inbox of {}", USERS[user]),
        }
    }
}

/// As a person would note it down: `m3 alice -> bob`, `p5 history of alice+bob, newer than p2`.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Send {
                label,
                from,
                to,
                long,
            } => {
                let long = if long { ", a long text" } else { "" };
                write!(f, "m{label}: {} -> {}{long}", USERS[from], USERS[to])
            }
            Self::SendOnce {
                label,
                from,
                to,
                key,
                text,
            } => write!(
                f,
                "m{label}: {} -> {} under the key k{key}, text {text}",
                USERS[from], USERS[to]
            ),
            Self::Import {
                label,
                from,
                to,
                ago,
                sequence,
                name,
            } => write!(
                f,
                "m{label}: import {} -> {}, {} before the start, number {sequence}, name {name}",
                USERS[from],
                USERS[to],
                Millis(ago)
            ),
            Self::Hold {
                label,
                from,
                to,
                point,
            } => {
                let point = match point {
                    Point::Before => "before it is stored",
                    Point::After => "before it is acknowledged",
                };
                write!(
                    f,
                    "m{label}: {} -> {}, held {point}",
                    USERS[from], USERS[to]
                )
            }
            Self::Release(label) => write!(f, "m{label} goes on"),
            Self::Drop(label) => write!(f, "m{label} is dropped"),
            Self::Pass { millis } => write!(f, "{} pass", Millis(millis)),
            Self::StepBack { millis } => write!(f, "the clock steps back by {millis} ms"),
            Self::Page {
                label,
                list,
                from,
                limit,
                before,
            } => {
                write!(f, "p{label}: {list}")?;
                match from {
                    From::Start => {}
                    From::Next(page) => write!(f, ", older than p{page}")?,
                    From::Prev(page) => write!(f, ", newer than p{page}")?,
                }
                if let Some(before) = before {
                    match before.checked_sub(NOON) {
                        Some(after) => write!(f, ", before start + {}", Millis(after))?,
                        None => write!(f, ", before start - {}", Millis(NOON - before))?,
                    }
                }
                write!(f, ", limit {limit}")
            }
            Self::Stray { page, list } => write!(f, "a cursor of p{page} for the {list}"),
            Self::Message { of, one, two } => {
                write!(f, "m{of} by its id, in {}+{}", USERS[one], USERS[two])
            }
            Self::Conversation(one, two) => {
                write!(f, "conversation of {}+{}", USERS[one], USERS[two])
            }
            Self::Follow { label, list, limit } => {
                write!(f, "c{label}: walk through the {list}, limit {limit}")
            }
            Self::CatchUp(client) => write!(f, "c{client} catches up"),
        }
    }
}
