//! Comparing what a store says with what is true, and saying how they differ.

use std::fmt::Write as _;

use crate::store::{Order, Slice};
use crate::testing::failure::{Verdict, ensure};
use crate::testing::{Failure, Model};
use crate::walk::Placed;
use crate::{Conversation, ConversationId, Message, Position, Store, UserId};

/// Something that has a short name in a failure.
pub(crate) trait Brief {
    fn brief(&self) -> String;

    /// What of it can differ where the name does not, field by field.
    fn fields(&self) -> Vec<(&'static str, String)>;
}

impl Brief for Message {
    fn brief(&self) -> String {
        format!("{:?} ({})", start(self.content().as_str()), self.id())
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("conversation", self.conversation_id().to_string()),
            ("sender", self.sender_id().to_string()),
            ("receiver", self.receiver_id().to_string()),
            ("content", measured(self.content().as_str())),
        ]
    }
}

impl Brief for Conversation {
    fn brief(&self) -> String {
        let users: Vec<_> = self.participants().iter().map(UserId::as_str).collect();
        let last = self.last_message();
        format!(
            "[{}] at {:?} ({})",
            users.join(", "),
            start(last.preview().as_str()),
            last.id()
        )
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let last = self.last_message();
        vec![
            ("id", self.id().to_string()),
            ("last sender", last.sender_id().to_string()),
            ("preview", measured(last.preview().as_str())),
        ]
    }
}

impl<T: Brief> Brief for Option<T> {
    fn brief(&self) -> String {
        self.as_ref().map_or_else(|| "nothing".into(), T::brief)
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        self.as_ref().map(T::fields).unwrap_or_default()
    }
}

/// A text that may be long: where it begins and ends, and how long it is.
fn measured(text: &str) -> String {
    let end = text.char_indices().rev().nth(7);
    let end = end.map_or("", |(cut, _)| &text[cut..]);
    format!("{:?}…{end:?} of {} bytes", start(text), text.len())
}

/// In which fields two things of one name differ.
fn difference<T: Brief>(got: &T, expected: &T) -> String {
    let pairs = got.fields().into_iter().zip(expected.fields());
    let differing = pairs.filter(|(got, expected)| got != expected);
    let told = differing.map(|((field, got), (_, expected))| {
        format!("its {field} is {got}, and should be {expected}")
    });
    told.collect::<Vec<_>>().join("; ")
}

fn start(text: &str) -> String {
    match text.char_indices().nth(24) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.into(),
    }
}

/// One thing is what it should be.
pub(crate) fn same<T: Brief + PartialEq>(what: &str, got: &T, expected: &T) -> Verdict {
    let (brief, should) = (got.brief(), expected.brief());
    ensure!(
        got == expected || brief == should,
        "{what} is {brief}, and should be {should}"
    );
    ensure!(
        got == expected,
        "{what} is {brief}, but {}",
        difference(got, expected)
    );
    Ok(())
}

/// A list is what it should be; if not, says what is missing, doubled, too much or misplaced.
pub(crate) fn same_list<T: Brief + Placed + PartialEq>(
    what: &str,
    got: &[T],
    expected: &[T],
) -> Verdict {
    if got == expected {
        return Ok(());
    }
    let mut text = format!(
        "{what} has {} of {} expected items",
        got.len(),
        expected.len()
    );
    let mut tell = |problem: &str, items: Vec<&T>| {
        if let Some(first) = items.first() {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "; {problem}: {}", first.brief());
            if items.len() > 1 {
                let _ = write!(text, " and {} more", items.len() - 1);
            }
        }
    };
    let is = |a: &T, b: &T| a.position() == b.position();
    let absent = |from: &[T], item: &T| !from.iter().any(|other| is(other, item));
    tell(
        "missing",
        expected.iter().filter(|item| absent(got, item)).collect(),
    );
    tell(
        "does not belong there",
        got.iter().filter(|item| absent(expected, item)).collect(),
    );
    let before = |n: usize| &got[..n];
    tell(
        "comes again",
        got.iter()
            .enumerate()
            .filter(|(n, item)| !absent(before(*n), item))
            .map(|(_, item)| item)
            .collect(),
    );
    let misplaced = || got.iter().zip(expected).find(|(a, b)| a != b);
    if got.len() == expected.len()
        && let Some((is, should)) = misplaced()
    {
        let _ = write!(
            text,
            "; {} stands where {} should",
            is.brief(),
            should.brief()
        );
        if is.brief() == should.brief() {
            let _ = write!(text, ": {}", difference(is, should));
        }
    }
    Err(Failure::new(text))
}

