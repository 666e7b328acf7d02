//! How single calls are made up.
//!
//! Small numbers of users, times and keys, so that calls meet: equal times, used keys, imports that
//! come again.

use proptest::prelude::*;

use crate::testing::Point;
use crate::testing::stage::{DAY, NOON};

use super::script::{Call, From, Label, Listed, USERS, Who};

/// Times of imports and bounds, in milliseconds before noon, with few values so that they tie.
const AGO: [u64; 6] = [10_000, 10_001, 3_600_000, 3 * DAY, 40 * DAY, 4_000 * DAY];

/// Two different users.
pub(super) fn pair() -> impl Strategy<Value = (Who, Who)> {
    (0..USERS.len(), 1..USERS.len()).prop_map(|(one, step)| (one, (one + step) % USERS.len()))
}

fn listed() -> impl Strategy<Value = Listed> {
    prop_oneof![
        pair().prop_map(|(one, two)| Listed::History(one.min(two), one.max(two))),
        (0..USERS.len()).prop_map(Listed::Inbox),
    ]
}

fn limit() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 1..=4_u64, 1 => Just(100)]
}

fn before() -> impl Strategy<Value = Option<u64>> {
    let around = prop::sample::select(AGO.to_vec()).prop_map(|ago| NOON - ago + 1);
    let near = (0..6_u64).prop_map(|millis| NOON + millis);
    let ahead = Just(NOON + DAY);
    let any = prop_oneof![2 => around, 3 => near, 1 => ahead];
    prop_oneof![4 => Just(None), 1 => any.prop_map(Some)]
}

pub(super) fn sends(label: Label) -> BoxedStrategy<Call> {
    (pair(), prop::bool::weighted(0.1))
        .prop_map(move |((from, to), long)| Call::Send {
            label,
            from,
            to,
            long,
        })
        .boxed()
}

pub(super) fn keyed_sends(label: Label) -> BoxedStrategy<Call> {
    (pair(), 0..2_u8, prop::bool::weighted(0.2))
        .prop_map(move |((from, to), key, text)| Call::SendOnce {
            label,
            from,
            to,
            key,
            text: text.into(),
        })
        .boxed()
}

pub(super) fn imports(label: Label) -> BoxedStrategy<Call> {
    let ago = prop::sample::select(AGO.to_vec());
    (pair(), ago, 0..2_u16, 0..3_u8)
        .prop_map(move |((one, two), ago, sequence, name)| Call::Import {
            label,
            // Always written by the same one of the two: the same import must be the same message.
            from: one.min(two),
            to: one.max(two),
            ago,
            sequence,
            name,
        })
        .boxed()
}

pub(super) fn holds(label: Label) -> BoxedStrategy<Call> {
    let point = prop_oneof![3 => Just(Point::Before), 1 => Just(Point::After)];
    (pair(), point)
        .prop_map(move |((from, to), point)| Call::Hold {
            label,
            from,
            to,
            point,
        })
        .boxed()
}

pub(super) fn releases(held: Vec<Label>) -> BoxedStrategy<Call> {
    (prop::sample::select(held), prop::bool::weighted(0.2))
        .prop_map(|(label, drop)| {
            if drop {
                Call::Drop(label)
            } else {
                Call::Release(label)
            }
        })
        .boxed()
}

pub(super) fn times() -> BoxedStrategy<Call> {
    let passes = prop_oneof![4 => 1..=3_u64, 1 => Just(5_000), 1 => Just(11 * DAY)];
    prop_oneof![
        3 => passes.prop_map(|millis| Call::Pass { millis }),
        1 => (1..=800_u64).prop_map(|millis| Call::StepBack { millis }),
    ]
    .boxed()
}

pub(super) fn first_pages(label: Label) -> BoxedStrategy<Call> {
    (listed(), limit(), before())
        .prop_map(move |(list, limit, before)| Call::Page {
            label,
            list,
            from: From::Start,
            limit,
            before,
        })
        .boxed()
}

pub(super) fn more_pages(label: Label, pages: Vec<(Label, Listed)>) -> BoxedStrategy<Call> {
    let from = (prop::sample::select(pages), prop::bool::weighted(0.6));
    (from, limit(), before())
        .prop_map(move |(((page, list), newer), limit, before)| Call::Page {
            label,
            list,
            from: if newer {
                From::Prev(page)
            } else {
                From::Next(page)
            },
            limit,
            before,
        })
        .boxed()
}

pub(super) fn strays(pages: Vec<(Label, Listed)>) -> BoxedStrategy<Call> {
    (prop::sample::select(pages), listed())
        .prop_filter("the cursor's own list", |((_, of), list)| of != list)
        .prop_map(|((page, _), list)| Call::Stray { page, list })
        .boxed()
}

pub(super) fn messages(made: Vec<Label>) -> BoxedStrategy<Call> {
    (prop::sample::select(made), pair())
        .prop_map(|(of, (one, two))| Call::Message { of, one, two })
        .boxed()
}

pub(super) fn follows(label: Label) -> BoxedStrategy<Call> {
    (listed(), limit())
        .prop_map(move |(list, limit)| Call::Follow { label, list, limit })
        .boxed()
}
