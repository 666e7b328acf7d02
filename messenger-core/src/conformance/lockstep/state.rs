//! The state of a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::conformance::fixture::{NOON, Names};
use crate::conformance::gate::{Gate, HeldWrite};
use crate::conformance::manual_time::ManualTime;
use crate::conformance::{Failure, TestStore};
use crate::store::{MAX_KEY_AGE, Store as _};
use crate::{
    Clock, ConversationId, InboxEntry, Message, MessageId, Messenger, MessengerOptions, NewMessage,
    Prepared, Sent, Timestamp, UserId,
};

use super::call::{Label, SERVERS, USERS, User, Write};
use super::reader::Reader;
use super::tee::Tee;

/// The greatest difference between a server's clock and the true time.
const MAX_SKEW: Duration = Duration::from_secs(1);

/// The greatest step back of the system clock. Together with the clocks' differences it is less than
/// the [`Clock::MAX_AHEAD`] at which writes are refused.
const MAX_STEP_BACK: Duration = Duration::from_secs(2);

pub(super) struct Driver {
    pub(super) users: Vec<UserId>,
    pub(super) tee: Arc<Tee>,
    pub(super) gate: Gate,
    pub(super) time: ManualTime,
    /// The latest time that there was.
    pub(super) latest: Timestamp,
    pub(super) max_step_back: Duration,
    /// The time for which a write may be held; `None` if only one server writes.
    pub(super) write_timeout: Option<Duration>,
    pub(super) servers: Vec<Messenger>,
    /// The least label that nothing has.
    pub(super) next_label: Label,
    /// Messages as they were first sent.
    pub(super) messages: BTreeMap<Label, Message>,
    pub(super) prepared: BTreeMap<Label, Prepared>,
    pub(super) keys: BTreeMap<(User, u8), Keyed>,
    pub(super) held: BTreeMap<Label, Held>,
    pub(super) clients: BTreeMap<Label, Box<dyn Reader>>,
    pub(super) log: Vec<String>,
}

/// The first send under a key.
pub(super) struct Keyed {
    pub(super) to: User,
    pub(super) text: u8,
    /// `None` as long as no send under the key has returned.
    pub(super) id: Option<MessageId>,
}

/// A write that is on its way.
pub(super) struct Held {
    pub(super) write: HeldWrite<Written>,
    pub(super) label: Label,
    pub(super) of: Write,
    pub(super) since: Timestamp,
}

/// The result of a write.
pub(super) enum Written {
    Message(Message),
    Sent(Sent),
    Entry(InboxEntry),
}

impl Driver {
    pub(super) fn new(stores: Vec<(String, TestStore)>) -> Result<Self, Failure> {
        let names = Names::new();
        let users = USERS.iter().map(|user| names.user(user));
        let tee = Arc::new(Tee::new(stores));
        let gate = Gate::new();
        let start = Timestamp::saturating_from_millis(NOON.into());
        let time = ManualTime::at(start);

        // If other processes write too, the settle time is shared out: a quarter for the clocks'
        // differences, twice, a quarter for steps back, and the rest for writes.
        let settle = tee.settle();
        let several = !settle.is_zero();
        let skew = MAX_SKEW.min(settle / 8);
        let clocks = [ahead(&time, skew), behind(&time, skew)];
        let servers = clocks.into_iter().take(if several { SERVERS } else { 1 });
        Ok(Self {
            users: users.collect::<Result<_, _>>()?,
            servers: servers
                .map(|clock| {
                    let options = MessengerOptions::new()
                        .with_clock(clock)
                        .with_edit_window(None);
                    Messenger::with_options(gate.before(Arc::clone(&tee)), options)
                })
                .collect(),
            tee,
            gate,
            latest: start,
            time,
            max_step_back: if several {
                MAX_STEP_BACK.min(settle / 4)
            } else {
                MAX_STEP_BACK
            },
            write_timeout: several.then(|| (settle / 2).saturating_sub(MAX_KEY_AGE)),
            next_label: 0,
            messages: BTreeMap::new(),
            prepared: BTreeMap::new(),
            keys: BTreeMap::new(),
            held: BTreeMap::new(),
            clients: BTreeMap::new(),
            log: Vec::new(),
        })
    }

    pub(super) fn new_message(
        &self,
        from: User,
        to: User,
        text: String,
    ) -> Result<NewMessage, Failure> {
        let (from, to) = (self.users[from].clone(), self.users[to].clone());
        Ok(NewMessage::new(from, to, text)?)
    }

    pub(super) fn conversation_of(&self, one: User, two: User) -> ConversationId {
        ConversationId::direct(&self.users[one], &self.users[two])
    }
}

/// Returns a clock that runs ahead of a time.
fn ahead(time: &ManualTime, by: Duration) -> Clock {
    let time = time.clone();
    Clock::with_source(move || time.system() + by)
}

/// Returns a clock that runs behind a time.
fn behind(time: &ManualTime, by: Duration) -> Clock {
    let time = time.clone();
    Clock::with_source(move || time.system() - by)
}
