//! One long history against as many messages in short ones.
//!
//! A page at a random place of a million messages waits for memory that no cache holds, and so does
//! a bare map. Against a history that fits into the caches that looks like a cost of the length. So
//! here both sides hold as much: what is left is what the length itself costs.

use std::sync::Arc;

use anyhow::Result;
use messenger_core::{ConversationId, NewMessage, Store as _};
use messenger_memory::MemoryStore;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::calls::Again;
use crate::lists::FLAT;
use crate::memory::page::{APART, History};
use crate::pages::{self, Page, PageCall};
use crate::pair::Pair;
use crate::sends::{TEXT, user};
use crate::store::Histories;

/// At how many random places pages are read, before it begins anew.
const PLACES: usize = 1 << 16;

/// A page in the middle of the long history, against one in the middle of any of so many short
/// histories that hold as many messages together.
pub(super) async fn pair(long: &History, short: usize) -> Result<Pair> {
    let length = long.list.ids().len();
    let count = length.div_ceil(short);
    let (store, calls) = filled(count, short).await?;
    Ok(Pair::new(
        format!("memory/flat/history-middle/{length}-{count}x{short}"),
        long.list.read(Page::Middle),
        Again::new(Histories(store), calls),
    )
    .with_goal(FLAT))
}

/// A store with so many histories of this length, and pages at random places of all of them.
async fn filled(
    count: usize,
    length: usize,
) -> Result<(Arc<MemoryStore>, Arc<[(ConversationId, PageCall)]>)> {
    let store = Arc::new(MemoryStore::new());
    let ids = pages::ids(length, APART);
    let mut conversations = Vec::with_capacity(count);
    for number in 0..count {
        let (one, other) = (user("a", number)?, user("b", number)?);
        conversations.push(ConversationId::direct(&one, &other));
        for &id in &ids {
            let message = NewMessage::new(one.clone(), other.clone(), TEXT)?.with_id(id);
            store.append(&message).await?;
        }
    }
    let mut random = StdRng::seed_from_u64(length as u64);
    let pages = Page::Middle.calls(&ids);
    let calls = (0..PLACES).filter_map(|_| {
        let conversation = conversations.choose(&mut random)?;
        let page = pages[random.random_range(0..pages.len())];
        Some((*conversation, page))
    });
    Ok((store, calls.collect()))
}
