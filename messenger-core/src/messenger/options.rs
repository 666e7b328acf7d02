use std::sync::Arc;
use std::time::Duration;

use super::policy::Policy;
use crate::clock::Clock;

/// Options of a [`Messenger`](crate::Messenger).
#[derive(Debug)]
#[must_use]
pub struct MessengerOptions {
    pub(super) clock: Clock,
    pub(super) edit_window: Option<Duration>,
    pub(super) policy: Option<Arc<dyn Policy>>,
    #[cfg(feature = "live")]
    pub(super) poll_interval: Duration,
}

impl MessengerOptions {
    /// The default edit window.
    pub const DEFAULT_EDIT_WINDOW: Duration = Duration::from_secs(15 * 60);

    /// The default poll interval.
    #[cfg(feature = "live")]
    pub const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(2);

    /// Returns the defaults: the system's clock, and an edit window of 15 minutes.
    pub fn new() -> Self {
        Self {
            clock: Clock::new(),
            edit_window: Some(Self::DEFAULT_EDIT_WINDOW),
            policy: None,
            #[cfg(feature = "live")]
            poll_interval: Self::DEFAULT_POLL_INTERVAL,
        }
    }

    /// Sets the clock.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long after it was created a message can be edited; `None` means always. It is
    /// compared with the time between the id and the revision of the edit, so all servers decide
    /// alike if they have the same setting.
    pub fn with_edit_window(mut self, window: impl Into<Option<Duration>>) -> Self {
        self.edit_window = window.into();
        self
    }

    /// Sets a policy, which is asked before each write of an [`Actor`](crate::Actor).
    pub fn with_policy(mut self, policy: impl Policy + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Sets how often a follower reads without being woken, to find the changes that other processes
    /// make (default 2 s). If this process alone writes to the store, followers read fifteen times
    /// less often: a write here wakes them.
    #[cfg(feature = "live")]
    #[cfg_attr(docsrs, doc(cfg(feature = "live")))]
    pub fn with_poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }
}

impl Default for MessengerOptions {
    fn default() -> Self {
        Self::new()
    }
}
