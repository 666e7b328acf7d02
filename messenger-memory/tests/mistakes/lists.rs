//! Mistakes in histories and inboxes: rules 3, 5, 10, 11 and 12, and keys: rule 9.

use std::collections::{BTreeMap, HashMap};

use messenger_core::{
    Claim, Conversation, ConversationId, Error, ErrorKind, IdempotencyKey, InboxEntry, LogKey,
    Logged, Message, MessageId, Participants, Position, Reservation, Store as _, UserId,
};
use parking_lot::Mutex;

use crate::planted::{ALL, Mistake, mistake, newer, older};

pub(crate) fn mistakes() -> Vec<Mistake> {
    vec![
        Mistake::of::<the_bound_of_a_history_is_inclusive>(),
        Mistake::of::<bounds_are_compared_by_the_millisecond>(),
        Mistake::of::<ties_are_ordered_the_wrong_way_round>(),
        Mistake::of::<ties_are_ordered_as_signed_bytes>().only_in_a_case(),
        Mistake::of::<a_page_is_taken_from_the_oldest_end>(),
        Mistake::of::<an_edited_message_moves_up>(),
        Mistake::of::<an_unsent_message_vanishes>(),
        Mistake::of::<old_entries_stay_and_show_the_conversation_as_it_is>(),
        Mistake::of::<old_entries_stay_as_they_were>(),
        Mistake::of::<the_bound_of_an_inbox_is_inclusive>(),
        // It shows or not by random ids, so no sequence of calls can be shortened.
        Mistake::of::<entries_of_a_millisecond_are_ordered_by_conversation>().only_in_a_case(),
        Mistake::of::<a_change_moves_the_entry_up>(),
        Mistake::of::<the_last_claim_wins>(),
        Mistake::of::<two_claims_win_a_race>().only_in_a_case(),
        Mistake::of::<keys_of_all_senders_are_shared>(),
        Mistake::of::<keys_have_no_case>().only_in_a_case(),
        Mistake::of::<an_unknown_conversation_is_an_error>(),
        Mistake::of::<an_unknown_conversation_is_an_empty_one>(),
        Mistake::of::<a_message_is_found_in_any_conversation>(),
        Mistake::of::<a_stranger_has_an_entry>().only_in_a_case(),
        Mistake::of::<a_page_ends_with_its_bucket>(),
        Mistake::of::<a_page_of_an_inbox_ends_with_its_epoch>(),
        Mistake::of::<a_page_has_at_most_a_hundred_items>().only_in_a_case(),
        Mistake::of::<the_whole_history_is_read>().only_in_a_case(),
        Mistake::of::<the_whole_inbox_is_read>().only_in_a_case(),
        Mistake::of::<the_whole_log_of_a_history_is_read>().only_in_a_case(),
        Mistake::of::<the_whole_log_of_an_inbox_is_read>().only_in_a_case(),
        Mistake::of::<a_walk_returns_a_user_again>().only_in_a_case(),
        Mistake::of::<a_walk_leaves_out_a_user_between_two_pages>().only_in_a_case(),
    ]
}

mistake! { 16 => a_walk_returns_a_user_again {
    users(this, after, limit) {
        let mut users = this.store.users(after, limit).await?;
        if let Some(after) = after {
            users.insert(0, after.clone());
            users.truncate(limit);
        }
        Ok(users)
    }
} }

mistake! { 16 => a_walk_leaves_out_a_user_between_two_pages {
    users(this, after, limit) {
        let mut users = this.store.users(after, limit + 1).await?;
        if after.is_some() && !users.is_empty() {
            users.remove(0);
        }
        users.truncate(limit);
        Ok(users)
    }
} }

fn place(message: &Message) -> Position {
    message.id().into()
}

mistake! { 3 => the_bound_of_a_history_is_inclusive {
    history(this, conversation, below, limit) {
        let mut list = this.store.history(conversation, None, ALL).await?;
        list.retain(|message| below.is_none_or(|below| place(message) <= below));
        list.truncate(limit);
        Ok(list)
    }
} }

mistake! { 3 => bounds_are_compared_by_the_millisecond {
    history(this, conversation, below, limit) {
        let mut list = this.store.history(conversation, None, ALL).await?;
        let below = below.map(Position::timestamp);
        list.retain(|message| below.is_none_or(|below| message.created_at() < below));
        list.truncate(limit);
        Ok(list)
    }
} }

