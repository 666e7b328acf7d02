//! Test data for `--demo`.

use anyhow::{Context as _, Result};
use messenger_core::{Content, Error, InboxQuery, Limit, Messenger, NewMessage, Timestamp};
use tracing::info;

use crate::generate::{DEFAULT_SEED, Plan, Sizes, generate, user_id};

/// Fills the store, unless the first user already has conversations.
pub(crate) async fn fill(messenger: &Messenger) -> Result<()> {
    let user = user_id(1);
    let inbox = messenger.inbox(&user, InboxQuery::new()).await?;
    if !inbox.items.is_empty() {
        info!(%user, "the user already has conversations: no test data was added");
        return Ok(());
    }
    let sizes = Sizes::default();
    let plan = Plan::new(sizes, DEFAULT_SEED, Timestamp::now())?;
    generate(messenger, &plan, 16, || ())
        .await
        .context("cannot add the test data")?;
    change(messenger)
        .await
        .context("cannot change the test data")?;
    let Sizes {
        users,
        conversations,
        messages,
        ..
    } = sizes;
    info!(users, conversations, messages, "test data was added");
    Ok(())
}

/// The number of conversations of the first user that stay unread.
const UNREAD: usize = 3;

/// Adds what generated messages do not have: read markers, an edited message and an unsent one.
async fn change(messenger: &Messenger) -> Result<(), Error> {
    let (reader, sender) = (user_id(1), user_id(2));
    let inbox = InboxQuery::new().with_limit(Limit::MAX);
    for entry in messenger
        .inbox(&reader, inbox)
        .await?
        .into_iter()
        .skip(UNREAD)
    {
        let last = entry.last_message().id();
        messenger.mark_read(entry.id(), &reader, last).await?;
    }
    let message = |text| NewMessage::new(sender.clone(), reader.clone(), text);
    let question = messenger.send(message("Are you coming at sixt?")?).await?;
    let mistake = messenger.send(message("Mum, where are my keys?")?).await?;
    let conversation = question.conversation_id();
    let corrected: Content = "Are you coming at six?".parse()?;
    messenger
        .edit(conversation, question.id(), &sender, corrected)
        .await?;
    messenger
        .unsend(conversation, mistake.id(), &sender)
        .await?;
    let last = messenger
        .send(message("Sorry, that was for my mother")?)
        .await?;
    messenger
        .mark_read(conversation, &sender, last.id())
        .await?;
    Ok(())
}
