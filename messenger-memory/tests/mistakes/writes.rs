//! Mistakes when writing: rules 1, 2, 4, 6 and 8.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use messenger_core::{
    Content, ConversationId, Error, InboxEntry, LastMessage, LogKey, Message, MessageId,
    MessageParts, Position, Revision, Store as _, UserId,
};
use parking_lot::Mutex;

use crate::planted::{ALL, Mistake, mistake, older, with_last, with_preview};

pub(crate) fn mistakes() -> Vec<Mistake> {
    vec![
        Mistake::of::<a_repeated_put_shows_twice>(),
        Mistake::of::<a_repeated_put_moves_the_conversation_up>(),
        Mistake::of::<the_inbox_of_the_receiver_is_forgotten>(),
        Mistake::of::<acknowledged_before_it_shows>(),
        Mistake::of::<the_preview_is_that_of_the_message_before>(),
        Mistake::of::<an_edit_does_not_show_by_id>(),
        Mistake::of::<an_edit_does_not_show_in_the_preview>(),
        Mistake::of::<a_long_text_is_cut>().only_in_a_case(),
        Mistake::of::<white_space_is_trimmed>().only_in_a_case(),
        Mistake::of_two_clients::<a_cache_misses_other_writers>(),
        Mistake::of::<the_last_write_is_the_last_message>(),
        Mistake::of::<an_older_message_is_refused>(),
        Mistake::of::<an_edit_without_its_message_is_lost>().only_in_a_case(),
        Mistake::of::<versions_are_ordered_by_arrival>(),
        Mistake::of::<an_edit_of_an_older_message_makes_it_the_last>(),
        Mistake::of::<an_unsent_message_is_not_the_last>(),
        Mistake::of::<the_last_message_is_lost_in_a_race>().only_in_a_case(),
        Mistake::of::<a_message_is_lost_in_a_race>().only_in_a_case(),
        Mistake::of::<a_version_is_lost_in_a_race>().only_in_a_case(),
        Mistake::of::<half_a_put_if_it_is_dropped>().only_in_a_case(),
        Mistake::of::<an_unsend_without_its_preview_if_it_is_dropped>().only_in_a_case(),
        Mistake::of::<a_change_without_its_log_if_it_is_dropped>().only_in_a_case(),
    ]
}

mistake! { 1 => a_repeated_put_shows_twice(Mutex<HashMap<(MessageId, Revision), usize>>) {
    put(this, key, message) {
        *this.state.lock().entry((message.id(), message.revision())).or_default() += 1;
        this.store.put(key, message).await
    }
    history(this, conversation, below, limit) {
        let page = this.store.history(conversation, below, limit).await?;
        let puts = this.state.lock();
        let times = |message: &Message| puts.get(&(message.id(), message.revision())).copied();
        let rows = page.into_iter().flat_map(|message| {
            let rows = times(&message).unwrap_or(1);
            std::iter::repeat_n(message, rows)
        });
        Ok(rows.take(limit).collect())
    }
} }

mistake! { 5 => a_repeated_put_moves_the_conversation_up(Mutex<Vec<MessageId>>) {
    put(this, key, message) {
        let known = this.store.message(message.conversation_id(), message.id()).await?;
        if known.is_some() {
            this.state.lock().push(message.id());
        }
        this.store.put(key, message).await
    }
    inbox(this, user, below, limit) {
        let mut list = this.store.inbox(user, None, ALL).await?;
        let repeated = this.state.lock();
        list.sort_by_key(|entry| !repeated.contains(&entry.last_message().id()));
        Ok(older(list, InboxEntry::place, below, limit))
    }
} }

mistake! { 2 => the_inbox_of_the_receiver_is_forgotten(Mutex<HashSet<(ConversationId, UserId)>>) {
    put(this, key, message) {
        let row = (message.conversation_id(), message.sender_id().clone());
        this.state.lock().insert(row);
        this.store.put(key, message).await
    }
    inbox(this, user, below, limit) {
        let mut list = this.store.inbox(user, None, ALL).await?;
        let rows = this.state.lock();
        list.retain(|entry| rows.contains(&(entry.id(), user.clone())));
        Ok(older(list, InboxEntry::place, below, limit))
    }
} }

mistake! { 2 => acknowledged_before_it_shows {
    put(this, key, message) {
        let (store, message) = (std::sync::Arc::clone(&this.store), message.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(3)).await;
            store.put(key, &message).await
        });
        Ok(())
    }
} }

mistake! { 2 => the_preview_is_that_of_the_message_before {
    inbox(this, user, below, limit) {
        let mut list = this.store.inbox(user, below, limit).await?;
        for entry in &mut list {
            let newest = this.store.history(entry.id(), None, 2).await?;
            if let [_, before] = &newest[..] {
                let preview = before.content().map(Content::preview);
                *entry = with_preview(entry, preview);
            }
        }
        Ok(list)
    }
} }

