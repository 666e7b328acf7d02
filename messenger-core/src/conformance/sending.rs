//! A send that is held up on its way.

use tokio::task::JoinHandle;

use crate::testing::{Failure, Gate, Held, Point};
use crate::{Error, Message, Messenger, NewMessage};

/// A send whose append is held at a gate: its id is in flight.
pub(crate) struct Sending {
    pub(crate) message: Message,
    held: Held<Message>,
    task: JoinHandle<Result<Message, Error>>,
}

impl Sending {
    /// Sends, and comes back when the append is held. The gate must be before the messenger's
    /// store.
    pub(crate) async fn start(
        gate: &Gate,
        messenger: &Messenger,
        point: Point,
        message: NewMessage,
    ) -> Result<Self, Failure> {
        let mut held = gate.hold(point);
        let messenger = messenger.clone();
        let task = tokio::spawn(async move { messenger.send(message).await });
        let message = held.arrived().await?;
        Ok(Self {
            message,
            held,
            task,
        })
    }

    /// Lets it go on to its end.
    pub(crate) async fn finish(self) -> Result<Message, Failure> {
        self.held.release();
        Ok(self.task.await??)
    }

    /// Drops its future where it is held.
    pub(crate) async fn drop(self) {
        self.task.abort();
        // It was aborted, and says so.
        let _ = self.task.await;
    }
}
