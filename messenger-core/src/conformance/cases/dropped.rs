//! Appends that nobody waited for. Rule 8.

use std::time::Duration;

use futures_util::FutureExt as _;

use crate::testing::failure::Verdict;
use crate::testing::stage::{NOON, Pair, Stage, id_at};
use crate::testing::{Failure, Model};
use crate::{Message, Slice, Store};

/// How long a store may take until a dropped append is all there or is not.
const IN_THE_END: Duration = Duration::from_secs(10);

pub(super) async fn a_dropped_append_is_all_or_nothing(stage: &Stage) -> Verdict {
    let pair = stage.pair()?;
    let mut model = Model::new();
    stage
        .append(&mut model, &pair.message(id_at(NOON), "first")?)
        .await?;
    for polls in 0..8 {
        let at = NOON + 1_000 * (polls + 1);
        drop_and_repeat(
            stage,
            &mut model,
            &pair.message(id_at(at), "dropped")?,
            polls,
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_append_of_a_first_message_is_all_or_nothing(
    stage: &Stage,
) -> Verdict {
    for polls in 0..8 {
        let n = polls as usize;
        let pair = Pair::new(stage.nth_user("alice", n)?, stage.nth_user("bob", n)?);
        let message = pair.message(id_at(NOON), "dropped")?;
        drop_and_repeat(stage, &mut Model::new(), &message, polls).await?;
    }
    Ok(())
}

async fn drop_and_repeat(
    stage: &Stage,
    model: &mut Model,
    message: &Message,
    polls: u64,
) -> Verdict {
    start_and_drop(&*stage.store, message, polls).await;
    all_or_nothing(&*stage.store, message)
        .await
        .map_err(|failure| failure.during(format!("an append dropped after {polls} polls")))?;
    // Appending it again makes it all.
    stage.append(model, message).await?;
    stage.agrees_with(model).await
}

/// Polls the append so many times, with growing pauses for a network to do its part, and drops it.
async fn start_and_drop(store: &dyn Store, message: &Message, polls: u64) {
    let mut append = store.append(message);
    for n in 0..polls {
        if (&mut append).now_or_never().is_some() {
            return;
        }
        if n > 2 {
            tokio::time::sleep(Duration::from_micros(200 << n)).await;
        }
        tokio::task::yield_now().await;
    }
}

async fn all_or_nothing(store: &dyn Store, message: &Message) -> Verdict {
    let start = tokio::time::Instant::now();
    loop {
        let views = views(store, message).await?;
        if views.iter().all(|view| *view == views[0]) {
            return Ok(());
        }
        if start.elapsed() > IN_THE_END {
            let [history, message, sender, receiver, conversation] = views;
            return Err(Failure::new(format!(
                "after {IN_THE_END:?} its message is in some views and not in others: in the \
                 history {history}, by its id {message}, in the sender's inbox {sender}, in the \
                 receiver's {receiver}, in the conversation {conversation}"
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Which views show the message, which is the newest of its conversation.
async fn views(store: &dyn Store, message: &Message) -> Result<[bool; 5], Failure> {
    let conversation = message.conversation_id();
    let newest = Slice::newest(1);
    let history = store.history(conversation, newest).await?;
    let by_id = store.message(conversation, message.id()).await?;
    let sender = store.inbox(message.sender_id(), newest).await?;
    let receiver = store.inbox(message.receiver_id(), newest).await?;
    let head = store.conversation(conversation).await?;
    let is_head = |head: Option<&crate::Conversation>| {
        head.is_some_and(|head| head.last_message().id() == message.id())
    };
    Ok([
        history.first() == Some(message),
        by_id.is_some(),
        is_head(sender.first()),
        is_head(receiver.first()),
        is_head(head.as_ref()),
    ])
}
