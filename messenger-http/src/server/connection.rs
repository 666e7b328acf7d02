//! One connection, from its first byte to its end.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, State};
use super::byte_stream::{ByteStream, Socket};
use super::calls::Calls;
use super::config::ServerConfig;
use super::phase::Phase;

/// The time that a client has to close its side after ours was closed.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(5);

/// The time for which connections without a request stay open after the listener was closed, so
/// that a request that is on its way is answered.
const DRAIN_GRACE: Duration = Duration::from_millis(500);

/// Serves a connection until it ends, a timeout is over, or it is told to end.
pub(super) async fn run(
    socket: impl Socket,
    calls: Calls,
    config: &ServerConfig,
    mut phase: watch::Receiver<Phase>,
) -> hyper::Result<()> {
    let activity = Arc::clone(&calls.activity);
    let stream = ByteStream::new(socket, Arc::clone(&activity), config.write_timeout);
    let connection = http1::Builder::new()
        // A client may close its writing side and wait for the answer.
        .half_close(true)
        // `Timeouts` has one for heads and another one for idle connections.
        .header_read_timeout(None)
        .max_header_size(config.max_header_size)
        .serve_connection(TokioIo::new(stream), calls);
    let mut connection = pin!(connection);
    let mut timeouts = Timeouts::new(config);
    loop {
        match *phase.borrow_and_update() {
            Phase::Running => {}
            Phase::Stopping => activity.close_after_answer(),
            Phase::Draining(since) => {
                activity.close_after_answer();
                timeouts.draining = Some(since);
            }
            Phase::Cut => return Ok(()),
        }
        let served = std::future::poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            timeouts.poll(cx, &activity).map(Ok)
        });
        tokio::select! {
            biased;
            // It fails when the future of the server was dropped.
            changed = phase.changed() => if changed.is_err() {
                return Ok(());
            },
            () = activity.eviction() => if activity.state().may_be_evicted() {
                return Ok(());
            } else {
                // A request has arrived since the connection was chosen.
                activity.close_after_answer();
            },
            ended = served => return ended,
        }
    }
}

/// The timeouts of a connection without a request in progress.
struct Timeouts {
    idle: Duration,
    head: Duration,
    /// The start of the drain.
    draining: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    /// The deadline of the timer, if it runs. It may be earlier than the one in force: then it is
    /// set anew when it fires, and not with every request.
    armed: Option<Instant>,
}

impl Timeouts {
    fn new(config: &ServerConfig) -> Self {
        Self {
            idle: config.idle_timeout,
            head: config.header_timeout,
            draining: None,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: None,
        }
    }

    /// Returns the time at which a connection ends if its state does not change.
    fn deadline(&self, (state, since): (State, Instant)) -> Option<Instant> {
        let timeout = match state {
            State::Idle => self.idle,
            State::Head => self.head,
            // The service has timeouts for these, and the stream has one for writes.
            State::Body | State::Busy | State::Streaming | State::Answered => return None,
            State::Closing => CLOSING_TIMEOUT,
        };
        // A timeout that overflows is none.
        let own = since.checked_add(timeout);
        match (state, self.draining) {
            // A request whose head is arriving is answered like those in progress.
            (State::Head, _) | (_, None) => own,
            (_, Some(start)) => {
                let of_drain = since.max(start) + DRAIN_GRACE;
                Some(own.map_or(of_drain, |own| own.min(of_drain)))
            }
        }
    }

    /// Is ready when the connection has been in its state for too long.
    fn poll(&mut self, cx: &mut Context<'_>, activity: &Activity) -> Poll<()> {
        loop {
            let Some(deadline) = self.deadline(activity.state_since()) else {
                return Poll::Pending;
            };
            if self.armed.is_none_or(|armed| deadline < armed) {
                self.timer.as_mut().reset(deadline);
                self.armed = Some(deadline);
            }
            ready!(self.timer.as_mut().poll(cx));
            self.armed = None;
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
        }
    }
}
