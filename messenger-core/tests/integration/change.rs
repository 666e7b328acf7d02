//! Edits, unsends and read markers: their rules, and errors with nothing written.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use messenger_core::conformance::tools::{Call, Point};
use messenger_core::store::{Wrap, Wrapped};
use messenger_core::{
    Clock, Content, Error, ErrorKind, Import, Message, MessengerOptions, Outcome, Revision,
    Subject, Timestamp, UserId,
};
use messenger_memory::MemoryStore;

use crate::{MILLI, NOON, Pair, SECOND, Server, Tested, everything};

fn text(text: &str) -> Content {
    Content::new(text).unwrap()
}

/// Checks that a change was refused for this reason and nothing was written, not even to a log.
#[track_caller]
fn is_refused<T: std::fmt::Debug>(answer: Result<T, Error>, kind: ErrorKind) {
    let error = answer.expect_err("the change should be refused");
    assert_eq!(error.kind(), kind);
    assert_eq!(error.outcome(), Some(Outcome::NotApplied));
}

#[tokio::test]
async fn an_edit_replaces_the_text_everywhere() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 1).await?.remove(0);
    let edited = server
        .messenger
        .edit(pair.id(), sent.id(), &pair.one, text("new"))
        .await?;
    assert_eq!(edited.content(), Some(&text("new")));
    assert_eq!(
        edited.edited_at(),
        Some(Timestamp::from_millis(NOON + 1_000)?)
    );
    assert_eq!(edited.created_at(), sent.created_at());
    assert_eq!(
        server.store().message(pair.id(), sent.id()).await?,
        Some(edited)
    );
    let entry = server.messenger.entry(&pair.two, pair.id()).await?.unwrap();
    assert_eq!(entry.last_message().preview().unwrap(), "new");
    Ok(())
}

#[tokio::test]
async fn an_unsend_removes_the_text_everywhere() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 2).await?;
    let unsent = server
        .messenger
        .unsend(pair.id(), sent[0].id(), &pair.one)
        .await?;
    assert_eq!((unsent.content(), unsent.edited_at()), (None, None));
    assert_eq!(
        unsent.unsent_at(),
        Some(Timestamp::from_millis(NOON + 2_000)?)
    );
    let history = server.store().history(pair.id(), None, 10).await?;
    assert_eq!(history, [unsent, sent[1].clone()]);
    let entry = server.messenger.entry(&pair.two, pair.id()).await?.unwrap();
    assert_eq!(entry.last_message().id(), sent[0].id());
    assert_eq!(entry.last_message().preview(), None);
    Ok(())
}

#[tokio::test]
async fn only_the_sender_may_change_a_message_that_exists() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 1).await?.remove(0);
    let elsewhere = Pair::new("alice", "carol");
    let other = server.send(&elsewhere, 1).await?.remove(0);
    let before = everything(server.store(), &pair).await?;
    let messenger = &server.messenger;
    for (conversation, id, user, kind) in [
        (pair.id(), sent.id(), &pair.two, ErrorKind::NotSender),
        (
            pair.id(),
            sent.id(),
            &UserId::new("eve")?,
            ErrorKind::NotFound,
        ),
        (pair.id(), other.id(), &pair.one, ErrorKind::NotFound),
        (elsewhere.id(), sent.id(), &pair.one, ErrorKind::NotFound),
        (
            Pair::new("x", "y").id(),
            sent.id(),
            &pair.one,
            ErrorKind::NotFound,
        ),
    ] {
        is_refused(
            messenger.edit(conversation, id, user, text("new")).await,
            kind,
        );
        is_refused(messenger.unsend(conversation, id, user).await, kind);
    }
    assert_eq!(everything(server.store(), &pair).await?, before);
    Ok(())
}

