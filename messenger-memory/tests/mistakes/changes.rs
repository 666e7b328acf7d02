//! Mistakes about unsent messages, read markers and unread counts: rules 13, 14 and 15.

use std::collections::{HashMap, HashSet};

use messenger_core::{
    Content, ConversationId, Error, InboxEntry, LogKey, Logged, Message, MessageId, Position,
    ReadMarker, Store as _, UserId,
};
use parking_lot::Mutex;

use crate::planted::{ALL, Mistake, mistake, with_preview};

pub(crate) fn mistakes() -> Vec<Mistake> {
    vec![
        Mistake::of::<an_edit_brings_an_unsent_text_back>(),
        Mistake::of::<a_late_send_brings_the_first_text_back>(),
        Mistake::of::<an_unsend_in_the_microsecond_of_its_message_is_lost>(),
        Mistake::of::<an_unsent_text_stays_in_the_preview>(),
        Mistake::of::<an_unsent_text_stays_in_the_entry>(),
        Mistake::of::<an_unsent_text_is_found_by_id>(),
        Mistake::of::<an_unsent_text_stays_in_the_log_of_a_history>(),
        Mistake::of::<an_unsent_text_stays_in_the_log_of_an_inbox>(),
        Mistake::of::<a_marker_goes_back>(),
        Mistake::of::<a_marker_is_on_one_side_only>(),
        Mistake::of::<half_a_mark_if_it_is_dropped>().only_in_a_case(),
        Mistake::of::<the_two_markers_are_confused>(),
        Mistake::of::<a_send_moves_the_marker_of_its_sender>(),
        Mistake::of::<a_new_message_resets_the_markers>(),
        Mistake::of::<a_user_has_one_marker_for_all_conversations>(),
        Mistake::of::<unread_counts_own_messages>(),
        Mistake::of::<unread_counts_unsent_messages>(),
        Mistake::of::<unread_counts_the_message_at_the_position>(),
        Mistake::of::<unread_ignores_the_cap>(),
        Mistake::of::<unread_counts_every_write>(),
    ]
}

type Texts = Mutex<HashMap<MessageId, Message>>;

/// Notes the last text of a message.
fn note_text(texts: &Texts, message: &Message) {
    if !message.is_unsent() {
        let mut texts = texts.lock();
        let known = texts.entry(message.id()).or_insert_with(|| message.clone());
        if known.version() < message.version() {
            *known = message.clone();
        }
    }
}

/// Returns the message with the text that it had, if it is unsent.
fn with_text(texts: &Texts, message: Message) -> Message {
    match texts.lock().get(&message.id()) {
        Some(before) if message.is_unsent() => before.clone(),
        _ => message,
    }
}

/// Returns the entry with the preview that it had, if its last message is unsent.
fn with_old_preview(texts: &Texts, entry: InboxEntry) -> InboxEntry {
    let last = entry.last_message();
    match texts.lock().get(&last.id()) {
        Some(before) if last.is_unsent() => {
            with_preview(&entry, before.content().map(Content::preview))
        }
        _ => entry,
    }
}

// Versions are compared by the revision only.
mistake! { 13 => an_edit_brings_an_unsent_text_back(Texts) {
    put(this, key, message) {
        note_text(&this.state, message);
        this.store.put(key, message).await
    }
    history(this, conversation, below, limit) {
        let page = this.store.history(conversation, below, limit).await?;
        let texts = this.state.lock();
        let shown = |message: Message| match texts.get(&message.id()) {
            Some(edit) if edit.revision() > message.revision() => edit.clone(),
            _ => message,
        };
        Ok(page.into_iter().map(shown).collect())
    }
} }

// A late send is taken for a new version.
mistake! { 13 => a_late_send_brings_the_first_text_back(Texts) {
    put(this, key, message) {
        let is_late = message.is_original() && key != message.id().into();
        if is_late {
            this.state.lock().insert(message.id(), message.clone());
        } else {
            this.state.lock().remove(&message.id());
        }
        this.store.put(key, message).await
    }
    history(this, conversation, below, limit) {
        let page = this.store.history(conversation, below, limit).await?;
        let late = this.state.lock();
        Ok(page.into_iter().map(|message| late.get(&message.id()).cloned().unwrap_or(message)).collect())
    }
} }

