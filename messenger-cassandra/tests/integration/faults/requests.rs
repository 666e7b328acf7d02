//! Faults between store and node: the outcome of a write that failed is true, all views agree in the
//! end, and a retry brings the change into all of them.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use messenger_core::{
    Content, ErrorKind, IdempotencyKey, LogKey, Logged, Message, MessageId, Messenger, NewMessage,
    Outcome, Store,
};
use scylla::errors::{DbError, WriteType};
use scylla::statement::Consistency;
use scylla_proxy::RequestOpcode;

use crate::proxy::{Fault, Proxied};
use crate::world::{Pair, Verdict, World, case, entry_of, id, id_ago, marker, send, views};

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        case("faults::of_a_cold_send", |world| {
            puts(world, Write::Send, false)
        }),
        case("faults::of_a_warm_send", |world| {
            puts(world, Write::Send, true)
        }),
        case("faults::of_a_cold_edit", |world| {
            puts(world, Write::Edit, false)
        }),
        case("faults::of_a_warm_unsend", |world| {
            puts(world, Write::Unsend, true)
        }),
        case("faults::of_a_late_send", |world| {
            puts(world, Write::LateSend, false)
        }),
        case("faults::of_a_cold_marker", |world| marks(world, false)),
        case("faults::of_a_warm_marker", |world| marks(world, true)),
        case("faults::of_a_keyed_send", keyed_sends),
        case("faults::of_a_page", pages),
        case("faults::a_send_is_one_logged_batch", logged_batch),
        case(
            "faults::an_earlier_attempt_is_not_forgotten",
            earlier_attempt,
        ),
        case("faults::a_batch_with_one_log_is_written", logged_once),
        case(
            "faults::a_batch_with_one_log_may_not_be_written",
            logged_once_and_lost,
        ),
    ]
}

/// The number of requests of each call. A cold write reads both inboxes first, and inserts an index row for
/// each; after a put in the same epoch, an index row is known to be there.
const COLD_SEND: usize = 5;
const WARM_SEND: usize = 1;
const COLD_CHANGE: usize = 3;
const KEYED_SEND: usize = 1 + COLD_SEND;
const PAGE: usize = 2;

/// A put of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Send,
    Edit,
    Unsend,
    /// Under a fresh key, an epoch after its id.
    LateSend,
}

impl Write {
    /// Returns what was there before, and the version that is to be written with its key.
    fn versions(self, pair: &Pair) -> (Option<Message>, LogKey, Message) {
        let sent = pair.message(id(), "hello");
        let key = id();
        match self {
            Self::Send => (None, sent.id().into(), sent),
            Self::Edit => {
                let text = Content::new("edited").expect("a text");
                let edited = sent.edited(key.into(), text);
                (Some(sent), key.into(), edited)
            }
            Self::Unsend => {
                let unsent = sent.unsent(key.into());
                (Some(sent), key.into(), unsent)
            }
            Self::LateSend => {
                let late = pair.message(id_ago(Duration::from_secs(7 * 3600)), "late");
                (None, key.into(), late)
            }
        }
    }

    fn requests(self, is_warm: bool) -> usize {
        match (self, is_warm) {
            (_, true) => WARM_SEND,
            (Self::Send, false) => COLD_SEND,
            (Self::Edit | Self::Unsend, false) => COLD_CHANGE,
            // Two rows for each inbox: of its place and of its key.
            (Self::LateSend, false) => COLD_SEND + 2,
        }
    }
}

fn faults() -> Vec<Fault> {
    let required = Consistency::LocalQuorum;
    let errors = [
        DbError::Unavailable {
            consistency: required,
            required: 2,
            alive: 1,
        },
        DbError::WriteTimeout {
            consistency: required,
            received: 0,
            required: 1,
            write_type: WriteType::BatchLog,
        },
        DbError::ReadTimeout {
            consistency: required,
            received: 0,
            required: 1,
            data_present: false,
        },
        DbError::Overloaded,
        DbError::ServerError,
    ];
    let mut faults = vec![
        Fault::RequestLost,
        Fault::AnswerLost,
        Fault::AnswerLate,
        Fault::BreaksBefore,
        Fault::BreaksAfter,
    ];
    for error in errors {
        faults.push(Fault::ErrorOnce(error.clone()));
        faults.push(Fault::ErrorAlways(error));
    }
    faults
}

/// Some of them, for calls of many requests.
fn some_faults() -> Vec<Fault> {
    let is_one = |fault: &Fault| match fault {
        Fault::RequestLost | Fault::AnswerLost | Fault::BreaksAfter => true,
        Fault::AnswerLate | Fault::BreaksBefore => false,
        Fault::ErrorOnce(error) => !matches!(error, DbError::Overloaded | DbError::ServerError),
        Fault::ErrorAlways(error) => !matches!(error, DbError::Overloaded),
    };
    faults().into_iter().filter(is_one).collect()
}