#[tokio::test]
async fn a_message_can_be_edited_within_the_window_and_unsent_at_any_time() -> Tested {
    let windows = [
        (
            MessengerOptions::new(),
            Some(MessengerOptions::DEFAULT_EDIT_WINDOW),
        ),
        (
            MessengerOptions::new().with_edit_window(SECOND),
            Some(SECOND),
        ),
        (MessengerOptions::new().with_edit_window(None), None),
    ];
    for (options, window) in windows {
        let server = Server::with_options(&Arc::new(MemoryStore::new()), options);
        let pair = Pair::alice_and_bob();
        let sent = server.messenger.send(pair.text("hello")?).await?;
        let edit = async |new| {
            server
                .messenger
                .edit(pair.id(), sent.id(), &pair.one, text(new))
                .await
        };
        server
            .time
            .advance(window.unwrap_or(Duration::from_secs(86_400 * 365)));
        edit("at the end of the window").await?;
        if window.is_some() {
            server.time.advance(MILLI);
            let before = everything(server.store(), &pair).await?;
            is_refused(edit("too late").await, ErrorKind::EditWindowOver);
            assert_eq!(everything(server.store(), &pair).await?, before);
        }
        let unsent = server
            .messenger
            .unsend(pair.id(), sent.id(), &pair.one)
            .await?;
        assert!(unsent.is_unsent());
        let before = everything(server.store(), &pair).await?;
        is_refused(edit("after the unsend").await, ErrorKind::MessageUnsent);
        assert_eq!(everything(server.store(), &pair).await?, before);
    }
    Ok(())
}

/// Repeated, a change makes no new version.
#[tokio::test]
async fn a_repeated_change_returns_the_same_message() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 1).await?.remove(0);
    let (messenger, id) = (&server.messenger, sent.id());
    let before = everything(server.store(), &pair).await?;
    // The text that it has from the start: nothing to write.
    let same = sent.content().cloned().unwrap();
    assert_eq!(messenger.edit(pair.id(), id, &pair.one, same).await?, sent);
    assert_eq!(everything(server.store(), &pair).await?, before);

    let edited = messenger
        .edit(pair.id(), id, &pair.one, text("new"))
        .await?;
    server.time.advance(SECOND);
    assert_eq!(
        messenger
            .edit(pair.id(), id, &pair.one, text("new"))
            .await?,
        edited
    );
    // Also after the window: nothing changes.
    server.time.advance(86_400 * SECOND);
    assert_eq!(
        messenger
            .edit(pair.id(), id, &pair.one, text("new"))
            .await?,
        edited
    );

    let unsent = messenger.unsend(pair.id(), id, &pair.one).await?;
    server.time.advance(SECOND);
    assert_eq!(messenger.unsend(pair.id(), id, &pair.one).await?, unsent);
    Ok(())
}

#[tokio::test]
async fn of_two_edits_the_later_one_wins() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 1).await?.remove(0);
    let edit = |new| {
        let (messenger, pair, id) = (server.messenger.clone(), pair.clone(), sent.id());
        async move { messenger.edit(pair.id(), id, &pair.one, text(new)).await }
    };
    let first = server
        .gate
        .start(Call::Put, Point::Before, edit("first"))
        .await?;
    server.time.advance(SECOND);
    let second = edit("second").await?;
    first.finish().await?;
    assert_eq!(
        server.messenger.message(pair.id(), sent.id()).await?,
        Some(second)
    );
    Ok(())
}

/// Puts a message into the store whose id and revision another server with a wrong clock made.
async fn message_ahead(server: &Server, pair: &Pair, by: Duration) -> Result<Message, Error> {
    let ahead = server.time.now().saturating_add(by);
    let time = crate::ManualTime::at(ahead);
    let message = pair.text("from ahead")?.with_id(time.clock().next_id());
    server.store().put(message.id().into(), &message).await?;
    Ok(message)
}

#[tokio::test]
async fn a_revision_is_greater_than_the_id_and_the_revision_shown() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    // From a server whose clock is a bit ahead: the clock follows it.
    let message = message_ahead(&server, &pair, 4 * SECOND).await?;
    let edited = server
        .messenger
        .edit(pair.id(), message.id(), &pair.one, text("new"))
        .await?;
    assert!(edited.revision() > Revision::from(message.id()));
    assert_eq!(
        server.messenger.message(pair.id(), message.id()).await?,
        Some(edited)
    );

    // Far ahead it is not followed: an acknowledged edit would never show.
    let message = message_ahead(&server, &pair, 3_600 * SECOND).await?;
    let before = everything(server.store(), &pair).await?;
    let edit = server
        .messenger
        .edit(pair.id(), message.id(), &pair.one, text("new"))
        .await;
    is_refused(edit, ErrorKind::Unavailable);
    let unsend = server
        .messenger
        .unsend(pair.id(), message.id(), &pair.one)
        .await;
    is_refused(unsend, ErrorKind::Unavailable);
    assert_eq!(everything(server.store(), &pair).await?, before);
    Ok(())
}

