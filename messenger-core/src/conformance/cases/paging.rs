//! Pages, as clients turn them: the [`Messenger`] above the store. Rules 3 and 11.

use std::time::Duration;

use crate::testing::client::{Client, History, Inbox, over_the_wire};
use crate::testing::failure::{Verdict, ensure};
use crate::testing::stage::{Pair, Stage};
use crate::testing::{Failure, check};
use crate::{
    Cursor, ErrorKind, HistoryQuery, InboxQuery, Limit, Message, Messenger, Slice, Subject,
};

/// Sends so many messages, a second apart. Gives them newest first.
async fn send(
    stage: &Stage,
    pair: &Pair,
    count: usize,
) -> Result<(Messenger, Vec<Message>), Failure> {
    let (messenger, time) = stage.messenger();
    let mut sent = Vec::new();
    for n in 0..count {
        sent.push(messenger.send(pair.text(format!("message {n}"))?).await?);
        time.advance(Duration::from_secs(1));
    }
    sent.reverse();
    Ok((messenger, sent))
}

pub(super) async fn a_walk_ends_with_the_last_item(stage: &Stage) -> Verdict {
    // As many as fill the last page, and one more or less.
    for count in [1, 2, 3, 4, 5, 6, 7] {
        let pair = Pair::new(
            stage.nth_user("alice", count)?,
            stage.nth_user("bob", count)?,
        );
        let (messenger, sent) = send(stage, &pair, count).await?;
        for limit in [1, 2, 3, 6] {
            let mut client = Client::new(&messenger, History(pair.conversation()), limit)?;
            let first = client.open().await?;
            client.walk(first).await?;
            let got: Vec<_> = client.seen.into_values().rev().collect();
            check::same_list("a walk through a history", &got, &sent)?;

            let mut client = Client::new(&messenger, Inbox(pair.one.clone()), limit)?;
            let more = client.open().await?;
            ensure!(
                more.is_none(),
                "the only page of an inbox with one conversation has a `next`"
            );
        }
    }
    Ok(())
}

pub(super) async fn a_page_before_a_time_holds_what_is_strictly_earlier(stage: &Stage) -> Verdict {
    let pair = stage.pair()?;
    let (messenger, sent) = send(stage, &pair, 8).await?;
    let conversation = pair.conversation();
    let two = HistoryQuery::new().with_limit(Limit::new(2)?);
    for bound in &sent {
        let expected: Vec<_> = sent
            .iter()
            .filter(|message| message.created_at() < bound.created_at())
            .cloned()
            .collect();
        let query = two.with_before(bound.created_at());
        let mut got = Vec::new();
        let mut cursor = None;
        loop {
            let page = messenger
                .history(conversation, query.with_cursor(cursor))
                .await?;
            got.extend(page.items);
            let Some(next) = page.next else { break };
            cursor = Some(over_the_wire(next)?);
        }
        check::same_list("a walk before a time", &got, &expected)?;
    }
    // Both bounds hold, whichever is the lower one.
    let first = messenger.history(conversation, two).await?;
    for (bound, expected) in [(&sent[1], &sent[2..4]), (&sent[4], &sent[5..7])] {
        let query = two.with_before(bound.created_at()).with_cursor(first.next);
        let page = messenger.history(conversation, query).await?;
        check::same_list("a page below a cursor and a time", &page.items, expected)?;
    }
    Ok(())
}

pub(super) async fn newer_pages_hold_the_nearest_items(stage: &Stage) -> Verdict {
    let pair = stage.pair()?;
    let (messenger, sent) = send(stage, &pair, 9).await?;
    let conversation = pair.conversation();
    let query = HistoryQuery::new().with_limit(Limit::new(3)?);
    // To the end, and back.
    let mut page = messenger.history(conversation, query).await?;
    while let Some(next) = page.next {
        let query = query.with_cursor(over_the_wire(next)?);
        page = messenger.history(conversation, query).await?;
    }
    check::same_list("the last page", &page.items, &sent[6..])?;
    for expected in [&sent[3..6], &sent[..3]] {
        let query = query.with_cursor(over_the_wire(page.prev)?);
        page = messenger.history(conversation, query).await?;
        check::same_list("a newer page", &page.items, expected)?;
    }
    // From a newer page the walk goes on to what is older.
    let Some(next) = page.next else {
        return Err(Failure::new("a newer page with items has no `next`"));
    };
    let query = query.with_cursor(over_the_wire(next)?);
    let page = messenger.history(conversation, query).await?;
    check::same_list("the page older than a newer one", &page.items, &sent[3..6])
}

pub(super) async fn a_cursor_of_another_list_is_refused(stage: &Stage) -> Verdict {
    let pair = stage.pair()?;
    let other = Pair::new(pair.one.clone(), stage.user("carol")?);
    let (messenger, _) = send(stage, &pair, 3).await?;
    messenger.send(other.text("hello")?).await?;
    messenger.send(pair.text("hello")?).await?;
    let one = Limit::MIN;
    let history = HistoryQuery::new().with_limit(one);
    let inbox = InboxQuery::new().with_limit(one);

    let page = messenger.history(pair.conversation(), history).await?;
    for cursor in [Some(page.prev), page.next].into_iter().flatten() {
        let cursor = over_the_wire(cursor)?;
        refused_in_history(&messenger, &other, cursor).await?;
        for user in [&pair.one, &pair.two] {
            let answer = messenger.inbox(user, inbox.with_cursor(cursor)).await;
            refused("an inbox, of a history,", answer.err())?;
        }
        messenger
            .history(pair.conversation(), history.with_cursor(cursor))
            .await?;
    }
    let page = messenger.inbox(&pair.one, inbox).await?;
    for cursor in [Some(page.prev), page.next].into_iter().flatten() {
        let cursor = over_the_wire(cursor)?;
        refused_in_history(&messenger, &pair, cursor).await?;
        let answer = messenger.inbox(&pair.two, inbox.with_cursor(cursor)).await;
        refused("an inbox, of another user's,", answer.err())?;
        messenger
            .inbox(&pair.one, inbox.with_cursor(cursor))
            .await?;
    }
    // The refusals are no accident of an empty store.
    let got = stage
        .store
        .history(other.conversation(), Slice::newest(10))
        .await?;
    ensure!(got.len() == 1, "a history of one message is {got:?}");
    Ok(())
}

async fn refused_in_history(messenger: &Messenger, pair: &Pair, cursor: Cursor) -> Verdict {
    let query = HistoryQuery::new().with_cursor(cursor);
    let answer = messenger.history(pair.conversation(), query).await;
    refused("a history, of another list,", answer.err())
}

fn refused(what: &str, error: Option<crate::Error>) -> Verdict {
    let about = error.as_ref().map(|error| (error.kind(), error.subject()));
    ensure!(
        about == Some((ErrorKind::Malformed, Some(Subject::CursorScope))),
        "a cursor in {what} should be refused as malformed in its scope, and gave {error:?}"
    );
    Ok(())
}