// Write timestamps have microseconds, and of equal ones the text wins.
mistake! { 13 => an_unsend_in_the_microsecond_of_its_message_is_lost {
    put(this, key, message) {
        if message.is_unsent() && message.revision().as_micros() == message.id().as_micros() {
            return Ok(());
        }
        this.store.put(key, message).await
    }
} }

mistake! { 13 => an_unsent_text_stays_in_the_preview(Texts) {
    put(this, key, message) {
        note_text(&this.state, message);
        this.store.put(key, message).await
    }
    inbox(this, user, below, limit) {
        let page = this.store.inbox(user, below, limit).await?;
        Ok(page.into_iter().map(|entry| with_old_preview(&this.state, entry)).collect())
    }
} }

mistake! { 13 => an_unsent_text_stays_in_the_entry(Texts) {
    put(this, key, message) {
        note_text(&this.state, message);
        this.store.put(key, message).await
    }
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        Ok(entry.map(|entry| with_old_preview(&this.state, entry)))
    }
} }

// So a replay of an idempotent send returns it too.
mistake! { 13 => an_unsent_text_is_found_by_id(Texts) {
    put(this, key, message) {
        note_text(&this.state, message);
        this.store.put(key, message).await
    }
    message(this, conversation, id) {
        let found = this.store.message(conversation, id).await?;
        Ok(found.map(|message| with_text(&this.state, message)))
    }
} }

// The log keeps the message as it was at the key.
mistake! { 13 => an_unsent_text_stays_in_the_log_of_a_history(Mutex<HashMap<LogKey, Message>>) {
    put(this, key, message) {
        this.state.lock().insert(key, message.clone());
        this.store.put(key, message).await
    }
    history_log(this, conversation, above, limit) {
        let mut log = this.store.history_log(conversation, above, limit).await?;
        let versions = this.state.lock();
        for logged in &mut log {
            if let Some(version) = versions.get(&logged.key) {
                logged.item = version.clone();
            }
        }
        Ok(log)
    }
} }

mistake! { 13 => an_unsent_text_stays_in_the_log_of_an_inbox(Texts) {
    put(this, key, message) {
        note_text(&this.state, message);
        this.store.put(key, message).await
    }
    inbox_log(this, user, above, limit) {
        let mut log = this.store.inbox_log(user, above, limit).await?;
        for logged in &mut log {
            logged.item = with_old_preview(&this.state, logged.item.clone());
        }
        Ok(log)
    }
} }

type Markers<Of> = Mutex<HashMap<Of, MessageId>>;

mistake! { 14 => a_marker_goes_back(Markers<(ConversationId, UserId)>) {
    mark(this, key, marker) {
        let row = (marker.conversation.id(), marker.reader.clone());
        this.state.lock().insert(row, marker.up_to);
        this.store.mark(key, marker).await
    }
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        let marker = this.state.lock().get(&(conversation, user.clone())).copied();
        Ok(entry.map(|entry| {
            let seen = entry.seen_up_to();
            entry.with_markers(marker, seen)
        }))
    }
} }

mistake! { 14 => a_marker_is_on_one_side_only {
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        Ok(entry.map(|entry| {
            let read = entry.read_up_to();
            entry.with_markers(read, None)
        }))
    }
} }

mistake! { 8 => half_a_mark_if_it_is_dropped(Mutex<HashSet<(ConversationId, MessageId)>>) {
    mark(this, key, marker) {
        let row = (marker.conversation.id(), marker.up_to);
        this.state.lock().insert(row);
        this.store.mark(key, marker).await?;
        tokio::task::yield_now().await;
        this.state.lock().remove(&row);
        Ok(())
    }
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        let unfinished = this.state.lock();
        Ok(entry.map(|entry| {
            let (read, seen) = (entry.read_up_to(), entry.seen_up_to());
            let seen = seen.filter(|&seen| !unfinished.contains(&(conversation, seen)));
            entry.with_markers(read, seen)
        }))
    }
} }