/// What is asked for, in words.
pub(crate) fn slice(slice: Slice) -> String {
    let mut text = String::new();
    if let Some(above) = slice.above {
        let _ = write!(text, "above {}, ", above.as_uuid());
    }
    if let Some(below) = slice.below {
        let _ = write!(text, "below {}, ", below.as_uuid());
    }
    let end = match slice.order {
        Order::NewestFirst => "newest first",
        Order::OldestFirst => "oldest first",
    };
    let _ = write!(text, "{end}, at most {}", slice.limit);
    text
}

/// Every view of everything that the model knows.
pub(crate) async fn agrees(store: &dyn Store, model: &Model) -> Verdict {
    for expected in model.conversations() {
        let id = expected.id();
        let got = store.conversation(id).await?;
        same("the conversation", &got, &Some(expected.clone()))?;
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let got = read_history(store, id, whole(order)).await?;
            let what = format!("the history ({order:?})");
            let expected = read_all(|slice| model.history(id, slice), order);
            same_list(&what, &got, &expected)?;
        }
        for user in expected.participants() {
            for order in [Order::NewestFirst, Order::OldestFirst] {
                let got = read_inbox(store, user, whole(order)).await?;
                let what = format!("the inbox of {user} ({order:?})");
                let expected = read_all(|slice| model.inbox(user, slice), order);
                same_list(&what, &got, &expected)?;
            }
        }
    }
    for message in model.messages() {
        let got = store
            .message(message.conversation_id(), message.id())
            .await?;
        same("the message by its id", &got, &Some(message.clone()))?;
    }
    Ok(())
}

/// Everything, in slices of the largest size.
pub(crate) fn whole(order: Order) -> Slice {
    Slice {
        order,
        ..Slice::newest(Slice::MAX_LIMIT)
    }
}

/// Everything at once, from the model.
pub(crate) fn read_all<T>(read: impl Fn(Slice) -> Vec<T>, order: Order) -> Vec<T> {
    read(Slice {
        limit: usize::MAX,
        ..whole(order)
    })
}

/// A whole history, read slice by slice from one end to the other.
pub(crate) async fn read_history(
    store: &dyn Store,
    conversation: ConversationId,
    slice: Slice,
) -> Result<Vec<Message>, Failure> {
    let mut walk = SliceWalk::new(slice);
    while let Some(slice) = walk.next() {
        walk.take(store.history(conversation, slice).await?)?;
    }
    Ok(walk.items)
}

/// A whole inbox, read slice by slice from one end to the other.
pub(crate) async fn read_inbox(
    store: &dyn Store,
    user: &UserId,
    slice: Slice,
) -> Result<Vec<Conversation>, Failure> {
    let mut walk = SliceWalk::new(slice);
    while let Some(slice) = walk.next() {
        walk.take(store.inbox(user, slice).await?)?;
    }
    Ok(walk.items)
}

/// A walk over a store by its plain slices.
struct SliceWalk<T> {
    slice: Option<Slice>,
    items: Vec<T>,
}

impl<T: Placed> SliceWalk<T> {
    fn new(slice: Slice) -> Self {
        Self {
            slice: Some(slice),
            items: Vec::new(),
        }
    }

    fn next(&self) -> Option<Slice> {
        self.slice
    }

    fn take(&mut self, items: Vec<T>) -> Verdict {
        let Some(slice) = self.slice else {
            return Ok(());
        };
        ensure!(
            items.len() <= slice.limit,
            "a slice of at most {} items holds {}",
            slice.limit,
            items.len()
        );
        // A short slice is the end (rule 11).
        self.slice = match items.last().map(Placed::position) {
            Some(last) if items.len() == slice.limit => Some(behind(slice, last)?),
            _ => None,
        };
        self.items.extend(items);
        Ok(())
    }
}

/// The rest of a slice behind an item.
fn behind(slice: Slice, last: Position) -> Result<Slice, Failure> {
    ensure!(
        slice.contains(last),
        "a slice ({}) holds an item at or outside of its bounds: {}",
        self::slice(slice),
        last.as_uuid()
    );
    Ok(match slice.order {
        Order::NewestFirst => Slice {
            below: Some(last),
            ..slice
        },
        Order::OldestFirst => Slice {
            above: Some(last),
            ..slice
        },
    })
}