mistake! { 3 => ties_are_ordered_the_wrong_way_round {
    history(this, conversation, below, limit) {
        let mut list = this.store.history(conversation, None, ALL).await?;
        list.sort_by_key(|message| (std::cmp::Reverse(message.created_at()), message.id()));
        Ok(older(list, place, below, limit))
    }
} }

mistake! { 3 => ties_are_ordered_as_signed_bytes {
    history(this, conversation, below, limit) {
        let mut list = this.store.history(conversation, None, ALL).await?;
        let signed = |message: &Message| message.id().as_uuid().into_bytes().map(|byte| byte as i8);
        list.sort_by_key(|message| std::cmp::Reverse((message.created_at(), signed(message))));
        Ok(older(list, place, below, limit))
    }
} }

mistake! { 3 => a_page_is_taken_from_the_oldest_end {
    history(this, conversation, below, limit) {
        let list = this.store.history(conversation, below, ALL).await?;
        let newer = list.len().saturating_sub(limit);
        Ok(list.into_iter().skip(newer).collect())
    }
} }

mistake! { 3 => an_edited_message_moves_up {
    history(this, conversation, below, limit) {
        let mut list = this.store.history(conversation, None, ALL).await?;
        list.sort_by_key(|message| std::cmp::Reverse(message.revision()));
        Ok(older(list, place, below, limit))
    }
} }

mistake! { 13 => an_unsent_message_vanishes {
    history(this, conversation, below, limit) {
        let mut list = this.store.history(conversation, None, ALL).await?;
        list.retain(|message| !message.is_unsent());
        Ok(older(list, place, below, limit))
    }
} }

mistake! { 5 => old_entries_stay_and_show_the_conversation_as_it_is(Mutex<BTreeMap<MessageId, Conversation>>) {
    put(this, key, message) {
        this.state.lock().insert(message.id(), Conversation::of(message));
        this.store.put(key, message).await
    }
    inbox(this, user, below, limit) {
        let rows = this.state.lock().clone().into_iter().rev();
        let mut page = Vec::new();
        for (row, conversation) in rows {
            if below.is_some_and(|below| Position::from(row) >= below) || page.len() == limit {
                continue;
            }
            page.extend(this.store.entry(user, conversation.id()).await?);
        }
        Ok(page)
    }
} }

mistake! { 5 => old_entries_stay_as_they_were(Mutex<BTreeMap<(UserId, MessageId), InboxEntry>>) {
    put(this, key, message) {
        this.store.put(key, message).await?;
        for user in &message.participants() {
            if let Some(entry) = this.store.entry(user, message.conversation_id()).await? {
                let row = (user.clone(), entry.last_message().id());
                this.state.lock().insert(row, entry);
            }
        }
        Ok(())
    }
    inbox(this, user, below, limit) {
        let rows = this.state.lock();
        let rows = rows.iter().rev().filter(|((of, _), _)| of == user);
        let rows = rows.filter(|((_, row), _)| below.is_none_or(|below| Position::from(*row) < below));
        Ok(rows.map(|(_, entry)| entry.clone()).take(limit).collect())
    }
} }

mistake! { 5 => the_bound_of_an_inbox_is_inclusive {
    inbox(this, user, below, limit) {
        let mut list = this.store.inbox(user, None, ALL).await?;
        list.retain(|entry| below.is_none_or(|below| entry.place() <= below));
        list.truncate(limit);
        Ok(list)
    }
} }

mistake! { 5 => entries_of_a_millisecond_are_ordered_by_conversation {
    inbox(this, user, below, limit) {
        let mut list = this.store.inbox(user, None, ALL).await?;
        list.sort_by_key(|entry| std::cmp::Reverse((entry.place().timestamp(), entry.id())));
        Ok(older(list, InboxEntry::place, below, limit))
    }
} }

mistake! { 5 => a_change_moves_the_entry_up {
    inbox(this, user, below, limit) {
        let log = this.store.inbox_log(user, Position::MIN, ALL).await?;
        let list = log.into_iter().rev().map(|logged| logged.item).collect();
        Ok(older(list, InboxEntry::place, below, limit))
    }
} }

type Claims<Name> = Mutex<HashMap<Name, Claim>>;

mistake! { 9 => the_last_claim_wins {
    reserve(this, reservation) {
        let _ = this;
        Ok(reservation.claim)
    }
} }

mistake! { 9 => two_claims_win_a_race(Claims<(UserId, IdempotencyKey)>) {
    reserve(this, reservation) {
        let name = (reservation.sender_id.clone(), reservation.key.clone());
        let held = this.state.lock().get(&name).copied();
        tokio::task::yield_now().await;
        if held.is_none() {
            this.state.lock().insert(name, reservation.claim);
        }
        Ok(held.unwrap_or(reservation.claim))
    }
} }

