//! Idempotency keys and the claims that hold them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use messenger_core::{Claim, IdempotencyKey, Reservation, UserId};

/// The claims, and the order in which they end. All live equally long, so it is the order in which
/// they were made.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    claims: HashMap<Name, Claim>,
    /// `None` for an end beyond the range of [`Instant`].
    ends: VecDeque<(Option<Instant>, Name)>,
}

type Name = (UserId, IdempotencyKey);

impl Keys {
    /// Claims the key if it is free, and returns the claim that holds it. Drops claims that have
    /// ended before, and the oldest ones if there are too many after.
    pub(crate) fn reserve(
        &mut self,
        reservation: &Reservation,
        now: Instant,
        retention: Duration,
        max_keys: usize,
    ) -> Claim {
        self.drop_ended(now);
        let name = (reservation.sender_id.clone(), reservation.key.clone());
        match self.claims.entry(name) {
            Entry::Occupied(claimed) => *claimed.get(),
            Entry::Vacant(place) => {
                self.ends
                    .push_back((now.checked_add(retention), place.key().clone()));
                place.insert(reservation.claim);
                self.drop_oldest_beyond(max_keys);
                reservation.claim
            }
        }
    }

    fn drop_ended(&mut self, now: Instant) {
        while let Some((Some(end), name)) = self.ends.front()
            && *end <= now
        {
            self.claims.remove(name);
            self.ends.pop_front();
        }
    }

    fn drop_oldest_beyond(&mut self, max_keys: usize) {
        while self.claims.len() > max_keys
            && let Some((_, name)) = self.ends.pop_front()
        {
            self.claims.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use messenger_core::{Fingerprint, MessageId};

    const HOUR: Duration = Duration::from_secs(3600);

    fn reservation(key: &str, random: u128) -> Reservation {
        let v7 = 0x0190_a5a0_0000_7000_8000_0000_0000_0000 | random;
        let message_id = MessageId::from_uuid(uuid(v7)).unwrap();
        let claim = Claim {
            message_id,
            fingerprint: Fingerprint::from(uuid(1)),
        };
        Reservation::new("alice".parse().unwrap(), key.parse().unwrap(), claim)
    }

    fn uuid(value: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(value)
    }

    #[test]
    fn a_claim_ends_after_its_retention() {
        let (mut keys, start) = (Keys::default(), Instant::now());
        let first = reservation("k", 1);
        let second = reservation("k", 2);
        assert_eq!(keys.reserve(&first, start, HOUR, 9), first.claim);
        let late = start + HOUR - Duration::from_nanos(1);
        assert_eq!(keys.reserve(&second, late, HOUR, 9), first.claim);
        assert_eq!(keys.reserve(&second, start + HOUR, HOUR, 9), second.claim);
    }

    #[test]
    fn the_oldest_claim_makes_room() {
        let (mut keys, now) = (Keys::default(), Instant::now());
        for (random, key) in ["a", "b", "c"].into_iter().enumerate() {
            keys.reserve(&reservation(key, random as u128), now, HOUR, 2);
        }
        assert_eq!((keys.claims.len(), keys.ends.len()), (2, 2));
        let again = reservation("c", 9);
        assert_ne!(keys.reserve(&again, now, HOUR, 2), again.claim);
        let again = reservation("a", 9);
        assert_eq!(keys.reserve(&again, now, HOUR, 2), again.claim);
    }
}
