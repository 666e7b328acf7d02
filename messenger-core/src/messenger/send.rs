//! Sending.

use super::{Messenger, unless_not_applied};
use crate::error::{Error, ErrorKind, Outcome, Subject};
use crate::ids::Revision;
use crate::model::{Claim, Fingerprint, IdempotencyKey, Import, Message, NewMessage, Reservation};
use crate::paging::Ticket;

/// The result of a send under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The message under the key, as it is now.
    pub message: Message,
    /// `true` if an earlier send had claimed the key, so that this one made no new message.
    pub replayed: bool,
}

/// A message with its id, ready to be sent. See [`Messenger::prepare`].
#[derive(Debug)]
#[must_use = "a prepared message is not sent yet"]
pub struct Prepared {
    messenger: Messenger,
    ticket: Ticket,
    message: Message,
}

impl Prepared {
    /// Returns the message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Sends the message.
    ///
    /// # Errors
    ///
    /// Those of [`Messenger::send`].
    pub async fn send(self) -> Result<Message, Error> {
        let key = self.messenger.refresh(self.ticket);
        self.messenger.put(key.id(), &self.message).await?;
        Ok(self.message)
    }
}

impl Messenger {
    /// Sends a message. Sending it again makes another one; see [`send_once`](Self::send_once).
    ///
    /// # Errors
    ///
    /// The error of the store. [`Error::outcome`] tells whether the message may have been stored; if
    /// it is `Unknown`, [`Error::message_id`] is the id to look up. [`ErrorKind::Unavailable`],
    /// `NotApplied`, if other processes write to the store too and the system clock has stepped back
    /// by more than [`Clock::MAX_AHEAD`](crate::Clock::MAX_AHEAD).
    pub async fn send(&self, message: NewMessage) -> Result<Message, Error> {
        self.prepare(message).send().await
    }

    /// Assigns an id to a message without sending it, for a caller that may stop waiting for the
    /// send and must then know which message to look up.
    pub fn prepare(&self, message: NewMessage) -> Prepared {
        let ticket = self.begin();
        Prepared {
            messenger: self.clone(),
            message: message.with_id(ticket.id()),
            ticket,
        }
    }

    /// Sends a message once, however often it is called with the same sender and key. Every call
    /// returns the same message, even after an error or a crash; only the first one makes it.
    ///
    /// A repeated call completes a send that was interrupted, however late: readers who caught up
    /// beyond the message's id find it in the log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyReused`] if the sender has used the key for another receiver or content, and
    /// the error of the store, with [`Outcome::Unknown`] because an earlier call may have stored the
    /// message. Repeating the call with the same key and payload is safe in any case.
    pub async fn send_once(&self, message: NewMessage, key: IdempotencyKey) -> Result<Sent, Error> {
        self.check_clock()?;
        let ticket = self.begin();
        let claim = Claim {
            message_id: ticket.id(),
            fingerprint: Fingerprint::of(&message),
        };
        let held = self.reserve(&message, key, claim).await?;
        let message = message.with_id(held.message_id);
        let replayed = held.message_id != claim.message_id;

        // The whole write is repeated for a replay: the earlier call may have ended before it. Its
        // key is fresh, because readers may have caught up beyond the message's id; and also if the
        // message is there, because the write that put it there may not have been acknowledged.
        let key = if replayed {
            self.begin()
        } else {
            self.refresh(ticket)
        };
        let written = self.put(key.id(), &message).await;
        // Not `NotApplied`: another call with this key may write the message.
        written.map_err(|error| {
            unless_not_applied(error.with_outcome(Outcome::Unknown), message.id())
        })?;
        let message = if replayed {
            self.as_it_is_now(message).await?
        } else {
            message
        };
        Ok(Sent { message, replayed })
    }

    async fn reserve(
        &self,
        message: &NewMessage,
        key: IdempotencyKey,
        claim: Claim,
    ) -> Result<Claim, Error> {
        let reservation = Reservation::new(message.sender_id().clone(), key, claim);
        let held = self.store().reserve(&reservation).await.map_err(|error| {
            // An earlier call with this key may have written its message.
            error.with_outcome(Outcome::Unknown)
        })?;
        if held.fingerprint != claim.fingerprint {
            return Err(Error::about(
                ErrorKind::KeyReused,
                Subject::IdempotencyKey,
                "the idempotency key was used for another receiver or content; send this message \
                 under a new key",
            )
            .with_outcome(Outcome::NotApplied));
        }
        Ok(held)
    }

    /// Returns the greatest version of a message that was just written: it may have been edited or
    /// unsent since it was first sent.
    async fn as_it_is_now(&self, message: Message) -> Result<Message, Error> {
        let found = self.message(message.conversation_id(), message.id()).await;
        let found = found.map_err(|error| {
            unless_not_applied(error.with_outcome(Outcome::Unknown), message.id())
        })?;
        Ok(found.unwrap_or(message))
    }

    /// Imports a message with a past timestamp; it sorts by that timestamp.
    ///
    /// A client that caught up beyond that time does not find it through its `prev` cursor: import
    /// before clients read, or have them start again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if its time is further in the future than
    /// [`Clock::MAX_AHEAD`](crate::Clock::MAX_AHEAD), and those of [`send`](Self::send).
    pub async fn import(&self, import: Import) -> Result<Message, Error> {
        let message = import.into_message();
        if self.clock().is_too_far_ahead(message.id()) {
            return Err(Error::about(
                ErrorKind::Invalid,
                Subject::Timestamp,
                "an imported message must not lie in the future",
            )
            .with_outcome(Outcome::NotApplied));
        }
        self.put(message.id(), &message).await?;
        Ok(message)
    }

    /// Makes a revision greater than the message's id and than the revision that it shows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`], `NotApplied`, if the clock cannot provide one: the message comes
    /// from a server whose clock is far ahead. A smaller revision would be acknowledged and never
    /// show.
    pub(super) fn revise(&self, message: &Message) -> Result<Ticket, Error> {
        let newest = Revision::from(message.id()).max(message.revision());
        self.observe(newest);
        let ticket = self.begin();
        if Revision::from(ticket.id()) > newest {
            return Ok(ticket);
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "the message lies ahead of this server's clock; try again later",
        )
        .with_outcome(Outcome::NotApplied)
        .with_message_id(message.id()))
    }
}
