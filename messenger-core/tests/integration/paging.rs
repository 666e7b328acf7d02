//! Pages and cursors.

use futures_util::TryStreamExt as _;
use messenger_core::conformance::tools::as_text_and_back;
use messenger_core::{
    Content, Cursor, Error, ErrorKind, HistoryQuery, InboxQuery, Limit, Message, Page, Subject,
    Unread,
};

use crate::{Pair, SECOND, Server, Tested};

fn ids<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<messenger_core::MessageId> {
    messages.into_iter().map(Message::id).collect()
}

#[tokio::test]
async fn a_walk_ends_with_the_last_item() -> Tested {
    // The number that fills the last page, and one more or less.
    for count in 1..=7 {
        let (server, pair) = (Server::new(), Pair::alice_and_bob());
        let mut sent = server.send(&pair, count).await?;
        sent.reverse();
        for limit in [1, 2, 3, 6] {
            let mut client = server.history(&pair, limit)?;
            let next = client.open().await?;
            client.walk(next).await?;
            assert_eq!(ids(client.items()), ids(&sent), "{count} by {limit}");

            let mut client = server.inbox(&pair.one, limit)?;
            assert_eq!(client.open().await?, None, "the inbox has one entry");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_page_has_twenty_items_by_default() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 25).await?;
    let page = server
        .messenger
        .history(pair.id(), HistoryQuery::new())
        .await?;
    assert_eq!(ids(&page.items), ids(&sent[..20]));
    Ok(())
}

#[tokio::test]
async fn a_page_before_a_time_holds_what_is_strictly_earlier() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 8).await?;
    let two = HistoryQuery::new().with_limit(Limit::new(2)?);
    for (n, bound) in sent.iter().enumerate() {
        let query = two.with_before(bound.created_at());
        let (mut got, mut cursor) = (Vec::new(), None);
        loop {
            let query = query.with_cursor(cursor);
            let page = server.messenger.history(pair.id(), query).await?;
            got.extend(page.items);
            let Some(next) = page.next else { break };
            cursor = Some(as_text_and_back(next)?);
        }
        assert_eq!(ids(&got), ids(&sent[n + 1..]));
    }
    // Both bounds hold, whichever is lower.
    let first = server.messenger.history(pair.id(), two).await?;
    for (bound, expected) in [(&sent[1], &sent[2..4]), (&sent[4], &sent[5..7])] {
        let query = two.with_before(bound.created_at()).with_cursor(first.next);
        let page = server.messenger.history(pair.id(), query).await?;
        assert_eq!(ids(&page.items), ids(expected));
    }
    Ok(())
}

#[tokio::test]
async fn newer_pages_hold_the_nearest_items() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 9).await?;
    let query = HistoryQuery::new().with_limit(Limit::new(3)?);
    let read = async |cursor: Cursor| {
        let query = query.with_cursor(as_text_and_back(cursor)?);
        Ok::<_, messenger_core::conformance::Failure>(
            server.messenger.history(pair.id(), query).await?,
        )
    };
    // To the end, and back.
    let mut page = server.messenger.history(pair.id(), query).await?;
    while let Some(next) = page.next {
        page = read(next).await?;
    }
    assert_eq!(ids(&page.items), ids(&sent[6..]));
    for expected in [&sent[3..6], &sent[..3]] {
        page = read(page.prev).await?;
        assert_eq!(ids(&page.items), ids(expected));
    }
    // From a newer page the walk continues to what is older.
    let next = page.next.expect("a newer page with items has a next");
    assert_eq!(ids(&read(next).await?.items), ids(&sent[3..6]));
    Ok(())
}

#[tokio::test]
async fn changes_keep_pages_and_cursors_valid() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 6).await?;
    let two = HistoryQuery::new().with_limit(Limit::new(2)?);
    let first = server.messenger.history(pair.id(), two).await?;
    // The message at the cursor, and one on the next page.
    for message in [&sent[1], &sent[2]] {
        server
            .messenger
            .unsend(pair.id(), message.id(), &pair.one)
            .await?;
    }
    let text = Content::new("edited")?;
    server
        .messenger
        .edit(pair.id(), sent[3].id(), &pair.one, text)
        .await?;
    let query = two.with_cursor(first.next);
    let second = server.messenger.history(pair.id(), query).await?;
    assert_eq!(ids(&second.items), ids(&sent[2..4]));
    assert!(second.items[0].is_unsent());
    assert_eq!(
        second.items[1].content().map(Content::as_str),
        Some("edited")
    );
    Ok(())
}

#[tokio::test]
async fn a_page_ends_early_at_its_size_and_loses_nothing() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let mut reader = server.history(&pair, 100)?;
    reader.open().await?;
    let text = "x".repeat(Content::MAX_LEN);
    let count = 2 * Page::<Message>::MAX_BYTES / Content::MAX_LEN + 3;
    let mut sent = Vec::new();
    for _ in 0..count {
        sent.push(server.messenger.send(pair.text(&text)?).await?);
        server.time.advance(SECOND);
    }
    let query = HistoryQuery::new().with_limit(Limit::MAX);
    let page = server.messenger.history(pair.id(), query).await?;
    let size = page.items.len() * Content::MAX_LEN;
    assert!(page.items.len() < 100 && page.next.is_some());
    assert!(
        (Page::<Message>::MAX_BYTES..Page::<Message>::MAX_BYTES + Content::MAX_LEN).contains(&size)
    );

    let mut walker = server.history(&pair, 100)?;
    let next = walker.open().await?;
    walker.walk(next).await?;
    assert_eq!(ids(walker.items()), ids(&sent));

    // A page of the log ends early too.
    let came = reader.catch_up().await?;
    assert_eq!(came.len(), page.items.len());
    Ok(())
}

