//! Lists of calls, made up so that they make sense: a cursor is of a page that was read, a send
//! that is released was held.
//!
//! What calls refer to has a number that it keeps while a list is shortened.

use std::fmt;

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use crate::testing::Point;
use crate::testing::stage::{DAY, NOON};

/// A user, by number.
pub(super) type Who = usize;
/// What a call made and later ones refer to: a message, a page, a client.
pub(super) type Label = u32;

pub(super) const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Times of imports and bounds, in milliseconds before noon, with few values so that they tie.
const AGO: [u64; 6] = [10_000, 10_001, 3_600_000, 3 * DAY, 40 * DAY, 4_000 * DAY];

/// A list that can be paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    History(Who, Who),
    Inbox(Who),
}

/// Where a page begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    Start,
    /// From the cursor `next` of a page, if it had one.
    Next(Label),
    /// From the cursor `prev` of a page.
    Prev(Label),
}

#[derive(Clone, Debug)]
pub(super) enum Call {
    Send {
        label: Label,
        from: Who,
        to: Who,
        long: bool,
    },
    SendOnce {
        label: Label,
        from: Who,
        to: Who,
        key: u8,
        text: u8,
    },
    Import {
        label: Label,
        from: Who,
        to: Who,
        ago: u64,
        sequence: u16,
        name: u8,
    },
    Hold {
        label: Label,
        from: Who,
        to: Who,
        point: Point,
    },
    Release(Label),
    Drop(Label),
    Pass {
        millis: u64,
    },
    StepBack {
        millis: u64,
    },
    Page {
        label: Label,
        list: Listed,
        from: From,
        limit: u64,
        before: Option<u64>,
    },
    Stray {
        page: Label,
        list: Listed,
    },
    Message {
        of: Label,
        one: Who,
        two: Who,
    },
    Conversation(Who, Who),
    Follow {
        label: Label,
        list: Listed,
        limit: u64,
    },
    CatchUp(Label),
}

impl Call {
    /// What figures count it as.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::SendOnce { .. } => "keyed send",
            Self::Import { .. } => "import",
            Self::Hold { .. } => "held send",
            Self::Release(_) => "release",
            Self::Drop(_) => "dropped send",
            Self::Pass { .. } => "time passes",
            Self::StepBack { .. } => "clock steps back",
            Self::Page {
                from: From::Start, ..
            } => "first page",
            Self::Page {
                from: From::Next(_),
                ..
            } => "older page",
            Self::Page {
                from: From::Prev(_),
                ..
            } => "newer page",
            Self::Stray { .. } => "stray cursor",
            Self::Message { .. } => "message",
            Self::Conversation(..) => "conversation",
            Self::Follow { .. } => "walk",
            Self::CatchUp(_) => "catch-up",
        }
    }
}

impl Call {
    /// The message that is in the stores, or may be, when the call is done.
    pub(super) fn written(&self) -> Option<Label> {
        match *self {
            Self::Send { label, .. }
            | Self::SendOnce { label, .. }
            | Self::Import { label, .. }
            | Self::Hold { label, .. }
            | Self::Release(label) => Some(label),
            _ => None,
        }
    }
}

/// What has been made so far, and can be referred to.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    next: Label,
    messages: Vec<Label>,
    held: Vec<Label>,
    pages: Vec<(Label, Listed)>,
    clients: Vec<Label>,
}

impl Script {
    fn list_of(&self, page: Label) -> Option<Listed> {
        let found = self.pages.iter().find(|(label, _)| *label == page);
        found.map(|&(_, list)| list)
    }
}

impl ReferenceStateMachine for Script {
    type State = Self;
    type Transition = Call;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(script: &Self) -> BoxedStrategy<Call> {
        let mut calls = vec![
            (5, sends(script.next)),
            (2, keyed_sends(script.next)),
            (3, imports(script.next)),
            (2, holds(script.next)),
            (2, times()),
            (4, first_pages(script.next)),
            (
                1,
                pair()
                    .prop_map(|(one, two)| Call::Conversation(one, two))
                    .boxed(),
            ),
            (1, follows(script.next)),
        ];
        if !script.messages.is_empty() {
            calls.push((1, messages(script.messages.clone())));
        }
        if !script.held.is_empty() {
            calls.push((3, releases(script.held.clone())));
        }
        if !script.pages.is_empty() {
            calls.push((9, more_pages(script.next, script.pages.clone())));
            calls.push((1, strays(script.pages.clone())));
        }
        if !script.clients.is_empty() {
            let clients = script.clients.clone();
            calls.push((
                3,
                prop::sample::select(clients)
                    .prop_map(Call::CatchUp)
                    .boxed(),
            ));
        }
        prop::strategy::Union::new_weighted(calls).boxed()
    }

    fn apply(mut script: Self, call: &Call) -> Self {
        let mut made = |label: Label| script.next = script.next.max(label + 1);
        match *call {
            Call::Send { label, .. }
            | Call::SendOnce { label, .. }
            | Call::Import { label, .. } => {
                made(label);
                script.messages.push(label);
            }
            Call::Hold { label, .. } => {
                made(label);
                script.messages.push(label);
                script.held.push(label);
            }
            Call::Release(label) | Call::Drop(label) => script.held.retain(|&held| held != label),
            Call::Page { label, list, .. } => {
                made(label);
                script.pages.push((label, list));
            }
            Call::Follow { label, .. } => {
                made(label);
                script.clients.push(label);
            }
            Call::Pass { .. }
            | Call::StepBack { .. }
            | Call::Stray { .. }
            | Call::Message { .. }
            | Call::Conversation(..)
            | Call::CatchUp(_) => {}
        }
        script
    }

