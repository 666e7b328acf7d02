//! Mistakes in the logs: rule 7, and rule 11 in logs.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use messenger_core::{
    ConversationId, Error, InboxEntry, LogKey, Logged, Message, MessageId, Position, ReadMarker,
    Store as _, UserId,
};
use parking_lot::Mutex;

use crate::planted::{ALL, Mistake, mistake, newer};

pub(crate) fn mistakes() -> Vec<Mistake> {
    vec![
        Mistake::of_two_clients::<several_processes_write_and_there_is_no_settle_time>()
            .only_in_a_case(),
        Mistake::of::<a_smaller_id_is_taken_for_known>(),
        Mistake::of::<changes_are_not_in_the_log_of_a_history>(),
        Mistake::of::<changes_are_not_in_the_log_of_an_inbox>(),
        Mistake::of::<marks_are_not_in_the_log>(),
        Mistake::of::<a_mark_is_in_the_log_of_the_reader_only>(),
        Mistake::of::<a_change_is_in_the_log_of_the_sender_only>(),
        Mistake::of::<an_edit_of_an_older_message_does_not_raise_the_entry>(),
        Mistake::of::<the_key_of_an_entry_is_that_of_the_last_write>(),
        Mistake::of::<the_log_is_written_after_the_acknowledgement>(),
        Mistake::of::<a_late_send_is_in_the_log_at_its_id>(),
        Mistake::of::<a_superseded_change_is_skipped>(),
        Mistake::of::<a_repeated_change_is_not_logged_again>(),
        Mistake::of::<the_bound_of_a_log_is_inclusive>(),
        Mistake::of::<a_log_skips_keys_of_the_millisecond_of_its_bound>(),
        Mistake::of::<a_log_keeps_one_key_of_a_millisecond>(),
        Mistake::of::<a_log_is_read_from_the_newest_end>(),
        Mistake::of::<an_entry_is_listed_twice_in_the_log>(),
        Mistake::of::<repeated_items_count_towards_the_limit_of_a_log>(),
        Mistake::of::<a_page_of_a_log_ends_with_its_bucket>(),
    ]
}

mistake! { 7 => several_processes_write_and_there_is_no_settle_time {
    settle() {
        Duration::ZERO
    }
} }

// "Ids only grow": what is a little smaller than the greatest one so far is taken for known.
mistake! { 7 => a_smaller_id_is_taken_for_known(Mutex<Option<MessageId>>) {
    put(this, key, message) {
        let newest = *this.state.lock();
        let age = newest.map(|newest| newest.timestamp().saturating_duration_since(message.created_at()));
        if newest > Some(message.id()) && message.is_original() && age < Some(Duration::from_secs(1)) {
            return Ok(());
        }
        *this.state.lock() = newest.max(Some(message.id()));
        this.store.put(key, message).await
    }
} }

mistake! { 7 => changes_are_not_in_the_log_of_a_history {
    history_log(this, conversation, above, limit) {
        let mut list = this.store.history(conversation, None, ALL).await?;
        let log = list.drain(..).map(|item| Logged { key: item.id().into(), item });
        Ok(newer(log.collect(), above, limit))
    }
} }

/// Returns the log of an inbox with other keys.
fn with_keys(
    log: Vec<Logged<InboxEntry>>,
    key: impl Fn(&Logged<InboxEntry>) -> LogKey,
) -> Vec<Logged<InboxEntry>> {
    log.into_iter()
        .map(|logged| Logged {
            key: key(&logged),
            item: logged.item,
        })
        .collect()
}

/// Returns the place of an entry as a log key.
fn place(logged: &Logged<InboxEntry>) -> LogKey {
    logged.item.last_message().id().into()
}

mistake! { 7 => changes_are_not_in_the_log_of_an_inbox {
    inbox_log(this, user, above, limit) {
        let log = this.store.inbox_log(user, Position::MIN, ALL).await?;
        Ok(newer(with_keys(log, place), above, limit))
    }
} }

mistake! { 7 => marks_are_not_in_the_log {
    mark(this, key, marker) {
        let _ = key;
        this.store.mark(marker.up_to.into(), marker).await
    }
} }

type Keys<Of> = Mutex<HashMap<Of, LogKey>>;

fn raise<Of: Eq + Hash>(keys: &Keys<Of>, of: Of, key: LogKey) {
    let mut keys = keys.lock();
    let greatest = keys.entry(of).or_insert(key);
    *greatest = key.max(*greatest);
}

mistake! { 7 => a_mark_is_in_the_log_of_the_reader_only(Keys<(ConversationId, UserId)>) {
    put(this, key, message) {
        for user in &message.participants() {
            raise(&this.state, (message.conversation_id(), user.clone()), key);
        }
        this.store.put(key, message).await
    }
    mark(this, key, marker) {
        raise(&this.state, (marker.conversation.id(), marker.reader.clone()), key);
        this.store.mark(key, marker).await
    }
    inbox_log(this, user, above, limit) {
        let log = this.store.inbox_log(user, Position::MIN, ALL).await?;
        let keys = this.state.lock();
        let key = |logged: &Logged<InboxEntry>| keys[&(logged.item.id(), user.clone())];
        Ok(newer(with_keys(log, |logged| key(logged).max(place(logged))), above, limit))
    }
} }

mistake! { 7 => a_change_is_in_the_log_of_the_sender_only(Mutex<HashSet<(LogKey, UserId)>>) {
    put(this, key, message) {
        if !message.is_original() {
            this.state.lock().insert((key, message.receiver_id().clone()));
        }
        this.store.put(key, message).await
    }
    inbox_log(this, user, above, limit) {
        let log = this.store.inbox_log(user, Position::MIN, ALL).await?;
        let missed = this.state.lock();
        let key = |logged: &Logged<InboxEntry>| {
            let is_missed = missed.contains(&(logged.key, user.clone()));
            if is_missed { place(logged) } else { logged.key }
        };
        Ok(newer(with_keys(log, key), above, limit))
    }
} }

