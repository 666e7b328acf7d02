//! Pages of inboxes: rows and heads of the epochs that they touch, and tombstones only of
//! conversations that were active again within the tables' grace.
//!
//! # The bound
//!
//! A page reads index rows 128 at a time, then 256 and so on, until those of whole epochs fill it. With
//! `k` conversations in an epoch, `21 + k` rows are enough for a page of 20, so at most twice that and
//! a first read come of it. Of those it reads at most `21 + k` conversations, and as many as belong to
//! the last read.
//!
//! A tombstone stands where a conversation has left an epoch, and counts until the grace of the
//! table is over (three hours). Within that time a conversation leaves at most `m = ⌈grace / epoch⌉`
//! epochs: one, where an epoch is six hours. So a page meets at most `m` tombstones for each
//! conversation that was active in the epochs that it touches: `m·k` for each epoch.

use std::time::{Duration, SystemTime};

use libtest_mimic::Trial;
use messenger_core::{
    Conversation, InboxQuery, Limit, Messenger, Position, ReadMarker, Store as _,
};

use super::traced::{Cost, Traced};
use super::world::{READ, Verdict, case, ensure, fill, message, user};

const HOUR: Duration = Duration::from_secs(3600);
const EPOCH: Duration = Duration::from_secs(6 * 3600);
const BUCKET: Duration = Duration::from_secs(10 * 24 * 3600);

/// The shortest epoch that there can be.
const SHORT: Duration = Duration::from_secs(300);

/// Returns the most rows that a page reads if this many conversations are active in an epoch.
fn most(in_an_epoch: u64) -> u64 {
    let index = 128 + 2 * (READ + in_an_epoch);
    index + 2 * (READ + in_an_epoch)
}

pub(crate) fn wide() -> Trial {
    let name = "a_page_of_an_inbox_costs_the_same_with_any_number_of_conversations";
    case(name, BUCKET, EPOCH, async |traced| {
        for conversations in [10, 500, 5_000] {
            inbox(&traced, conversations).await?;
        }
        Ok(())
    })
}

/// An inbox in which a conversation was active in each hour: six in an epoch.
async fn inbox(traced: &Traced, conversations: u32) -> Verdict {
    let owner = user("owner");
    let now = SystemTime::now();
    let last = |n: u32| message(&user("other"), &owner, now - HOUR * n);
    fill(&traced.quick, (0..conversations).map(last)).await?;
    let messenger = Messenger::new(traced.store.clone());
    let page = async |what: &str, query: InboxQuery| {
        let (page, cost) = traced.cost(messenger.inbox(&owner, query)).await?;
        println!("{conversations} conversations, {what} page: {cost}");
        ensure!(
            cost.rows <= most(6) && cost.tombstones == 0 && cost.statements <= 4,
            "the {what} page of {conversations} conversations read {cost}"
        );
        Ok(page)
    };
    let first = page("first", InboxQuery::new()).await?;
    page("newer", InboxQuery::new().with_cursor(first.prev)).await?;
    // To the middle, in large steps and past the relay.
    let quick = Messenger::new(traced.quick.clone());
    let mut next = first.next;
    for _ in 0..conversations / 200 {
        let query = InboxQuery::new().with_limit(Limit::MAX).with_cursor(next);
        next = quick.inbox(&owner, query).await?.next;
    }
    if next.is_some() {
        page("middle", InboxQuery::new().with_cursor(next)).await?;
    }
    Ok(())
}

pub(crate) fn moved() -> Trial {
    let name = "a_page_of_an_inbox_costs_the_same_after_a_hundred_moves_of_each_conversation";
    case(name, BUCKET, SHORT, async |traced| {
        // A hundred epochs of six hours are 25 days; here they are made up in seconds, and the
        // grace is shortened as they are. It covers the last move and not those before.
        const GRACE: Duration = Duration::from_secs(8);
        const CONVERSATIONS: u32 = 30;
        const MOVES: u32 = 100;
        let grace = GRACE.as_secs();
        let cql = format!(
            "ALTER TABLE {}.inbox_recency WITH gc_grace_seconds = {grace}",
            traced.keyspace
        );
        traced.bare.query_unpaged(cql, &[]).await?;

        let owner = user("owner");
        let others: Vec<_> = (0..CONVERSATIONS).map(|_| user("other")).collect();
        let now = SystemTime::now();
        let all_at = |at| others.iter().map(move |other| (other, at));
        for epochs_ago in (0..=MOVES).rev() {
            if epochs_ago == 0 {
                tokio::time::sleep(GRACE + Duration::from_secs(2)).await;
            }
            let all = all_at(now - SHORT * epochs_ago);
            let messages = all.map(|(other, at)| message(other, &owner, at));
            fill(&traced.quick, messages).await?;
        }
        // The rows that were left are deleted by a task of their own.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let messenger = Messenger::new(traced.store.clone());
        let (first, cost) = traced
            .cost(messenger.inbox(&owner, InboxQuery::new()))
            .await?;
        check("first", cost, CONVERSATIONS)?;
        ensure!(first.items.len() == 20, "{} items", first.items.len());
        let next = InboxQuery::new().with_cursor(first.next);
        let (next, cost) = traced.cost(messenger.inbox(&owner, next)).await?;
        check("second", cost, CONVERSATIONS)?;
        ensure!(next.items.len() == 10, "{} items", next.items.len());
        let newer = InboxQuery::new().with_cursor(first.prev);
        let (_, cost) = traced.cost(messenger.inbox(&owner, newer)).await?;
        check("newer", cost, CONVERSATIONS)
    })
}

