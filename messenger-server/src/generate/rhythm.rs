//! The rhythm of a day: how much is written in which hour.
//!
//! Time is measured in *activity*, which passes fast in the evening and slowly at night. What is
//! spread evenly over activity is spread over the clock as people write. All of it is arithmetic
//! on integers, so that it gives the same on every machine.

/// The share of messages in each hour of a day (UTC), in relation to the others.
const HOURS: [u64; 24] = [
    4, 2, 1, 1, 1, 2, 6, 12, 14, 13, 12, 13, 16, 14, 12, 12, 14, 17, 21, 24, 25, 22, 15, 8,
];

const HOUR: u64 = 60 * 60 * 1000;
pub(super) const DAY: u64 = 24 * HOUR;

/// The activity of all time up to this millisecond.
pub(super) fn activity_until(millis: u64) -> u64 {
    let (day, within) = (millis / DAY, millis % DAY);
    let (hour, rest) = ((within / HOUR) as usize, within % HOUR);
    let hours: u64 = HOURS[..hour].iter().sum();
    day * activity_of_a_day() + hours * HOUR + HOURS[hour] * rest
}

/// The first millisecond by which there was this much activity, or the one before it.
pub(super) fn millis_at(activity: u64) -> u64 {
    let (day, mut rest) = (
        activity / activity_of_a_day(),
        activity % activity_of_a_day(),
    );
    let mut millis = day * DAY;
    for weight in HOURS {
        let hour = weight * HOUR;
        if rest < hour {
            return millis + rest / weight;
        }
        rest -= hour;
        millis += HOUR;
    }
    millis
}

fn activity_of_a_day() -> u64 {
    HOURS.iter().sum::<u64>() * HOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_directions_agree() {
        for millis in (1_700_000_000_000..1_700_200_000_000).step_by(777_777) {
            assert_eq!(millis_at(activity_until(millis)), millis);
        }
    }

    #[test]
    fn an_evening_has_more_activity_than_a_night() {
        let hour = |hour| activity_until((hour + 1) * HOUR) - activity_until(hour * HOUR);
        assert!(hour(20) > 20 * hour(3));
    }
}
