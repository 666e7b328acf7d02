//! The messages that the server has said it has.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use messenger_core::{ConversationId, MessageId};
use serde::Deserialize;

use super::connection::Answer;

/// A message that must be found at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Receipt {
    pub(super) id: MessageId,
    pub(super) conversation_id: ConversationId,
}

/// All receipts of a run.
#[derive(Debug, Default)]
pub(super) struct Acknowledged(Mutex<Vec<Receipt>>);

impl Acknowledged {
    /// Takes the receipt out of the answer to a send.
    pub(super) fn note(&self, answer: &Answer) -> Result<()> {
        let receipt = serde_json::from_slice(&answer.body)
            .with_context(|| format!("this is no receipt: {answer}"))?;
        let mut receipts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        receipts.push(receipt);
        Ok(())
    }

    /// Those so far.
    pub(super) fn receipts(&self) -> Vec<Receipt> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