/// A fault, at which request, and the outcome of the write.
struct Told {
    what: String,
    key: LogKey,
    version: Message,
    outcome: Option<Outcome>,
}

impl Told {
    /// `NotApplied` is true from now on; `Unknown` may still change.
    async fn is_true_now(&self, world: &World) -> Verdict {
        let views = views(&world.other, &self.version).await?;
        let holds = match self.outcome {
            None => views == [true; 6],
            Some(Outcome::NotApplied) => views == [false; 6],
            Some(Outcome::Unknown) => true,
        };
        if holds {
            return Ok(());
        }
        let (what, outcome) = (&self.what, self.outcome);
        Err(format!("{what}: told {outcome:?}, and the views show {views:?}").into())
    }

    /// After a while all views agree.
    async fn is_settled(&self, world: &World) -> Verdict {
        self.is_true_now(world).await?;
        let views = views(&world.other, &self.version).await?;
        if views == [true; 6] || views == [false; 6] {
            return Ok(());
        }
        Err(format!("{}: the views disagree: {views:?}", self.what).into())
    }
}

async fn puts(world: World, write: Write, is_warm: bool) -> Verdict {
    let mut proxied = Proxied::new(&world).await?;
    let mut told = Vec::new();
    let requests = write.requests(is_warm);
    for fault in faults() {
        for at in first_of(&fault, requests)..requests {
            let pair = world.pair_named(&format!("{}", told.len()));
            if is_warm {
                send(&proxied.store, &pair.message(id(), "before")).await?;
            }
            let (before, key, version) = write.versions(&pair);
            if let Some(before) = before {
                let store = if is_warm {
                    &proxied.store
                } else {
                    &world.store
                };
                send(store, &before).await?;
            }
            proxied.prepare(&fault, at);
            let outcome = outcome(proxied.store.put(key, &version).await)?;
            proxied.heal().await?;
            let what = format!("{fault:?} at request {at}");
            is_expected(&what, outcome, &fault, at, requests)?;
            told.push(Told {
                what,
                key,
                version,
                outcome,
            });
            told[told.len() - 1].is_true_now(&world).await?;
        }
    }
    retried(&world, &proxied, &told).await
}

/// Only the batch is worth the wait for an answer that is late rather than lost.
fn first_of(fault: &Fault, requests: usize) -> usize {
    match fault {
        Fault::AnswerLate => requests - 1,
        _ => 0,
    }
}

/// Before the batch nothing is applied; and an error that passed is no error.
fn is_expected(
    what: &str,
    outcome: Option<Outcome>,
    fault: &Fault,
    at: usize,
    requests: usize,
) -> Verdict {
    let expected = match fault {
        Fault::ErrorOnce(DbError::WriteTimeout { .. } | DbError::ReadTimeout { .. }) => None,
        _ if at < requests - 1 => Some(Outcome::NotApplied),
        Fault::ErrorOnce(DbError::Unavailable { .. })
        | Fault::ErrorAlways(DbError::Unavailable { .. }) => Some(Outcome::NotApplied),
        _ => Some(Outcome::Unknown),
    };
    if outcome == expected {
        return Ok(());
    }
    Err(format!("{what}: told {outcome:?}, not {expected:?}").into())
}

/// Checks that what was told is still true after a while, and that a retry brings every version into
/// every view.
async fn retried(world: &World, proxied: &Proxied, told: &[Told]) -> Verdict {
    tokio::time::sleep(Duration::from_millis(500)).await;
    for told in told {
        told.is_settled(world).await?;
    }
    for told in told {
        proxied.store.put(told.key, &told.version).await?;
        let views = views(&world.other, &told.version).await?;
        if views != [true; 6] {
            return Err(format!("{}, retried: {views:?}", told.what).into());
        }
    }
    Ok(())
}