/// Each conversation has left one epoch within the grace.
fn check(what: &str, cost: Cost, conversations: u32) -> Verdict {
    println!("{conversations} conversations moved 100 times, {what} page: {cost}");
    let conversations = u64::from(conversations);
    ensure!(
        // A scan that goes on behind a row meets the same tombstones no second time.
        cost.tombstones <= conversations && cost.rows <= most(conversations),
        "the {what} page read {cost}"
    );
    Ok(())
}

pub(crate) fn imported() -> Trial {
    let name = "an_import_of_the_newest_messages_first_leaves_no_tombstone";
    case(name, BUCKET, SHORT, async |traced| {
        let owner = user("owner");
        let others: Vec<_> = (0..10).map(|_| user("other")).collect();
        let now = SystemTime::now();
        for epochs_ago in 0..100 {
            let at = now - SHORT * epochs_ago;
            let all = others.iter().map(|other| message(other, &owner, at));
            fill(&traced.quick, all).await?;
        }
        let (page, cost) = traced
            .cost(traced.store.inbox(&owner, None, READ as usize))
            .await?;
        println!("10 conversations of 100 epochs imported, first page: {cost}");
        ensure!(
            // A row of the index and one of the truth for each, and the static row.
            page.len() == 10 && cost.rows == 21 && cost.tombstones == 0,
            "{} items; {cost}",
            page.len()
        );
        Ok(())
    })
}

pub(crate) fn crowded() -> Trial {
    let name = "a_page_of_a_crowded_epoch_reads_that_epoch_and_no_more";
    case(name, BUCKET, EPOCH, async |traced| {
        const CONVERSATIONS: u32 = 400;
        let owner = user("owner");
        // The beginning of an epoch long ago, so that nothing depends on the time of day.
        let start = SystemTime::UNIX_EPOCH + EPOCH * 70_000;
        let minute = Duration::from_secs(40);
        let inside = |n: u32| message(&user("other"), &owner, start + minute * n);
        let before = |n: u32| message(&user("other"), &owner, start - minute * (n + 1));
        fill(&traced.quick, (0..CONVERSATIONS).map(inside)).await?;
        fill(&traced.quick, (0..CONVERSATIONS).map(before)).await?;
        let (page, cost) = traced
            .cost(traced.store.inbox(&owner, None, READ as usize))
            .await?;
        println!("{CONVERSATIONS} conversations in each epoch, first page: {cost}");
        ensure!(page.len() == READ as usize, "{} items", page.len());
        ensure!(
            cost.rows <= most(CONVERSATIONS.into()) && cost.tombstones == 0,
            "the page read {cost}"
        );
        Ok(())
    })
}

/// One statement reads when anything was changed last: one row, and the static columns.
pub(crate) fn idle() -> Trial {
    let name = "an_inbox_that_has_not_changed_costs_one_row";
    case(name, BUCKET, EPOCH, async |traced| {
        const CONVERSATIONS: usize = 100;
        let limit = READ as usize;
        // All in one epoch long ago.
        let start = SystemTime::UNIX_EPOCH + EPOCH * 70_000;
        let at = |n: usize| start + Duration::from_secs(n as u64);
        let owners = [user("imports"), user("reads")];
        let mut inboxes = Vec::new();
        for owner in &owners {
            let messages: Vec<_> = (0..CONVERSATIONS)
                .map(|n| message(&user("other"), owner, at(n)))
                .collect();
            fill(&traced.quick, messages.clone()).await?;
            inboxes.push(messages);
        }
        let store = &traced.store;
        let is_one_row = |cost: Cost| cost.statements == 1 && cost.rows <= 2;

        let latest = inboxes[0][CONVERSATIONS - 1].id().into();
        let poll = traced.cost(store.inbox_log(&owners[0], latest, limit));
        let (log, cost) = poll.await?;
        println!("{CONVERSATIONS} conversations in an epoch, idle poll: {cost}");
        ensure!(log.is_empty(), "{} items", log.len());
        ensure!(is_one_row(cost), "the poll read {cost}");

        // Everything has settled when this is over.
        tokio::time::sleep(store.settle() + Duration::from_secs(1)).await;
        for owner in &owners {
            let first = store.inbox(owner, None, limit).await?;
            let (again, cost) = traced.cost(store.inbox(owner, None, limit)).await?;
            println!("{CONVERSATIONS} conversations in an epoch, first page again: {cost}");
            ensure!(first == again, "another page");
            ensure!(is_one_row(cost), "the page read {cost}");
        }

        // A change shows at once: one whose key is older than the latest one, and one that changes
        // nothing but a marker.
        let [imports, reads] = &owners;
        let import = message(&user("import"), imports, at(CONVERSATIONS - 10));
        traced.quick.put(import.id().into(), &import).await?;
        let page = store.inbox(imports, None, limit).await?;
        let place = Position::from(import.id());
        let is_there = page.iter().any(|entry| entry.place() == place);
        ensure!(is_there, "the import is not on the page");

        let last = &inboxes[1][CONVERSATIONS - 1];
        let marker = ReadMarker::new(Conversation::of(last), reads.clone(), last.id());
        let key = message(reads, imports, SystemTime::now()).id();
        traced.quick.mark(key.into(), &marker).await?;
        let page = store.inbox(reads, None, limit).await?;
        ensure!(
            page[0].read_up_to() == Some(last.id()),
            "the marker is not on the page"
        );
        Ok(())
    })
}
