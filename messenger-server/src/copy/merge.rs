//! Two logs side by side.

use std::cmp::Ordering;
use std::pin::Pin;

use futures_util::stream::{self, Peekable};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use messenger_core::{Error, Logged};

/// The changes of two logs at a key.
#[derive(Debug)]
pub(super) enum Side<T> {
    Source(Logged<T>),
    Target(Logged<T>),
    Both(Logged<T>, Logged<T>),
}

impl<T: PartialEq> Side<T> {
    /// Returns whether both logs hold the same.
    pub(super) fn is_equal(&self) -> bool {
        matches!(self, Self::Both(source, target) if source == target)
    }
}

type Log<S> = Pin<Box<Peekable<S>>>;

/// Returns what two logs hold, in the order of the keys.
pub(super) fn merge<T, S, R>(source: S, target: R) -> impl Stream<Item = Result<Side<T>, Error>>
where
    S: Stream<Item = Result<Logged<T>, Error>>,
    R: Stream<Item = Result<Logged<T>, Error>>,
{
    let logs: (Log<S>, Log<R>) = (Box::pin(source.peekable()), Box::pin(target.peekable()));
    stream::try_unfold(logs, async |(mut source, mut target)| {
        let order = match (source.as_mut().peek().await, target.as_mut().peek().await) {
            (None, None) => return Ok(None),
            (Some(Ok(source)), Some(Ok(target))) => source.key.cmp(&target.key),
            // An error is returned when its log is read on.
            (Some(_), None) | (Some(Err(_)), _) => Ordering::Less,
            (None, Some(_)) | (_, Some(Err(_))) => Ordering::Greater,
        };
        let side = match order {
            Ordering::Less => source.try_next().await?.map(Side::Source),
            Ordering::Greater => target.try_next().await?.map(Side::Target),
            Ordering::Equal => (source.try_next().await?)
                .zip(target.try_next().await?)
                .map(|(source, target)| Side::Both(source, target)),
        };
        Ok(side.map(|side| (side, (source, target))))
    })
}
