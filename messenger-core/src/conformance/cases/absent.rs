//! Things that do not exist. Rule 10.

use uuid::Uuid;

use crate::conformance::Model;
use crate::conformance::describe::{same, same_list};
use crate::conformance::failure::Checked;
use crate::conformance::fixture::{Fixture, NOON, Pair, id_at, ids};
use crate::store::MAX_LIMIT;
use crate::{ConversationId, Position, Timestamp, UserId};

pub(super) async fn what_does_not_exist_is_empty(fixture: &Fixture) -> Checked {
    let alice = fixture.user("alice")?;
    let never_written = fixture.pair()?.id();
    let not_of_two_users = ConversationId::from(Uuid::from_u128(rand::random()));
    for conversation in [never_written, not_of_two_users] {
        nothing_of(fixture, conversation, &alice).await?;
    }
    let inbox = fixture.store.inbox(&alice, None, MAX_LIMIT).await?;
    same_list("`inbox` of an unknown user", &inbox, &[])?;
    let log = fixture
        .store
        .inbox_log(&alice, Position::MIN, MAX_LIMIT)
        .await?;
    same_list("`inbox_log` of an unknown user", &log, &[])
}

/// Checks every read of a conversation that does not exist.
async fn nothing_of(fixture: &Fixture, id: ConversationId, user: &UserId) -> Checked {
    let store = &fixture.store;
    let history = store.history(id, None, MAX_LIMIT).await?;
    same_list("`history` of an unknown conversation", &history, &[])?;
    let log = store.history_log(id, Position::MIN, MAX_LIMIT).await?;
    same_list("`history_log` of an unknown conversation", &log, &[])?;
    let got = store.conversation(id).await?;
    same("`conversation` of an unknown id", &got, &None)?;
    let got = store.message(id, id_at(NOON)).await?;
    same("`message` in an unknown conversation", &got, &None)?;
    let got = store.entry(user, id).await?;
    same("`entry` of an unknown conversation", &got, &None)?;
    let got = store.unread(id, user, None, MAX_LIMIT).await?;
    same("`unread` of an unknown conversation", &got, &0)
}

pub(super) async fn a_message_is_found_in_its_own_conversation_only(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let other = Pair::new(pair.one.clone(), fixture.user("carol")?);
    let message = pair.message(id_at(NOON), "hello")?;
    let elsewhere = other.message(id_at(NOON), "hello")?;
    fixture
        .send_all(&mut model, &[message.clone(), elsewhere])
        .await?;

    let nowhere = ConversationId::from(Uuid::from_u128(rand::random()));
    for conversation in [other.id(), nowhere] {
        let got = fixture.store.message(conversation, message.id()).await?;
        same(
            "`message` with the id of another conversation's",
            &got,
            &None,
        )?;
    }
    let got = fixture.store.message(pair.id(), id_at(NOON)).await?;
    same("`message` with an id of the same millisecond", &got, &None)?;
    fixture.agrees_with(&model).await
}

pub(super) async fn only_participants_have_an_entry(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let carol = fixture.user("carol")?;
    let other = Pair::new(pair.one.clone(), carol.clone());
    let messages = [
        pair.message(id_at(NOON), "to bob")?,
        other.message(id_at(NOON + 1), "to carol")?,
    ];
    fixture.send_all(&mut model, &messages).await?;
    for user in [&carol, &fixture.user("nobody")?] {
        let got = fixture.store.entry(user, pair.id()).await?;
        same("`entry` of a user who takes no part", &got, &None)?;
    }
    fixture.agrees_with(&model).await
}

pub(super) async fn nothing_is_beyond_the_bounds(fixture: &Fixture) -> Checked {
    let mut model = Model::new();
    let pair = fixture.pair()?;
    let messages = pair.messages(ids(3))?;
    fixture.send_all(&mut model, &messages).await?;
    let (store, first) = (&fixture.store, Position::MIN);
    let history = store.history(pair.id(), Some(first), 10).await?;
    same_list("`history` below the lowest position", &history, &[])?;
    let inbox = store.inbox(&pair.one, Some(first), 10).await?;
    same_list("`inbox` below the lowest position", &inbox, &[])?;
    for last in [
        Position::from(messages[2].id()),
        Position::start_of(Timestamp::MAX),
    ] {
        let log = store.history_log(pair.id(), last, 10).await?;
        same_list("`history_log` above the last key", &log, &[])?;
        let log = store.inbox_log(&pair.one, last, 10).await?;
        same_list("`inbox_log` above the last key", &log, &[])?;
        let count = store.unread(pair.id(), &pair.one, Some(last), 10).await?;
        same("`unread` above the last message", &count, &0)?;
    }
    Ok(())
}
