//! Sequences of calls that make sense: an edit names a message that was made, a write that is
//! released was held.
//!
//! There are few users, times and keys, so that calls meet: equal times, used keys, imports that
//! are repeated.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use proptest_state_machine::ReferenceStateMachine;

use crate::conformance::fixture::{DAY, NOON};
use crate::conformance::gate::Point;

use super::call::{Action, By, Call, Label, Listed, SERVERS, USERS, User, Write};

/// Times of imports and bounds, in milliseconds before the start.
const AGO: [u64; 6] = [10_000, 10_001, 3_600_000, 3 * DAY, 40 * DAY, 4_000 * DAY];

/// The state of a sequence, to which later calls can refer.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequence {
    next: Label,
    messages: Vec<Label>,
    keyed: Vec<Write>,
    prepared: Vec<Label>,
    held: Vec<Label>,
    clients: Vec<Label>,
}

impl ReferenceStateMachine for Sequence {
    type State = Self;
    type Transition = Call;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(so_far: &Self) -> BoxedStrategy<Call> {
        let label = so_far.next;
        let mut actions = vec![
            (6, new_messages(label)),
            (2, imports(label)),
            (2, times()),
            (2, walks()),
            (1, pages_before_a_time()),
            (2, opens(label)),
            (1, entries()),
        ];
        if !so_far.messages.is_empty() {
            let messages = select(so_far.messages.clone()).boxed();
            actions.push((6, changes(label, messages.clone())));
            actions.push((1, reads_by_id(messages)));
        }
        if !so_far.keyed.is_empty() {
            let again = select(so_far.keyed.clone());
            actions.push((2, writes(label, again, hold())));
        }
        if !so_far.prepared.is_empty() {
            actions.push((2, sends_of_prepared(label, so_far.prepared.clone())));
        }
        if !so_far.held.is_empty() {
            actions.push((3, ends_of_held(so_far.held.clone())));
        }
        if !so_far.clients.is_empty() {
            let clients = select(so_far.clients.clone());
            let older = clients.clone().prop_map(Action::Older).boxed();
            let catch_up = clients.prop_map(Action::CatchUp).boxed();
            actions.extend([(2, older), (4, catch_up)]);
        }
        (0..SERVERS, Union::new_weighted(actions))
            .prop_map(|(server, action)| Call { server, action })
            .boxed()
    }

    fn apply(mut so_far: Self, call: &Call) -> Self {
        if let Some(label) = call.action.label() {
            so_far.next = so_far.next.max(label + 1);
        }
        match call.action {
            Action::Prepare { label, .. } => {
                so_far.prepared.push(label);
                so_far.messages.push(label);
            }
            Action::Write { label, write, hold } => {
                match write {
                    Write::SendOnce { .. } => {
                        so_far.messages.push(label);
                        so_far.keyed.push(write);
                    }
                    Write::Send { .. } | Write::Import { .. } => so_far.messages.push(label),
                    Write::SendPrepared { message } => {
                        so_far.prepared.retain(|&prepared| prepared != message);
                    }
                    Write::Edit { .. } | Write::Unsend { .. } | Write::Mark { .. } => {}
                }
                if hold.is_some() {
                    so_far.held.push(label);
                }
            }
            Action::Release(label) | Action::Drop(label) => {
                so_far.held.retain(|&held| held != label);
            }
            Action::Open { label, .. } => {
                so_far.clients.push(label);
            }
            _ => {}
        }
        so_far
    }

    fn preconditions(so_far: &Self, call: &Call) -> bool {
        match call.action {
            Action::Write {
                write: Write::SendPrepared { message },
                ..
            } => so_far.prepared.contains(&message),
            Action::Write {
                write:
                    Write::Edit { message, .. }
                    | Write::Unsend { message, .. }
                    | Write::Mark { message, .. },
                ..
            }
            | Action::Message { of: message, .. } => so_far.messages.contains(&message),
            Action::Release(label) | Action::Drop(label) => so_far.held.contains(&label),
            Action::Older(client) | Action::CatchUp(client) => so_far.clients.contains(&client),
            _ => true,
        }
    }
}