/// A page that its size ends is followed by the next one, also while nothing has settled.
#[tokio::test]
async fn catching_up_goes_on_above_a_page_that_its_size_ends() -> Tested {
    let [server, _] = Server::two(10 * SECOND);
    let pair = Pair::alice_and_bob();
    let mut reader = server.history(&pair, 100)?;
    reader.open().await?;
    let text = "x".repeat(Content::MAX_LEN);
    let count = 2 * Page::<Message>::MAX_BYTES / Content::MAX_LEN + 3;
    for _ in 0..count {
        server.messenger.send(pair.text(&text)?).await?;
    }
    for _ in 0..3 {
        reader.catch_up().await?;
    }
    assert_eq!(reader.items().count(), count);
    Ok(())
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() -> Tested {
    let server = Server::new();
    let (pair, other) = (Pair::alice_and_bob(), Pair::new("alice", "carol"));
    server.send(&pair, 3).await?;
    server.send(&other, 1).await?;
    server.send(&pair, 1).await?;
    let messenger = &server.messenger;
    let history = HistoryQuery::new().with_limit(Limit::MIN);
    let inbox = InboxQuery::new().with_limit(Limit::MIN);

    let page = messenger.history(pair.id(), history).await?;
    for cursor in [Some(page.prev), page.next].into_iter().flatten() {
        let cursor = as_text_and_back(cursor)?;
        let query = history.with_cursor(cursor);
        is_refused(messenger.history(other.id(), query).await);
        for user in [&pair.one, &pair.two] {
            is_refused(messenger.inbox(user, inbox.with_cursor(cursor)).await);
        }
        messenger.history(pair.id(), query).await?;
    }
    let page = messenger.inbox(&pair.one, inbox).await?;
    for cursor in [Some(page.prev), page.next].into_iter().flatten() {
        let cursor = as_text_and_back(cursor)?;
        is_refused(
            messenger
                .history(pair.id(), history.with_cursor(cursor))
                .await,
        );
        is_refused(messenger.inbox(&pair.two, inbox.with_cursor(cursor)).await);
        messenger
            .inbox(&pair.one, inbox.with_cursor(cursor))
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_prev_cursor_with_a_time_is_refused() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 3).await?;
    let query = HistoryQuery::new().with_before(sent[0].created_at());
    let page = server.messenger.history(pair.id(), query).await?;
    let both = query.with_cursor(page.prev);
    is_refused(server.messenger.history(pair.id(), both).await);
    // Without the time it leads to the history itself.
    let newer = HistoryQuery::new().with_cursor(page.prev);
    let page = server.messenger.history(pair.id(), newer).await?;
    assert_eq!(ids(&page.items), ids(&sent[..1]));
    Ok(())
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(answer: Result<Page<T>, Error>) {
    let error = answer.expect_err("the cursor should be refused");
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert_eq!(error.subject(), Some(Subject::CursorScope));
}

#[tokio::test]
async fn streams_return_whole_lists() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, 205).await?;
    let history = server.messenger.history_stream(pair.id());
    let history: Vec<_> = history.try_collect().await?;
    assert_eq!(ids(&history), ids(&sent));

    for n in 0..104 {
        server
            .send(&Pair::new("bob", &format!("friend{n}")), 1)
            .await?;
    }
    let inbox: Vec<_> = server
        .messenger
        .inbox_stream(pair.two)
        .try_collect()
        .await?;
    assert_eq!(inbox.len(), 105);
    assert!(inbox.is_sorted_by(|one, next| one.place() > next.place()));
    Ok(())
}

#[tokio::test]
async fn a_page_of_an_inbox_has_unread_counts_if_asked() -> Tested {
    let (server, pair) = (Server::new(), Pair::alice_and_bob());
    let sent = server.send(&pair, Unread::CAP + 2).await?;
    server.send(&Pair::new("carol", "bob"), 2).await?;
    let query = InboxQuery::new();
    let page = server.messenger.inbox(&pair.two, query).await?;
    assert!(page.items.iter().all(|entry| entry.unread().is_none()));

    let counts = async || {
        let query = query.with_unread(true);
        let page = server.messenger.inbox(&pair.two, query).await?;
        let counts = page.items.iter().filter_map(|entry| entry.unread());
        let counts: Vec<_> = counts.map(|unread| (unread.count, unread.capped)).collect();
        Ok::<_, Error>(counts)
    };
    assert_eq!(counts().await?, [(2, false), (Unread::CAP, true)]);
    for (read, expected) in [
        (&sent[Unread::CAP], (Unread::CAP, false)),
        (&sent[1], (1, false)),
        (&sent[0], (0, false)),
    ] {
        server
            .messenger
            .mark_read(pair.id(), &pair.two, read.id())
            .await?;
        assert_eq!(counts().await?, [(2, false), expected]);
    }
    // One's own messages are not unread.
    let query = query.with_unread(true);
    let page = server.messenger.inbox(&pair.one, query).await?;
    assert_eq!(page.items[0].unread().map(|unread| unread.count), Some(0));
    Ok(())
}