mistake! { 2 => an_edit_does_not_show_by_id(Mutex<HashMap<MessageId, Message>>) {
    put(this, key, message) {
        this.state.lock().entry(message.id()).or_insert_with(|| message.clone());
        this.store.put(key, message).await
    }
    message(this, conversation, id) {
        let found = this.store.message(conversation, id).await?;
        Ok(found.map(|found| match this.state.lock().get(&id) {
            Some(first) if !found.is_unsent() => first.clone(),
            _ => found,
        }))
    }
} }

mistake! { 6 => an_edit_does_not_show_in_the_preview(Mutex<HashMap<MessageId, LastMessage>>) {
    put(this, key, message) {
        let last = LastMessage::of(message);
        this.state.lock().entry(message.id()).or_insert(last);
        this.store.put(key, message).await
    }
    inbox(this, user, below, limit) {
        let mut list = this.store.inbox(user, below, limit).await?;
        let first = this.state.lock();
        for entry in list.iter_mut().filter(|entry| !entry.last_message().is_unsent()) {
            if let Some(first) = first.get(&entry.last_message().id()) {
                *entry = with_last(entry, first.clone());
            }
        }
        Ok(list)
    }
} }

/// Returns the message with another text.
fn with_text(message: &Message, text: impl Fn(&str) -> String) -> Result<Message, Error> {
    let Some(content) = message.content() else {
        return Ok(message.clone());
    };
    Ok(Message::from_parts(MessageParts {
        id: message.id(),
        conversation_id: message.conversation_id(),
        sender_id: message.sender_id().clone(),
        receiver_id: message.receiver_id().clone(),
        revision: message.revision(),
        content: Some(Content::new(text(content.as_str()))?),
    }))
}

mistake! { 2 => a_long_text_is_cut {
    put(this, key, message) {
        let cut = |text: &str| text.chars().take(1_000).collect();
        this.store.put(key, &with_text(message, cut)?).await
    }
} }

mistake! { 2 => white_space_is_trimmed {
    put(this, key, message) {
        let trimmed = |text: &str| text.trim().to_owned();
        this.store.put(key, &with_text(message, trimmed)?).await
    }
} }

mistake! { 2 => a_cache_misses_other_writers(Mutex<HashMap<(UserId, ConversationId), InboxEntry>>) {
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        Ok(entry.map(|entry| {
            let mut cache = this.state.lock();
            cache.entry((user.clone(), conversation)).or_insert(entry).clone()
        }))
    }
    settle() {
        Duration::from_secs(1)
    }
} }

mistake! { 4 => the_last_write_is_the_last_message(Mutex<HashMap<ConversationId, LastMessage>>) {
    put(this, key, message) {
        let last = LastMessage::of(message);
        this.state.lock().insert(message.conversation_id(), last);
        this.store.put(key, message).await
    }
    inbox(this, user, below, limit) {
        let mut list = this.store.inbox(user, None, ALL).await?;
        let last = this.state.lock();
        for entry in &mut list {
            if let Some(last) = last.get(&entry.id()) {
                *entry = with_last(entry, last.clone());
            }
        }
        list.sort_by_key(|entry| std::cmp::Reverse(entry.place()));
        Ok(older(list, InboxEntry::place, below, limit))
    }
} }

mistake! { 4 => an_older_message_is_refused {
    put(this, key, message) {
        let newest = this.store.history(message.conversation_id(), None, 1).await?;
        if message.is_original() && newest.iter().any(|newest| newest.id() > message.id()) {
            return Ok(());
        }
        this.store.put(key, message).await
    }
} }

mistake! { 4 => an_edit_without_its_message_is_lost {
    put(this, key, message) {
        let known = this.store.message(message.conversation_id(), message.id()).await?;
        if known.is_none() && !message.is_original() {
            return Ok(());
        }
        this.store.put(key, message).await
    }
} }

mistake! { 4 => versions_are_ordered_by_arrival(Mutex<HashMap<MessageId, Message>>) {
    put(this, key, message) {
        this.state.lock().entry(message.id())
            .and_modify(|known| if !known.is_unsent() { *known = message.clone() })
            .or_insert_with(|| message.clone());
        this.store.put(key, message).await
    }
    history(this, conversation, below, limit) {
        let page = this.store.history(conversation, below, limit).await?;
        let arrived = this.state.lock();
        Ok(page.into_iter().map(|message| arrived[&message.id()].clone()).collect())
    }
} }

