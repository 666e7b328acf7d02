//! Test data for `--demo`.

use anyhow::{Context as _, Result};
use messenger_core::{InboxQuery, Messenger, Timestamp};
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
    let Sizes {
        users,
        conversations,
        messages,
        ..
    } = sizes;
    info!(users, conversations, messages, "test data was added");
    Ok(())
}
