//! `kill -9` under load, again and again.

use std::collections::BTreeSet;
use std::time::Duration;

use libtest_mimic::Trial;
use messenger_core::{ConversationId, HistoryQuery, InboxQuery, Messenger};
use messenger_sqlite::SqliteStore;

use crate::case;
use crate::child::{self, Said};
use crate::world::{Result, contains_all, ensure, history, user, views_agree};

/// The number of kills, unless `MESSENGER_SQLITE_KILLS` says otherwise.
const KILLS: u32 = 10;

pub(crate) fn trials(trials: &mut Vec<Trial>) {
    case!(trials, every_acknowledged_write_survives_kill_9);
}

async fn every_acknowledged_write_survives_kill_9() -> Result {
    let kills = std::env::var("MESSENGER_SQLITE_KILLS");
    let kills = kills.map_or(Ok(KILLS), |kills| kills.parse())?;
    let directory = tempfile::tempdir()?;
    let mut all = Said::default();
    for kill in 0..kills {
        // Different moments of a start and of a run.
        let time = Duration::from_millis(u64::from(60 + kill * 37 % 200));
        let mut said = child::killed_after(directory.path(), time)?;
        all.sent.append(&mut said.sent);
        all.unsent.append(&mut said.unsent);
    }
    ensure(
        all.sent.len() > 50,
        format!("only {} sends", all.sent.len()),
    )?;
    let messenger = Messenger::new(SqliteStore::open(&directory)?);
    for sender in 0..child::SENDERS {
        check(&messenger, &format!("user{sender}"), &all).await?;
    }
    println!(
        "{kills} kills, {} acknowledged, {} unsent",
        all.sent.len(),
        all.unsent.len()
    );
    Ok(())
}

async fn check(messenger: &Messenger, name: &str, all: &Said) -> Result {
    let ids = all.sent.iter().filter(|(sender, _)| sender == name);
    let ids: BTreeSet<_> = ids.map(|&(_, id)| id).collect();
    let conversation = ConversationId::direct(&user(name), &user("hub"));
    let newest = messenger.history(conversation, HistoryQuery::new()).await?;
    let Some(newest) = newest.items.into_iter().next() else {
        return ensure(ids.is_empty(), format!("the history of {name} is empty"));
    };
    contains_all(&history(messenger, &newest).await?, &ids)?;
    views_agree(messenger, &newest).await?;
    for (_, id) in all.unsent.iter().filter(|(sender, _)| sender == name) {
        let message = messenger.message(conversation, *id).await?;
        ensure(
            message.is_some_and(|message| message.is_unsent()),
            format!("{id} was unsent, and its text is back"),
        )?;
    }
    // The log from its beginning finds every message.
    let inbox = messenger.inbox(&user(name), InboxQuery::new()).await?;
    ensure(
        inbox.items.len() == 1,
        "the inbox lists the conversation more than once",
    )
}
