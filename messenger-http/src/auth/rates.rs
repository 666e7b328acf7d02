//! Limits per user: requests and writes in a second.

use std::num::NonZero;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use messenger_core::UserId;
use parking_lot::Mutex;

use crate::config::ServiceConfig;

/// The number of users below which idle ones are not removed.
const MIN_SWEEP_AT: usize = 1024;

/// The limits of all users.
#[derive(Debug)]
pub(crate) struct Rates {
    requests: Option<Rate>,
    writes: Option<Rate>,
}

impl Rates {
    pub(crate) fn new(config: &ServiceConfig) -> Self {
        Self {
            requests: config.max_user_requests_per_second.map(Rate::new),
            writes: config.max_user_writes_per_second.map(Rate::new),
        }
    }

    /// Counts a request of a user.
    ///
    /// # Errors
    ///
    /// If the user has made too many, the time after which there may be another one.
    pub(crate) fn check(&self, user: &UserId, is_write: bool) -> Result<(), Duration> {
        if let Some(requests) = &self.requests {
            requests.check(user)?;
        }
        match &self.writes {
            Some(writes) if is_write => writes.check(user),
            _ => Ok(()),
        }
    }
}

/// A limit for each user: a number of calls per second, all of which may come at once.
#[derive(Debug)]
struct Rate {
    limiter: RateLimiter<UserId, HashMapStateStore<UserId>, DefaultClock>,
    /// The number of users at which idle ones are removed: those without a call for a second.
    sweep_at: Mutex<usize>,
}

impl Rate {
    fn new(per_second: NonZero<u32>) -> Self {
        Self {
            limiter: RateLimiter::hashmap(Quota::per_second(per_second)),
            sweep_at: Mutex::new(MIN_SWEEP_AT),
        }
    }

    fn check(&self, user: &UserId) -> Result<(), Duration> {
        self.sweep();
        let checked = self.limiter.check_key(user);
        checked.map_err(|refused| refused.wait_time_from(self.limiter.clock().now()))
    }

    /// Removes idle users now and then, so that memory stays in proportion to the users of the last
    /// second.
    fn sweep(&self) {
        let mut sweep_at = self.sweep_at.lock();
        if self.limiter.len() >= *sweep_at {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
            *sweep_at = MIN_SWEEP_AT.max(2 * self.limiter.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_users_are_removed() {
        let rate = Rate::new(NonZero::new(1000).unwrap());
        for n in 0..20_000_u64 {
            rate.check(&UserId::from(n)).unwrap();
            if n % 4_000 == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        assert!(rate.limiter.len() < 15_000, "{}", rate.limiter.len());
    }
}