mistake! { 9 => keys_of_all_senders_are_shared(Claims<IdempotencyKey>) {
    reserve(this, reservation) {
        let mut claims = this.state.lock();
        Ok(*claims.entry(reservation.key.clone()).or_insert(reservation.claim))
    }
} }

mistake! { 9 => keys_have_no_case {
    reserve(this, reservation) {
        let key = reservation.key.as_str().to_lowercase().parse()?;
        let sender = reservation.sender_id.clone();
        this.store.reserve(&Reservation::new(sender, key, reservation.claim)).await
    }
} }

mistake! { 10 => an_unknown_conversation_is_an_error {
    history(this, conversation, below, limit) {
        if this.store.conversation(conversation).await?.is_none() {
            return Err(Error::new(ErrorKind::NotFound, "no such conversation"));
        }
        this.store.history(conversation, below, limit).await
    }
} }

mistake! { 10 => an_unknown_conversation_is_an_empty_one {
    conversation(this, id) {
        let found = this.store.conversation(id).await?;
        let (a, b) = ("nobody-1".parse()?, "nobody-2".parse()?);
        let empty = Conversation::direct(id, Participants::direct(a, b));
        Ok(found.or(Some(empty)))
    }
} }

mistake! { 10 => a_message_is_found_in_any_conversation(Mutex<HashMap<MessageId, ConversationId>>) {
    put(this, key, message) {
        this.state.lock().insert(message.id(), message.conversation_id());
        this.store.put(key, message).await
    }
    message(this, conversation, id) {
        let of = this.state.lock().get(&id).copied();
        this.store.message(of.unwrap_or(conversation), id).await
    }
} }

mistake! { 10 => a_stranger_has_an_entry {
    entry(this, user, conversation) {
        let entry = this.store.entry(user, conversation).await?;
        let Some(found) = this.store.conversation(conversation).await? else {
            return Ok(None);
        };
        match (entry, found.participants().iter().next()) {
            (None, Some(participant)) => this.store.entry(participant, conversation).await,
            (entry, _) => Ok(entry),
        }
    }
} }

/// Returns the number of the ten days in which a position lies.
fn bucket(position: Position) -> u64 {
    position.timestamp().as_millis() / (10 * 86_400_000)
}

/// Returns the items of the bucket of the first one.
fn in_one_bucket<T>(page: Vec<T>, place: impl Fn(&T) -> Position) -> Vec<T> {
    let first = page.first().map(|item| bucket(place(item)));
    let is_in_it = |item: &T| Some(bucket(place(item))) == first;
    page.into_iter().take_while(is_in_it).collect()
}

mistake! { 11 => a_page_ends_with_its_bucket {
    history(this, conversation, below, limit) {
        let page = this.store.history(conversation, below, limit).await?;
        Ok(in_one_bucket(page, place))
    }
} }

mistake! { 11 => a_page_of_an_inbox_ends_with_its_epoch {
    inbox(this, user, below, limit) {
        let page = this.store.inbox(user, below, limit).await?;
        Ok(in_one_bucket(page, InboxEntry::place))
    }
} }

mistake! { 11 => a_page_has_at_most_a_hundred_items {
    history(this, conversation, below, limit) {
        this.store.history(conversation, below, limit.min(100)).await
    }
    inbox(this, user, below, limit) {
        this.store.inbox(user, below, limit.min(100)).await
    }
} }

mistake! { 12 => the_whole_history_is_read {
    history(this, conversation, below, limit) {
        let list = this.store.history(conversation, None, ALL).await?;
        Ok(older(list, place, below, limit))
    }
} }

mistake! { 12 => the_whole_inbox_is_read {
    inbox(this, user, below, limit) {
        let list = this.store.inbox(user, None, ALL).await?;
        Ok(older(list, InboxEntry::place, below, limit))
    }
} }

mistake! { 12 => the_whole_log_of_a_history_is_read {
    history_log(this, conversation, above, limit) {
        let log = this.store.history_log(conversation, Position::MIN, ALL).await?;
        Ok(newer(log, above, limit))
    }
} }

mistake! { 12 => the_whole_log_of_an_inbox_is_read {
    inbox_log(this, user, above, limit) {
        let log = this.store.inbox_log(user, Position::MIN, ALL).await?;
        Ok(newer(log, above, limit))
    }
} }