/// Two different users, often the first two.
fn pair() -> impl Strategy<Value = (User, User)> {
    let any =
        (0..USERS.len(), 1..USERS.len()).prop_map(|(one, step)| (one, (one + step) % USERS.len()));
    prop_oneof![3 => Just((0, 1)), 2 => Just((1, 0)), 5 => any]
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![3 => Just(By::Sender), 1 => Just(By::Receiver)]
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

fn hold() -> impl Strategy<Value = Option<Point>> {
    prop_oneof![
        4 => Just(None),
        2 => Just(Some(Point::Before)),
        1 => Just(Some(Point::After)),
    ]
}

fn writes(
    label: Label,
    writes: impl Strategy<Value = Write> + 'static,
    hold: impl Strategy<Value = Option<Point>> + 'static,
) -> BoxedStrategy<Action> {
    (writes, hold)
        .prop_map(move |(write, hold)| Action::Write { label, write, hold })
        .boxed()
}

fn new_messages(label: Label) -> BoxedStrategy<Action> {
    let send = (pair(), prop::bool::weighted(0.1)).prop_map(|((from, to), long)| Write::Send {
        from,
        to,
        long,
    });
    let keyed = (pair(), 0..2_u8, prop::bool::weighted(0.1)).prop_map(|((from, to), key, text)| {
        Write::SendOnce {
            from,
            to,
            key,
            text: text.into(),
        }
    });
    let prepare = pair().prop_map(move |(from, to)| Action::Prepare { label, from, to });
    prop_oneof![
        5 => writes(label, send, hold()),
        2 => writes(label, keyed, hold()),
        1 => prepare,
    ]
    .boxed()
}

fn sends_of_prepared(label: Label, prepared: Vec<Label>) -> BoxedStrategy<Action> {
    let send = select(prepared).prop_map(|message| Write::SendPrepared { message });
    writes(label, send, hold())
}

fn imports(label: Label) -> BoxedStrategy<Action> {
    let import = (pair(), select(AGO.to_vec()), 0..2_u16, 0..3_u8);
    let import = import.prop_map(|((one, two), ago, sequence, name)| Write::Import {
        // Always sent by the same one of the two, because the same import must be the same message.
        from: one.min(two),
        to: one.max(two),
        ago,
        sequence,
        name,
    });
    writes(label, import, Just(None))
}

fn changes(label: Label, messages: BoxedStrategy<Label>) -> BoxedStrategy<Action> {
    let edit = (messages.clone(), by(), prop::bool::weighted(0.1))
        .prop_map(|(message, by, same)| Write::Edit { message, by, same });
    let unsend = (messages.clone(), by()).prop_map(|(message, by)| Write::Unsend { message, by });
    let either = prop_oneof![Just(By::Sender), Just(By::Receiver)];
    let mark = (messages, either).prop_map(|(message, by)| Write::Mark { message, by });
    let change = prop_oneof![3 => edit, 2 => unsend, 3 => mark];
    writes(label, change, hold())
}

fn ends_of_held(held: Vec<Label>) -> BoxedStrategy<Action> {
    (select(held), prop::bool::weighted(0.3))
        .prop_map(|(label, drop)| {
            if drop {
                Action::Drop(label)
            } else {
                Action::Release(label)
            }
        })
        .boxed()
}

fn times() -> BoxedStrategy<Action> {
    let wait = prop_oneof![4 => 1..=3_u64, 2 => Just(600), 1 => Just(5_000), 1 => Just(11 * DAY)];
    prop_oneof![
        3 => wait.prop_map(|millis| Action::Wait { millis }),
        1 => (1..=800_u64).prop_map(|millis| Action::StepBack { millis }),
    ]
    .boxed()
}

fn walks() -> BoxedStrategy<Action> {
    (listed(), limit())
        .prop_map(|(list, limit)| Action::Walk { list, limit })
        .boxed()
}

fn pages_before_a_time() -> BoxedStrategy<Action> {
    let around_imports = select(AGO.to_vec()).prop_map(|ago| NOON - ago + 1);
    let around_sends = (0..6_u64).prop_map(|millis| NOON + millis);
    let later = Just(NOON + DAY);
    let millis = prop_oneof![2 => around_imports, 3 => around_sends, 1 => later];
    (pair(), millis, limit())
        .prop_map(|((one, two), millis, limit)| Action::Before {
            one: one.min(two),
            two: one.max(two),
            millis,
            limit,
        })
        .boxed()
}

fn opens(label: Label) -> BoxedStrategy<Action> {
    (listed(), limit())
        .prop_map(move |(list, limit)| Action::Open { label, list, limit })
        .boxed()
}

fn reads_by_id(messages: BoxedStrategy<Label>) -> BoxedStrategy<Action> {
    (messages, pair())
        .prop_map(|(of, (one, two))| Action::Message {
            of,
            one: one.min(two),
            two: one.max(two),
        })
        .boxed()
}

fn entries() -> BoxedStrategy<Action> {
    pair()
        .prop_map(|(user, other)| Action::Entry { user, other })
        .boxed()
}
