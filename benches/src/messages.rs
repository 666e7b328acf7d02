//! Users and messages.

use anyhow::Result;
use messenger_core::{IdempotencyKey, NewMessage, UserId};

/// The content of every message.
pub const TEXT: &str = "It is quiet on the square at this hour. Shall we meet at the fountain?";

/// Returns the user with this name and number.
///
/// # Errors
///
/// If that is not a valid id.
pub fn user(name: &str, number: usize) -> Result<UserId> {
    Ok(UserId::new(format!("{name}{number}"))?)
}

/// Returns a message with [`TEXT`].
///
/// # Errors
///
/// If sender and receiver are the same user.
pub fn new_message(sender: &UserId, receiver: &UserId) -> Result<NewMessage> {
    Ok(NewMessage::new(sender.clone(), receiver.clone(), TEXT)?)
}

/// Returns an idempotency key that was never used.
///
/// # Errors
///
/// If core refuses hexadecimal digits.
pub fn new_key() -> Result<IdempotencyKey> {
    Ok(IdempotencyKey::new(format!(
        "{:032x}",
        rand::random::<u128>()
    ))?)
}