mistake! { 14 => the_two_markers_are_confused {
    inbox(this, user, below, limit) {
        let page = this.store.inbox(user, below, limit).await?;
        let confused = page.into_iter().map(|entry| {
            let (read, seen) = (entry.read_up_to(), entry.seen_up_to());
            entry.with_markers(seen, read)
        });
        Ok(confused.collect())
    }
} }

mistake! { 14 => a_send_moves_the_marker_of_its_sender {
    put(this, key, message) {
        this.store.put(key, message).await?;
        let conversation = messenger_core::Conversation::of(message);
        let marker = ReadMarker::new(conversation, message.sender_id().clone(), message.id());
        this.store.mark(key, &marker).await
    }
} }

mistake! { 14 => a_new_message_resets_the_markers(Mutex<HashSet<ConversationId>>) {
    put(this, key, message) {
        this.state.lock().insert(message.conversation_id());
        this.store.put(key, message).await
    }
    mark(this, key, marker) {
        this.state.lock().remove(&marker.conversation.id());
        this.store.mark(key, marker).await
    }
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        let is_reset = this.state.lock().contains(&conversation);
        Ok(entry.map(|entry| if is_reset { entry.with_markers(None, None) } else { entry }))
    }
} }

mistake! { 14 => a_user_has_one_marker_for_all_conversations(Markers<UserId>) {
    mark(this, key, marker) {
        this.state.lock().entry(marker.reader.clone())
            .and_modify(|greatest| *greatest = marker.up_to.max(*greatest))
            .or_insert(marker.up_to);
        this.store.mark(key, marker).await
    }
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        let marker = this.state.lock().get(user).copied();
        Ok(entry.map(|entry| {
            let seen = entry.seen_up_to();
            entry.with_markers(marker, seen)
        }))
    }
} }

/// Returns the messages above a position.
async fn above_it(
    store: &messenger_memory::MemoryStore,
    conversation: ConversationId,
    above: Option<Position>,
) -> Result<Vec<Message>, Error> {
    let mut list = store.history(conversation, None, ALL).await?;
    list.retain(|message| Some(Position::from(message.id())) > above);
    Ok(list)
}

mistake! { 15 => unread_counts_own_messages {
    unread(this, conversation, reader, above, cap) {
        let _ = reader;
        let messages = above_it(&this.store, conversation, above).await?.into_iter();
        Ok(messages.filter(|message| !message.is_unsent()).take(cap).count())
    }
} }

mistake! { 15 => unread_counts_unsent_messages {
    unread(this, conversation, reader, above, cap) {
        let messages = above_it(&this.store, conversation, above).await?.into_iter();
        Ok(messages.filter(|message| message.sender_id() != reader).take(cap).count())
    }
} }

mistake! { 15 => unread_counts_the_message_at_the_position {
    unread(this, conversation, reader, above, cap) {
        let above = above.map(Position::pred);
        this.store.unread(conversation, reader, above, cap).await
    }
} }

mistake! { 15 => unread_ignores_the_cap {
    unread(this, conversation, reader, above, cap) {
        let _ = cap;
        this.store.unread(conversation, reader, above, ALL).await
    }
} }

// A counter that each write adds to, also a repeated one.
mistake! { 15 => unread_counts_every_write(Mutex<Vec<(ConversationId, UserId, MessageId)>>) {
    put(this, key, message) {
        let row = (message.conversation_id(), message.receiver_id().clone(), message.id());
        this.state.lock().push(row);
        this.store.put(key, message).await
    }
    unread(this, conversation, reader, above, cap) {
        let writes = this.state.lock();
        let writes = writes.iter().filter(|(of, to, _)| *of == conversation && to == reader);
        Ok(writes.filter(|(.., id)| Some(Position::from(*id)) > above).take(cap).count())
    }
} }
