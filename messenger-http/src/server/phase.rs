//! The phases of a server.

use tokio::time::Instant;

/// The phase of a server, as its connections see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// New connections are still accepted. Answers say `Connection: close`.
    Stopping,
    /// No new connections since then. Requests are answered, and idle connections end.
    Draining(Instant),
    /// Everything ends at once.
    Cut,
}