    fn preconditions(script: &Self, call: &Call) -> bool {
        match *call {
            Call::Release(label) | Call::Drop(label) => script.held.contains(&label),
            Call::Page {
                list,
                from: From::Next(page) | From::Prev(page),
                ..
            } => script.list_of(page) == Some(list),
            Call::Stray { page, list } => script.list_of(page).is_some_and(|of| of != list),
            Call::Message { of, .. } => script.messages.contains(&of),
            Call::CatchUp(client) => script.clients.contains(&client),
            _ => true,
        }
    }
}

/// Two different users.
fn pair() -> impl Strategy<Value = (Who, Who)> {
    (0..USERS.len(), 1..USERS.len()).prop_map(|(one, step)| (one, (one + step) % USERS.len()))
}

fn listed() -> impl Strategy<Value = Listed> {
    prop_oneof![
        pair().prop_map(|(one, two)| Listed::History(one.min(two), one.max(two))),
        (0..USERS.len()).prop_map(Listed::Inbox),
    ]
}

fn limit() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 1..=4_u64, 1 => Just(100)]
}

fn before() -> impl Strategy<Value = Option<u64>> {
    let around = prop::sample::select(AGO.to_vec()).prop_map(|ago| NOON - ago + 1);
    let near = (0..6_u64).prop_map(|millis| NOON + millis);
    let ahead = Just(NOON + DAY);
    let any = prop_oneof![2 => around, 3 => near, 1 => ahead];
    prop_oneof![4 => Just(None), 1 => any.prop_map(Some)]
}

fn sends(label: Label) -> BoxedStrategy<Call> {
    (pair(), prop::bool::weighted(0.1))
        .prop_map(move |((from, to), long)| Call::Send {
            label,
            from,
            to,
            long,
        })
        .boxed()
}

fn keyed_sends(label: Label) -> BoxedStrategy<Call> {
    (pair(), 0..2_u8, prop::bool::weighted(0.2))
        .prop_map(move |((from, to), key, text)| Call::SendOnce {
            label,
            from,
            to,
            key,
            text: text.into(),
        })
        .boxed()
}

fn imports(label: Label) -> BoxedStrategy<Call> {
    let ago = prop::sample::select(AGO.to_vec());
    (pair(), ago, 0..2_u16, 0..3_u8)
        .prop_map(move |((one, two), ago, sequence, name)| Call::Import {
            label,
            // Always written by the same one of the two: the same import must be the same message.
            from: one.min(two),
            to: one.max(two),
            ago,
            sequence,
            name,
        })
        .boxed()
}

fn holds(label: Label) -> BoxedStrategy<Call> {
    let point = prop_oneof![3 => Just(Point::Before), 1 => Just(Point::After)];
    (pair(), point)
        .prop_map(move |((from, to), point)| Call::Hold {
            label,
            from,
            to,
            point,
        })
        .boxed()
}

fn releases(held: Vec<Label>) -> BoxedStrategy<Call> {
    (prop::sample::select(held), prop::bool::weighted(0.2))
        .prop_map(|(label, drop)| {
            if drop {
                Call::Drop(label)
            } else {
                Call::Release(label)
            }
        })
        .boxed()
}

fn times() -> BoxedStrategy<Call> {
    let passes = prop_oneof![4 => 1..=3_u64, 1 => Just(5_000), 1 => Just(11 * DAY)];
    prop_oneof![
        3 => passes.prop_map(|millis| Call::Pass { millis }),
        1 => (1..=800_u64).prop_map(|millis| Call::StepBack { millis }),
    ]
    .boxed()
}

fn first_pages(label: Label) -> BoxedStrategy<Call> {
    (listed(), limit(), before())
        .prop_map(move |(list, limit, before)| Call::Page {
            label,
            list,
            from: From::Start,
            limit,
            before,
        })
        .boxed()
}

fn more_pages(label: Label, pages: Vec<(Label, Listed)>) -> BoxedStrategy<Call> {
    let from = (prop::sample::select(pages), prop::bool::weighted(0.6));
    (from, limit(), before())
        .prop_map(move |(((page, list), newer), limit, before)| Call::Page {
            label,
            list,
            from: if newer {
                From::Prev(page)
            } else {
                From::Next(page)
            },
            limit,
            before,
        })
        .boxed()
}

fn strays(pages: Vec<(Label, Listed)>) -> BoxedStrategy<Call> {
    (prop::sample::select(pages), listed())
        .prop_filter("the cursor's own list", |((_, of), list)| of != list)
        .prop_map(|((page, _), list)| Call::Stray { page, list })
        .boxed()
}

fn messages(made: Vec<Label>) -> BoxedStrategy<Call> {
    (prop::sample::select(made), pair())
        .prop_map(|(of, (one, two))| Call::Message { of, one, two })
        .boxed()
}

fn follows(label: Label) -> BoxedStrategy<Call> {
    (listed(), limit())
        .prop_map(move |(list, limit)| Call::Follow { label, list, limit })
        .boxed()
}

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
