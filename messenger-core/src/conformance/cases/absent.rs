//! What does not exist. Rule 10.

use uuid::Uuid;

use crate::store::{Order, Slice};
use crate::testing::check::same;
use crate::testing::failure::{Verdict, ensure};
use crate::testing::stage::{NOON, Stage, id_at, ids};
use crate::testing::{Model, check};
use crate::{ConversationId, Position, Timestamp};

pub(super) async fn what_does_not_exist_is_empty(stage: &Stage) -> Verdict {
    let never_written = stage.pair()?.conversation();
    let not_of_two_users = ConversationId::from(Uuid::from_u128(rand::random()));
    for conversation in [never_written, not_of_two_users] {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let got = stage
                .store
                .history(conversation, check::whole(order))
                .await?;
            ensure!(
                got.is_empty(),
                "an unknown conversation's history is {got:?}"
            );
        }
        let got = stage.store.conversation(conversation).await?;
        same("an unknown conversation", &got, &None)?;
        let got = stage.store.message(conversation, id_at(NOON)).await?;
        same("a message of an unknown conversation", &got, &None)?;
    }
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let user = stage.user("nobody")?;
        let got = stage.store.inbox(&user, check::whole(order)).await?;
        ensure!(got.is_empty(), "an unknown user's inbox is {got:?}");
    }
    Ok(())
}

pub(super) async fn a_message_is_found_in_its_own_conversation_only(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pair = stage.pair()?;
    let mut other = stage.pair()?;
    other.two = stage.user("carol")?;
    let message = pair.message(id_at(NOON), "hello")?;
    stage.append(&mut model, &message).await?;
    stage
        .append(&mut model, &other.message(id_at(NOON), "hello")?)
        .await?;

    let nowhere = ConversationId::from(Uuid::from_u128(rand::random()));
    for conversation in [other.conversation(), nowhere] {
        let got = stage.store.message(conversation, message.id()).await?;
        same("the message of another conversation", &got, &None)?;
    }
    let got = stage
        .store
        .message(pair.conversation(), id_at(NOON))
        .await?;
    same("a message with an id of the same millisecond", &got, &None)?;
    stage.agrees_with(&model).await
}

pub(super) async fn nothing_lies_outside_of_the_bounds(stage: &Stage) -> Verdict {
    let mut model = Model::new();
    let pair = stage.pair()?;
    stage
        .append_all(&mut model, &pair.messages(ids(3))?)
        .await?;
    let last = Position::start_of(Timestamp::MAX);
    let outside = [
        (None, Some(Position::MIN)),
        (Some(last), None),
        // Bounds that cross, or leave nothing between them.
        (Some(last), Some(Position::MIN)),
        (Some(last), Some(last)),
    ];
    for (above, below) in outside {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let slice = Slice {
                above,
                below,
                order,
                limit: 10,
            };
            let got = stage.store.history(pair.conversation(), slice).await?;
            ensure!(
                got.is_empty(),
                "a history ({}) is {got:?}",
                check::slice(slice)
            );
            let got = stage.store.inbox(&pair.one, slice).await?;
            ensure!(
                got.is_empty(),
                "an inbox ({}) is {got:?}",
                check::slice(slice)
            );
        }
    }
    Ok(())
}