#[tokio::test]
async fn a_read_marker_moves_forward_for_both() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 3).await?;
    let messenger = &server.messenger;
    for (read, expected) in [(2, 2), (0, 0), (1, 0)] {
        let up_to = sent[read].id();
        let entry = messenger.mark_read(pair.id(), &pair.two, up_to).await?;
        assert_eq!(entry.read_up_to(), Some(sent[expected].id()));
        assert_eq!(Some(entry), messenger.entry(&pair.two, pair.id()).await?);
        let others = messenger.entry(&pair.one, pair.id()).await?.unwrap();
        assert_eq!(others.seen_up_to(), Some(sent[expected].id()));
        assert_eq!(others.read_up_to(), None);
    }
    Ok(())
}

#[tokio::test]
async fn a_read_marker_names_a_message_of_the_conversation() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let elsewhere = Pair::new("alice", "carol");
    let sent = server.send(&pair, 1).await?.remove(0);
    let other = server.send(&elsewhere, 1).await?.remove(0);
    let last = server.send(&pair, 1).await?.remove(0);
    let before = everything(server.store(), &pair).await?;
    let messenger = &server.messenger;

    // A message of another conversation, by its id below and above the last message.
    is_refused(
        messenger.mark_read(pair.id(), &pair.one, other.id()).await,
        ErrorKind::NotFound,
    );
    let above = messenger
        .mark_read(elsewhere.id(), &pair.one, last.id())
        .await;
    assert_eq!(
        above.as_ref().unwrap_err().subject(),
        Some(Subject::ReadMarker)
    );
    is_refused(above, ErrorKind::Invalid);
    // Somebody who takes no part, and a conversation that does not exist.
    for (conversation, user) in [
        (pair.id(), UserId::new("eve")?),
        (Pair::new("x", "y").id(), UserId::new("x")?),
    ] {
        let marked = messenger.mark_read(conversation, &user, sent.id()).await;
        is_refused(marked, ErrorKind::NotFound);
    }
    assert_eq!(everything(server.store(), &pair).await?, before);
    // A message of another conversation, below a marker that is there.
    messenger.mark_read(pair.id(), &pair.one, last.id()).await?;
    is_refused(
        messenger.mark_read(pair.id(), &pair.one, other.id()).await,
        ErrorKind::NotFound,
    );
    Ok(())
}

#[tokio::test]
async fn unread_messages_are_counted_for_a_participant() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 3).await?;
    server.send(&pair.turned(), 1).await?;
    let messenger = &server.messenger;
    let eve = UserId::new("eve")?;
    let unread = async |user| {
        let unread = messenger.unread(user, pair.id()).await?;
        Ok::<_, Error>(unread.map(|unread| (unread.count, unread.capped)))
    };
    assert_eq!(unread(&pair.two).await?, Some((3, false)));
    assert_eq!(unread(&pair.one).await?, Some((1, false)));
    assert_eq!(unread(&eve).await?, None);
    messenger.unsend(pair.id(), sent[0].id(), &pair.one).await?;
    messenger
        .mark_read(pair.id(), &pair.two, sent[2].id())
        .await?;
    assert_eq!(unread(&pair.two).await?, Some((1, false)));
    Ok(())
}

#[tokio::test]
async fn a_change_that_fails_says_whether_it_may_be_there() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 1).await?.remove(0);
    let messenger = &server.messenger;
    let error = || Error::new(ErrorKind::Unavailable, "no node can be reached");
    let id = sent.id();

    // The read before it fails: nothing was written.
    server.gate.fail(Call::Read, Point::Before, error());
    is_refused(
        messenger.edit(pair.id(), id, &pair.one, text("new")).await,
        ErrorKind::Unavailable,
    );
    server.gate.fail(Call::Read, Point::Before, error());
    is_refused(
        messenger.unsend(pair.id(), id, &pair.one).await,
        ErrorKind::Unavailable,
    );
    server.gate.fail(Call::Read, Point::Before, error());
    is_refused(
        messenger.mark_read(pair.id(), &pair.one, id).await,
        ErrorKind::Unavailable,
    );

    // The write fails: unknown, unless the store knows better.
    let is_unknown = |error: Error| {
        assert_eq!(error.outcome(), Some(Outcome::Unknown));
        assert_eq!(error.message_id(), Some(id));
    };
    server.gate.fail(Call::Put, Point::After, error());
    is_unknown(
        messenger
            .edit(pair.id(), id, &pair.one, text("new"))
            .await
            .unwrap_err(),
    );
    server.gate.fail(Call::Mark, Point::After, error());
    is_unknown(
        messenger
            .mark_read(pair.id(), &pair.one, id)
            .await
            .unwrap_err(),
    );
    let not_applied = error().with_outcome(Outcome::NotApplied);
    server.gate.fail(Call::Put, Point::Before, not_applied);
    is_refused(
        messenger.unsend(pair.id(), id, &pair.one).await,
        ErrorKind::Unavailable,
    );
    Ok(())
}

