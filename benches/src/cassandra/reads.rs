//! Pages and conversations, from the store and from the bare driver.

use std::sync::Arc;

use super::GOAL;
use super::bare::{BareConversations, BareHistory, BareInbox};
use super::world::World;
use crate::calls::Again;
use crate::pair::Pair;
use crate::store::Conversations;

/// Each page of each list, and conversations.
pub(super) fn pairs(world: &World) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for history in &world.histories {
        let conversation = history.reader().conversation();
        let bare = Arc::new(BareHistory::new(&world.bare, conversation));
        pairs.extend(history.pairs("cassandra", &bare, Some(GOAL)));
    }
    for inbox in &world.inboxes {
        let bare = Arc::new(BareInbox::new(&world.bare, inbox.reader().user()));
        pairs.extend(inbox.pairs("cassandra", &bare, Some(GOAL)));
    }
    let ids = &world.conversations;
    pairs.push(Pair::new(
        "cassandra/conversation",
        Again::new(Conversations(Arc::clone(&world.store)), Arc::clone(ids)),
        Again::new(BareConversations(Arc::clone(&world.bare)), Arc::clone(ids)),
    ));
    pairs
}
