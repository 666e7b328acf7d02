//! Lists of calls, made up so that they make sense: a cursor is of a page that was read, a send
//! that is released was held.
//!
//! What calls refer to has a number that it keeps while a list is shortened.

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use crate::testing::Point;

use super::strategies;

/// A user, by number.
pub(super) type Who = usize;
/// What a call made and later ones refer to: a message, a page, a client.
pub(super) type Label = u32;

pub(super) const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

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
            (5, strategies::sends(script.next)),
            (2, strategies::keyed_sends(script.next)),
            (3, strategies::imports(script.next)),
            (2, strategies::holds(script.next)),
            (2, strategies::times()),
            (4, strategies::first_pages(script.next)),
            (
                1,
                strategies::pair()
                    .prop_map(|(one, two)| Call::Conversation(one, two))
                    .boxed(),
            ),
            (1, strategies::follows(script.next)),
        ];
        if !script.messages.is_empty() {
            calls.push((1, strategies::messages(script.messages.clone())));
        }
        if !script.held.is_empty() {
            calls.push((3, strategies::releases(script.held.clone())));
        }
        if !script.pages.is_empty() {
            calls.push((9, strategies::more_pages(script.next, script.pages.clone())));
            calls.push((1, strategies::strays(script.pages.clone())));
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