#[tokio::test]
async fn nothing_is_written_while_the_clock_has_stepped_back() -> Tested {
    let [server, _] = Server::two(10 * SECOND);
    let pair = Pair::alice_and_bob();
    let sent = server.send(&pair, 2).await?;
    let before = everything(server.store(), &pair).await?;
    server.time.step_back(Clock::MAX_AHEAD + 2 * SECOND);
    let messenger = &server.messenger;
    let unavailable = ErrorKind::Unavailable;
    is_refused(messenger.send(pair.text("hello")?).await, unavailable);
    is_refused(
        messenger
            .edit(pair.id(), sent[0].id(), &pair.one, text("new"))
            .await,
        unavailable,
    );
    is_refused(
        messenger.unsend(pair.id(), sent[0].id(), &pair.one).await,
        unavailable,
    );
    is_refused(
        messenger
            .mark_read(pair.id(), &pair.two, sent[0].id())
            .await,
        unavailable,
    );
    assert_eq!(messenger.health().await.unwrap_err().kind(), unavailable);
    assert_eq!(everything(server.store(), &pair).await?, before);
    // Reading goes on, and writing resumes when the clock has caught up.
    assert_eq!(
        messenger.message(pair.id(), sent[0].id()).await?.as_ref(),
        Some(&sent[0])
    );
    server.time.advance(Clock::MAX_AHEAD);
    messenger.send(pair.text("hello")?).await?;
    Ok(())
}

/// A process that alone writes its store goes on above its own ids.
#[tokio::test]
async fn a_single_writer_goes_on_when_the_clock_has_stepped_back() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let before = server.send(&pair, 1).await?.remove(0);
    server.time.step_back(3_600 * SECOND);
    let after = server.messenger.send(pair.text("hello")?).await?;
    assert!(after.id() > before.id());
    server
        .messenger
        .edit(pair.id(), after.id(), &pair.one, text("new"))
        .await?;
    Ok(())
}

#[derive(Debug)]
struct Reopened(Arc<MemoryStore>, Revision);

#[async_trait]
impl Wrap for Reopened {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn newest(&self) -> Option<Revision> {
        Some(self.1)
    }
}

/// A clock that stepped back between two runs makes no ids below cursors already handed out.
#[tokio::test]
async fn the_clock_starts_above_what_a_durable_store_holds() -> Tested {
    let store = Arc::new(MemoryStore::new());
    let (server, pair) = (Server::over(&store), Pair::alice_and_bob());
    server.time.advance(3_600 * SECOND);
    let last = server.send(&pair, 1).await?.remove(0);
    let reopened = Arc::new(Wrapped(Reopened(store, last.revision())));
    let server = Server::over(&reopened);
    let next = server
        .messenger
        .send(pair.text("after the restart")?)
        .await?;
    assert!(next.id() > last.id());
    Ok(())
}

#[tokio::test]
async fn imports_sort_where_their_time_says() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let now = server.messenger.send(pair.text("now")?).await?;
    let import = async |day: u64| {
        let at = server
            .time
            .now()
            .saturating_sub(Duration::from_secs(day * 86_400));
        let import = Import::new(pair.text("then")?, at).with_source_id(day.to_string());
        server.messenger.import(import).await
    };
    let mut imported = Vec::new();
    for day in [3, 1, 5, 2, 4] {
        imported.push(import(day).await?);
    }
    imported.sort_by_key(|message| std::cmp::Reverse(message.id()));
    assert!(imported.is_sorted_by(|one, next| one.created_at() > next.created_at()));
    let expected: Vec<_> = [now].into_iter().chain(imported).collect();
    assert_eq!(server.store().history(pair.id(), None, 10).await?, expected);
    // Imported again, they are the same messages.
    for day in 1..=5 {
        import(day).await?;
    }
    assert_eq!(server.store().history(pair.id(), None, 10).await?, expected);

    let ahead = server.time.now().saturating_add(Clock::MAX_AHEAD + MILLI);
    let future = Import::new(pair.text("not yet")?, ahead);
    is_refused(server.messenger.import(future).await, ErrorKind::Invalid);
    Ok(())
}