mistake! { 7 => an_edit_of_an_older_message_does_not_raise_the_entry(Keys<ConversationId>) {
    put(this, key, message) {
        let conversation = message.conversation_id();
        let newest = this.store.history(conversation, None, 1).await?;
        if newest.iter().all(|newest| newest.id() <= message.id()) {
            raise(&this.state, conversation, key);
        }
        this.store.put(key, message).await
    }
    mark(this, key, marker) {
        raise(&this.state, marker.conversation.id(), key);
        this.store.mark(key, marker).await
    }
    inbox_log(this, user, above, limit) {
        let log = this.store.inbox_log(user, Position::MIN, ALL).await?;
        let keys = this.state.lock();
        let key = |logged: &Logged<InboxEntry>| keys[&logged.item.id()].max(place(logged));
        Ok(newer(with_keys(log, key), above, limit))
    }
} }

mistake! { 7 => the_key_of_an_entry_is_that_of_the_last_write(Keys<ConversationId>) {
    put(this, key, message) {
        this.state.lock().insert(message.conversation_id(), key);
        this.store.put(key, message).await
    }
    mark(this, key, marker) {
        this.state.lock().insert(marker.conversation.id(), key);
        this.store.mark(key, marker).await
    }
    inbox_log(this, user, above, limit) {
        let log = this.store.inbox_log(user, Position::MIN, ALL).await?;
        let keys = this.state.lock();
        let key = |logged: &Logged<InboxEntry>| keys[&logged.item.id()].max(place(logged));
        Ok(newer(with_keys(log, key), above, limit))
    }
} }

mistake! { 7 => the_log_is_written_after_the_acknowledgement {
    put(this, key, message) {
        this.store.put(message.id().into(), message).await?;
        let (store, message) = (Arc::clone(&this.store), message.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(3)).await;
            store.put(key, &message).await
        });
        Ok(())
    }
} }

mistake! { 7 => a_late_send_is_in_the_log_at_its_id {
    put(this, key, message) {
        let key = if message.is_original() { message.id().into() } else { key };
        this.store.put(key, message).await
    }
} }

mistake! { 7 => a_superseded_change_is_skipped {
    put(this, key, message) {
        let (conversation, id) = (message.conversation_id(), message.id());
        let known = this.store.message(conversation, id).await?;
        if known.is_some_and(|known| known.version() > message.version()) {
            return Ok(());
        }
        this.store.put(key, message).await
    }
} }

mistake! { 7 => a_repeated_change_is_not_logged_again {
    put(this, key, message) {
        let (conversation, id) = (message.conversation_id(), message.id());
        let known = this.store.message(conversation, id).await?;
        if known.is_some_and(|known| known.version() == message.version()) {
            return Ok(());
        }
        this.store.put(key, message).await
    }
} }

mistake! { 7 => the_bound_of_a_log_is_inclusive {
    history_log(this, conversation, above, limit) {
        let mut log = this.store.history_log(conversation, Position::MIN, ALL).await?;
        log.retain(|logged| Position::from(logged.key) >= above);
        log.truncate(limit);
        Ok(log)
    }
} }

mistake! { 7 => a_log_skips_keys_of_the_millisecond_of_its_bound {
    inbox_log(this, user, above, limit) {
        let mut log = this.store.inbox_log(user, above, ALL).await?;
        log.retain(|logged| logged.key.timestamp() > above.timestamp());
        log.truncate(limit);
        Ok(log)
    }
} }

mistake! { 7 => a_log_keeps_one_key_of_a_millisecond {
    history_log(this, conversation, above, limit) {
        let mut log = this.store.history_log(conversation, Position::MIN, ALL).await?;
        log.dedup_by_key(|logged| logged.key.timestamp());
        Ok(newer(log, above, limit))
    }
} }

mistake! { 7 => a_log_is_read_from_the_newest_end {
    history_log(this, conversation, above, limit) {
        let log = this.store.history_log(conversation, above, ALL).await?;
        let older = log.len().saturating_sub(limit);
        Ok(log.into_iter().skip(older).collect())
    }
} }

mistake! { 7 => an_entry_is_listed_twice_in_the_log {
    inbox_log(this, user, above, limit) {
        let mut log = this.store.inbox_log(user, Position::MIN, ALL).await?;
        log.extend(with_keys(log.clone(), place));
        log.sort_by_key(|logged| logged.key);
        log.dedup_by_key(|logged| logged.key);
        Ok(newer(log, above, limit))
    }
} }

mistake! { 11 => repeated_items_count_towards_the_limit_of_a_log {
    history_log(this, conversation, above, limit) {
        let log = this.store.history_log(conversation, above, limit).await?;
        let last_key: HashMap<_, _> = log.iter().map(|logged| (logged.item.id(), logged.key)).collect();
        Ok(log.into_iter().filter(|logged| last_key[&logged.item.id()] == logged.key).collect())
    }
} }

mistake! { 11 => a_page_of_a_log_ends_with_its_bucket {
    history_log(this, conversation, above, limit) {
        let log = this.store.history_log(conversation, above, limit).await?;
        let bucket = |logged: &Logged<Message>| logged.key.timestamp().as_millis() / (10 * 86_400_000);
        let first = log.first().map(bucket);
        Ok(log.into_iter().take_while(|logged| Some(bucket(logged)) == first).collect())
    }
} }