mistake! { 6 => an_edit_of_an_older_message_makes_it_the_last(Mutex<HashMap<ConversationId, LastMessage>>) {
    put(this, key, message) {
        let last = LastMessage::of(message);
        if message.is_original() {
            this.state.lock().remove(&message.conversation_id());
        } else {
            this.state.lock().insert(message.conversation_id(), last);
        }
        this.store.put(key, message).await
    }
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        let last = this.state.lock().get(&conversation).cloned();
        Ok(entry.map(|entry| match last {
            Some(last) if last.id() < entry.last_message().id() => with_last(&entry, last),
            _ => entry,
        }))
    }
} }

mistake! { 6 => an_unsent_message_is_not_the_last {
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        let history = this.store.history(conversation, None, ALL).await?;
        let last = history.iter().find(|message| !message.is_unsent());
        Ok(match (entry, last) {
            (Some(entry), Some(last)) => Some(with_last(&entry, LastMessage::of(last))),
            (entry, _) => entry,
        })
    }
} }

mistake! { 6 => the_last_message_is_lost_in_a_race(Mutex<HashMap<ConversationId, LastMessage>>) {
    put(this, key, message) {
        let conversation = message.conversation_id();
        let known = this.state.lock().get(&conversation).cloned();
        tokio::task::yield_now().await;
        let rank = |last: &LastMessage| (last.id(), last.version());
        let last = LastMessage::of(message);
        if known.is_none_or(|known| rank(&known) < rank(&last)) {
            this.state.lock().insert(conversation, last);
        }
        this.store.put(key, message).await
    }
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        let last = this.state.lock().get(&conversation).cloned();
        Ok(entry.map(|entry| match last {
            Some(last) => with_last(&entry, last),
            None => entry,
        }))
    }
} }

mistake! { 6 => a_message_is_lost_in_a_race(Mutex<HashMap<ConversationId, BTreeSet<MessageId>>>) {
    put(this, key, message) {
        let conversation = message.conversation_id();
        let mut row = this.state.lock().get(&conversation).cloned().unwrap_or_default();
        tokio::task::yield_now().await;
        row.insert(message.id());
        this.state.lock().insert(conversation, row);
        this.store.put(key, message).await
    }
    history(this, conversation, below, limit) {
        let mut list = this.store.history(conversation, None, ALL).await?;
        let rows = this.state.lock();
        list.retain(|message| rows.get(&conversation).is_some_and(|row| row.contains(&message.id())));
        Ok(older(list, |message| message.id().into(), below, limit))
    }
} }

mistake! { 6 => a_version_is_lost_in_a_race(Mutex<HashMap<MessageId, Message>>) {
    put(this, key, message) {
        let known = this.state.lock().get(&message.id()).map(Message::version);
        tokio::task::yield_now().await;
        if known < Some(message.version()) {
            this.state.lock().insert(message.id(), message.clone());
        }
        this.store.put(key, message).await
    }
    history(this, conversation, below, limit) {
        let page = this.store.history(conversation, below, limit).await?;
        let rows = this.state.lock();
        Ok(page.into_iter().map(|message| rows[&message.id()].clone()).collect())
    }
} }

mistake! { 8 => half_a_put_if_it_is_dropped(Mutex<HashSet<MessageId>>) {
    put(this, key, message) {
        this.state.lock().insert(message.id());
        this.store.put(key, message).await?;
        tokio::task::yield_now().await;
        this.state.lock().remove(&message.id());
        Ok(())
    }
    inbox(this, user, below, limit) {
        let mut list = this.store.inbox(user, None, ALL).await?;
        let unfinished = this.state.lock();
        list.retain(|entry| !unfinished.contains(&entry.last_message().id()));
        Ok(older(list, InboxEntry::place, below, limit))
    }
} }

mistake! { 8 => an_unsend_without_its_preview_if_it_is_dropped(Mutex<HashMap<MessageId, LastMessage>>) {
    put(this, key, message) {
        let (conversation, id) = (message.conversation_id(), message.id());
        let before = this.store.message(conversation, id).await?;
        if let Some(before) = before.filter(|_| message.is_unsent()) {
            this.state.lock().insert(id, LastMessage::of(&before));
        }
        this.store.put(key, message).await?;
        tokio::task::yield_now().await;
        this.state.lock().remove(&id);
        Ok(())
    }
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        let old = this.state.lock();
        Ok(entry.map(|entry| match old.get(&entry.last_message().id()) {
            Some(old) => with_last(&entry, old.clone()),
            None => entry,
        }))
    }
} }

mistake! { 8 => a_change_without_its_log_if_it_is_dropped {
    put(this, key, message) {
        this.store.put(message.id().into(), message).await?;
        tokio::task::yield_now().await;
        this.store.put(key, message).await
    }
} }
