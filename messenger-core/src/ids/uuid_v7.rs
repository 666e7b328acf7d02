//! The bit layout of a UUIDv7 (RFC 9562, section 5.7) with a 12-bit fraction of a millisecond in
//! `rand_a` (section 6.2, method 3).

use uuid::{Uuid, Variant, Version};

use crate::time::Timestamp;

/// The 60 bits of a UUIDv7 that hold its time: 48 of milliseconds, 12 of their fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(pub(crate) u64);

impl Ticks {
    pub(crate) const FRACTION_BITS: u32 = 12;

    pub(crate) const fn start_of(time: Timestamp) -> Self {
        Self(time.as_millis() << Self::FRACTION_BITS)
    }

    pub(crate) fn of(uuid: Uuid) -> Self {
        let high = uuid.as_u64_pair().0;
        Self(high >> 16 << Self::FRACTION_BITS | high & 0xfff)
    }

    pub(crate) const fn millis(self) -> u64 {
        self.0 >> Self::FRACTION_BITS
    }

    /// Microseconds since the Unix epoch, rounded down.
    pub(crate) const fn micros(self) -> u64 {
        self.millis() * 1000 + ((self.fraction() * 1000) >> Self::FRACTION_BITS)
    }

    const fn fraction(self) -> u64 {
        self.0 & 0xfff
    }
}

/// The random bits of a UUIDv7: the low 62.
pub(crate) const RANDOM_BITS: u64 = u64::MAX >> 2;

pub(crate) fn uuid_v7(ticks: Ticks, random: u64) -> Uuid {
    let high = ticks.millis() << 16 | 0x7000 | ticks.fraction();
    Uuid::from_u64_pair(high, 1 << 63 | random & RANDOM_BITS)
}

/// Returns whether a UUID is a UUIDv7. Its time may be any, up to the year 10889.
pub(crate) fn is_v7(uuid: Uuid) -> bool {
    uuid.get_version() == Some(Version::SortRand) && uuid.get_variant() == Variant::RFC4122
}
