//! Merging two ordered sequences.

use std::iter::Peekable;

/// Returns the items of two ordered iterators in order.
pub(crate) fn merge<T>(
    one: impl Iterator<Item = T>,
    other: impl Iterator<Item = T>,
    before: impl Fn(&T, &T) -> bool,
) -> impl Iterator<Item = T> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || next(&mut one, &mut other, &before))
}

fn next<T>(
    one: &mut Peekable<impl Iterator<Item = T>>,
    other: &mut Peekable<impl Iterator<Item = T>>,
    before: impl Fn(&T, &T) -> bool,
) -> Option<T> {
    match (one.peek(), other.peek()) {
        (Some(a), Some(b)) if before(b, a) => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    }
}