/// A marker is in both inboxes or in none, and a retry brings it into both.
async fn marks(world: World, is_warm: bool) -> Verdict {
    let mut proxied = Proxied::new(&world).await?;
    let requests = if is_warm { WARM_SEND } else { COLD_CHANGE };
    let mut told = Vec::new();
    for fault in faults() {
        for at in first_of(&fault, requests)..requests {
            let pair = world.pair_named(&format!("{}", told.len()));
            let message = pair.message(id(), "hello");
            let store = if is_warm {
                &proxied.store
            } else {
                &world.store
            };
            send(store, &message).await?;
            let (key, marker) = (id(), marker(&message, &pair.two));
            proxied.prepare(&fault, at);
            let outcome = outcome(proxied.store.mark(key.into(), &marker).await)?;
            proxied.heal().await?;
            let what = format!("{fault:?} at request {at}");
            is_expected(&what, outcome, &fault, at, requests)?;
            let markers = markers(&world, &pair, message.id()).await?;
            let is_true = match outcome {
                None => markers == [true; 2],
                Some(Outcome::NotApplied) => markers == [false; 2],
                Some(Outcome::Unknown) => true,
            };
            if !is_true {
                return Err(
                    format!("{what}: told {outcome:?}, and it is there: {markers:?}").into(),
                );
            }
            told.push((what, pair, key, marker));
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for (what, pair, key, marker) in told {
        let [one, other] = markers(&world, &pair, marker.up_to).await?;
        assert_eq!(one, other, "{what}: in one of the inboxes");
        proxied.store.mark(key.into(), &marker).await?;
        let markers = markers(&world, &pair, marker.up_to).await?;
        assert_eq!(markers, [true; 2], "{what}, retried");
    }
    Ok(())
}

/// Which inboxes show the marker: that of the reader and that of the other one.
async fn markers(world: &World, pair: &Pair, up_to: MessageId) -> Result<[bool; 2], Failed> {
    let reader = world
        .other
        .entry(&pair.two, pair.id())
        .await?
        .expect("an entry");
    let other = world
        .other
        .entry(&pair.one, pair.id())
        .await?
        .expect("an entry");
    Ok([
        reader.read_up_to() == Some(up_to),
        other.seen_up_to() == Some(up_to),
    ])
}

/// Returns the outcome that a write was told.
fn outcome(result: Result<(), messenger_core::Error>) -> Result<Option<Outcome>, Failed> {
    let Err(error) = result else {
        return Ok(None);
    };
    if !error.is_retryable() {
        return Err(format!("not retryable: {error:?}").into());
    }
    match error.outcome() {
        Some(outcome) => Ok(Some(outcome)),
        None => Err(format!("no outcome: {error:?}").into()),
    }
}

/// Whatever fails, sending again under the same key gives one message, in every view.
async fn keyed_sends(world: World) -> Verdict {
    let mut proxied = Proxied::new(&world).await?;
    let (here, elsewhere) = (
        Messenger::new(proxied.store.clone()),
        Messenger::new(world.other.clone()),
    );
    for (n, fault) in some_faults().into_iter().enumerate() {
        // Those in between are the same as for a cold send.
        for at in [0, 1, KEYED_SEND - 1] {
            let pair = world.pair_named(&format!("{n}.{at}"));
            let hello = NewMessage::new(pair.one.clone(), pair.two.clone(), "hello")?;
            let key = IdempotencyKey::new(format!("{n}.{at}"))?;
            proxied.prepare(&fault, at);
            let first = here.send_once(hello.clone(), key.clone()).await;
            proxied.heal().await?;
            // Two retries, through two servers.
            let second = here.send_once(hello.clone(), key.clone()).await?;
            let third = elsewhere.send_once(hello, key).await?;
            assert_eq!(second.message, third.message, "{fault:?} at {at}");
            assert!(third.replayed, "{fault:?} at {at}");
            if let Ok(first) = first {
                assert_eq!(first.message, second.message, "{fault:?} at {at}");
                assert!(second.replayed && !first.replayed, "{fault:?} at {at}");
            }
            let history = world.store.history(pair.id(), None, 5).await?;
            let only = std::slice::from_ref(&second.message);
            assert_eq!(history, only, "{fault:?} at {at}");
            assert_eq!(views(&world.store, &second.message).await?, [true; 6]);
        }
    }
    Ok(())
}

/// A page is right or it is an error that says to try again, within the timeout.
async fn pages(world: World) -> Verdict {
    let pair = world.pair();
    let messages = [pair.message(id(), "one"), pair.message(id(), "two")];
    for message in &messages {
        send(&world.store, message).await?;
    }
    let mut proxied = Proxied::new(&world).await?;
    let [one, two] = messages;
    for fault in some_faults() {
        for at in 0..PAGE {
            proxied.prepare(&fault, at);
            let history = proxied.store.history(pair.id(), None, 5).await;
            is_right_or_retryable(history, &[two.clone(), one.clone()], &fault)?;
            proxied.heal().await?;

            let listed = entry_of(&two);
            proxied.prepare(&fault, at);
            let inbox = proxied.store.inbox(&pair.one, None, 5).await;
            is_right_or_retryable(inbox, std::slice::from_ref(&listed), &fault)?;
            proxied.heal().await?;

            proxied.prepare(&fault, at);
            let entry = proxied.store.entry(&pair.one, pair.id()).await;
            is_right_or_retryable(entry, &Some(listed), &fault)?;
            proxied.heal().await?;

            // Before the newest message, as a reader who is not quite up to date.
            let above = one.id().into();
            let logged = |item| {
                vec![Logged {
                    key: two.id().into(),
                    item,
                }]
            };
            proxied.prepare(&fault, at);
            let log = proxied.store.history_log(pair.id(), above, 5).await;
            is_right_or_retryable(log, &logged(two.clone()), &fault)?;
            proxied.heal().await?;
        }
    }
    Ok(())
}

fn is_right_or_retryable<T, E>(
    found: Result<T, messenger_core::Error>,
    expected: &E,
    fault: &Fault,
) -> Verdict
where
    T: PartialEq<E> + std::fmt::Debug,
    E: ?Sized + std::fmt::Debug,
{
    let passes = matches!(
        fault,
        Fault::ErrorOnce(DbError::ReadTimeout { .. } | DbError::WriteTimeout { .. })
    );
    match found {
        Ok(found) if found == *expected => Ok(()),
        Ok(found) => Err(format!("{fault:?}: {found:?}, not {expected:?}").into()),
        Err(error) if passes => Err(format!("{fault:?} was not retried: {error:?}").into()),
        Err(error) if error.outcome().is_some() => Err(format!("a read: {error:?}").into()),
        Err(error) if error.is_retryable() && error.operation().is_some() => Ok(()),
        Err(error) => Err(format!("{fault:?}: {error:?}").into()),
    }
}

/// On one node nothing shows that a batch is not logged; so it is looked at on the wire. The first
/// byte says what kind it is (0 is logged), the next two how many statements it has.
async fn logged_batch(world: World) -> Verdict {
    let mut proxied = Proxied::new(&world).await?;
    let pair = world.pair();
    for (requests, rows) in [(COLD_SEND, 5), (WARM_SEND, 3)] {
        let mut frames = proxied.listen();
        send(&proxied.store, &pair.message(id(), "hello")).await?;
        let mut sent = Vec::new();
        while let Ok((frame, _)) = frames.try_recv() {
            sent.push(frame);
        }
        assert_eq!(sent.len(), requests);
        let last = &sent[requests - 1];
        assert_eq!(last.opcode, RequestOpcode::Batch);
        assert_eq!(last.body[..3], [0, 0, rows]);
    }
    Ok(())
}

/// The first attempt may have been applied, the second was refused: nobody knows.
async fn earlier_attempt(world: World) -> Verdict {
    let mut proxied = Proxied::new(&world).await?;
    let message = world.pair().message(id(), "hello");
    proxied.prepare_errors(
        COLD_SEND - 1,
        [
            DbError::WriteTimeout {
                consistency: Consistency::LocalQuorum,
                received: 0,
                required: 1,
                write_type: WriteType::Batch,
            },
            DbError::Unavailable {
                consistency: Consistency::LocalQuorum,
                required: 1,
                alive: 0,
            },
        ],
    );
    let error = send(&proxied.store, &message).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.outcome(), Some(Outcome::Unknown), "{error:?}");
    Ok(())
}

/// Returns the answer of a node that has the log of a batch on one other node, and not on the second.
fn half_logged() -> DbError {
    DbError::WriteTimeout {
        consistency: Consistency::Two,
        received: 1,
        required: 2,
        write_type: WriteType::BatchLog,
    }
}

/// It will be replayed, so it need not be waited for. (Here it is not: the error is the proxy's.)
async fn logged_once(world: World) -> Verdict {
    let mut proxied = Proxied::new(&world).await?;
    let pair = world.pair();
    for batch_at in [COLD_SEND - 1, WARM_SEND - 1] {
        let message = pair.message(id(), "hello");
        proxied.prepare_errors(batch_at, [half_logged()]);
        send(&proxied.store, &message).await?;
        proxied.heal().await?;
        let views = views(&world.other, &message).await?;
        assert_eq!(views, [true; 6], "with the batch at {batch_at}");
    }
    Ok(())
}

/// Its rows may fail too; then nobody knows when it is replayed.
async fn logged_once_and_lost(world: World) -> Verdict {
    let mut proxied = Proxied::new(&world).await?;
    let message = world.pair().message(id(), "hello");
    let refused = DbError::Unavailable {
        consistency: Consistency::LocalQuorum,
        required: 1,
        alive: 0,
    };
    // Five partitions, each of them tried three times.
    let rows = std::iter::repeat_n(refused, 15);
    proxied.prepare_errors(COLD_SEND - 1, std::iter::once(half_logged()).chain(rows));
    let error = send(&proxied.store, &message).await.unwrap_err();
    assert_eq!(error.outcome(), Some(Outcome::Unknown), "{error:?}");
    assert_eq!(error.message_id(), None, "only the messenger knows it");
    proxied.heal().await?;
    send(&proxied.store, &message).await?;
    assert_eq!(views(&world.other, &message).await?, [true; 6]);
    Ok(())
}
