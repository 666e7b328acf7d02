//! What every call is made of, without a store:
//! `cargo bench -p benches --features criterion --bench core`.
//!
//! Where there is something of the same purpose to compare with, it is in the same group.

#[expect(dead_code, reason = "there are no pairs here")]
mod groups;

use std::hint::black_box;

use anyhow::{Context as _, Result};
use criterion::Criterion;
use messenger_core::{
    Clock, Content, ConversationId, Cursor, HistoryQuery, Limit, Messenger, NewMessage, UserId,
};
use messenger_memory::MemoryStore;
use tokio::runtime;
use uuid::Uuid;

fn main() -> Result<()> {
    let mut criterion = groups::criterion();
    ids(&mut criterion)?;
    cursors(&mut criterion)?;
    texts(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn ids(criterion: &mut Criterion) -> Result<()> {
    let clock = Clock::new();
    let mut group = criterion.benchmark_group("core/message-id");
    group.bench_function("clock", |bencher| bencher.iter(|| clock.next_id()));
    group.bench_function("uuid", |bencher| bencher.iter(Uuid::now_v7));
    group.finish();

    let (alice, bob) = (
        UserId::new("alice@example.org")?,
        UserId::new("bob@example.org")?,
    );
    let (namespace, name) = (Uuid::from_u128(1), format!("_{alice}_{bob}"));
    let mut group = criterion.benchmark_group("core/conversation-id");
    group.bench_function("direct", |bencher| {
        bencher.iter(|| ConversationId::direct(black_box(&alice), black_box(&bob)));
    });
    group.bench_function("uuid", |bencher| {
        bencher.iter(|| Uuid::new_v5(black_box(&namespace), black_box(name.as_bytes())));
    });
    group.finish();
    Ok(())
}

/// A cursor is minted by copying three UUIDs, within the making of a page; what it costs is its
/// text.
fn cursors(criterion: &mut Criterion) -> Result<()> {
    let [older, newer] = made_cursors()?;
    for (name, cursor) in [("older", older), ("newer", newer)] {
        let text = cursor.to_string();
        let mut group = criterion.benchmark_group(format!("core/cursor/{name}"));
        group.bench_function("display", |bencher| {
            bencher.iter(|| black_box(&cursor).to_string());
        });
        group.bench_function("parse", |bencher| {
            bencher.iter(|| black_box(text.as_str()).parse::<Cursor>());
        });
        group.finish();
    }
    Ok(())
}

/// Both cursors of a page.
fn made_cursors() -> Result<[Cursor; 2]> {
    runtime::Builder::new_current_thread()
        .build()?
        .block_on(async {
            let messenger = Messenger::new(MemoryStore::new());
            let message = || NewMessage::new("alice".parse()?, "bob".parse()?, "Hello");
            messenger.send(message()?).await?;
            let last = messenger.send(message()?).await?;
            let query = HistoryQuery::new().with_limit(Limit::MIN);
            let page = messenger.history(last.conversation_id(), query).await?;
            Ok([page.next.context("there are two messages")?, page.prev])
        })
}

fn texts(criterion: &mut Criterion) -> Result<()> {
    for (name, text) in [
        ("ascii", "It is quiet on the square. ".repeat(700)),
        ("accents", "e\u{301}te\u{301} ".repeat(2_000)),
    ] {
        let content = Content::new(text.as_str())?;
        let mut group = criterion.benchmark_group(format!("core/text/{name}/{}", text.len()));
        group.bench_function("preview", |bencher| {
            bencher.iter(|| black_box(&content).preview());
        });
        group.bench_function("content", |bencher| {
            bencher.iter(|| Content::new(black_box(text.as_str())));
        });
        group.bench_function("arc", |bencher| {
            bencher.iter(|| std::sync::Arc::<str>::from(black_box(text.as_str())));
        });
        group.finish();
    }
    Ok(())
}
