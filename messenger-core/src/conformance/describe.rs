//! Comparing what a store returned with what was expected, and describing how they differ.

use uuid::Uuid;

use super::Failure;
use super::failure::{Checked, ensure};
use crate::store::Logged;
use crate::{Claim, Conversation, InboxEntry, Message, MessageId, UserId};

/// A value that has a short name in a failure.
pub(crate) trait Describe {
    /// Returns the name.
    fn name(&self) -> String;

    /// Returns the fields that can differ between two values of one name.
    fn fields(&self) -> Vec<(&'static str, String)>;
}

impl Describe for Message {
    fn name(&self) -> String {
        let text = self.content().map(|content| content.as_str());
        format!("{} ({})", excerpt(text), self.id())
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("conversation", self.conversation_id().to_string()),
            ("sender", user_name(self.sender_id()).into()),
            ("receiver", user_name(self.receiver_id()).into()),
            ("revision", self.revision().to_string()),
            (
                "content",
                ends(self.content().map(|content| content.as_str())),
            ),
        ]
    }
}

impl Describe for Conversation {
    fn name(&self) -> String {
        let users: Vec<_> = self.participants().iter().map(user_name).collect();
        format!("[{}]", users.join(", "))
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id().to_string()),
            ("kind", format!("{:?}", self.kind())),
        ]
    }
}

impl Describe for InboxEntry {
    fn name(&self) -> String {
        let last = self.last_message();
        let text = last.preview().map(|preview| preview.as_str());
        format!(
            "{} at {} ({})",
            self.conversation().name(),
            excerpt(text),
            last.id()
        )
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let last = self.last_message();
        let marker = |marker: Option<MessageId>| {
            marker.map_or_else(|| "not set".into(), |marker| marker.to_string())
        };
        let mut fields = self.conversation().fields();
        fields.extend([
            ("last sender", user_name(last.sender_id()).into()),
            ("revision", last.revision().to_string()),
            (
                "preview",
                ends(last.preview().map(|preview| preview.as_str())),
            ),
            ("`read_up_to`", marker(self.read_up_to())),
            ("`seen_up_to`", marker(self.seen_up_to())),
        ]);
        fields
    }
}

impl<T: Describe> Describe for Logged<T> {
    fn name(&self) -> String {
        self.item.name()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = self.item.fields();
        fields.push(("key", self.key.to_string()));
        fields
    }
}

impl Describe for Claim {
    fn name(&self) -> String {
        format!("the claim of message {}", self.message_id)
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![("fingerprint", self.fingerprint.as_uuid().to_string())]
    }
}

impl Describe for usize {
    fn name(&self) -> String {
        self.to_string()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl<T: Describe> Describe for Option<T> {
    fn name(&self) -> String {
        self.as_ref().map_or_else(|| "nothing".into(), T::name)
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        self.as_ref().map(T::fields).unwrap_or_default()
    }
}

/// An item of a list, which is the same item in every state.
pub(crate) trait Identified {
    /// Returns what the item is known by.
    fn identity(&self) -> Uuid;
}

impl Identified for Message {
    fn identity(&self) -> Uuid {
        self.id().as_uuid()
    }
}

impl Identified for InboxEntry {
    fn identity(&self) -> Uuid {
        self.id().as_uuid()
    }
}

impl<T: Identified> Identified for Logged<T> {
    fn identity(&self) -> Uuid {
        self.item.identity()
    }
}

/// Returns the name of a user without the suffix that a fixture adds.
pub(crate) fn user_name(user: &UserId) -> &str {
    let name = user.as_str();
    name.rsplit_once('.').map_or(name, |(name, _)| name)
}

/// Returns the beginning of a text.
fn excerpt(text: Option<&str>) -> String {
    let Some(text) = text else {
        return "an unsent message".into();
    };
    match text.char_indices().nth(24) {
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
        None => format!("{text:?}"),
    }
}

/// Returns the beginning and the end of a text, and its length.
fn ends(text: Option<&str>) -> String {
    let Some(text) = text else {
        return "removed".into();
    };
    let end = text.char_indices().rev().nth(7);
    let end = end.map_or("", |(cut, _)| &text[cut..]);
    format!("{}…{end:?} of {} bytes", excerpt(Some(text)), text.len())
}

/// Returns the fields in which two values of one name differ.
fn difference<T: Describe>(got: &T, expected: &T) -> String {
    let pairs = got.fields().into_iter().zip(expected.fields());
    let differing = pairs.filter(|(got, expected)| got != expected);
    let told = differing
        .map(|((field, got), (_, expected))| format!("its {field} is {got} instead of {expected}"));
    told.collect::<Vec<_>>().join("; ")
}

/// Checks that a value is the expected one. `what` names it, for example with the call that
/// returned it.
pub(crate) fn same<T: Describe + PartialEq>(what: &str, got: &T, expected: &T) -> Checked {
    let (name, expected_name) = (got.name(), expected.name());
    ensure!(
        got == expected || name == expected_name,
        "{what} is {name}, and should be {expected_name}"
    );
    ensure!(
        got == expected,
        "{what} is {name}, but {}",
        difference(got, expected)
    );
    Ok(())
}

/// Checks that a list is the expected one. The failure names what is missing, repeated, too much or
/// misplaced.
pub(crate) fn same_list<T: Describe + Identified + PartialEq>(
    what: &str,
    got: &[T],
    expected: &[T],
) -> Checked {
    if got == expected {
        return Ok(());
    }
    let has = |list: &[T], item: &T| list.iter().any(|other| other.identity() == item.identity());
    let mut problems = Vec::new();
    if got.len() != expected.len() {
        problems.push(format!("has {} of {} items", got.len(), expected.len()));
    }
    let mut tell = |problem: &str, items: Vec<&T>| match &items[..] {
        [] => {}
        [item] => problems.push(format!("{problem} {}", item.name())),
        [first, rest @ ..] => {
            problems.push(format!(
                "{problem} {} and {} more",
                first.name(),
                rest.len()
            ));
        }
    };
    tell(
        "misses",
        expected.iter().filter(|item| !has(got, item)).collect(),
    );
    tell(
        "wrongly has",
        got.iter().filter(|item| !has(expected, item)).collect(),
    );
    let repeated = got
        .iter()
        .enumerate()
        .filter(|(n, item)| has(&got[..*n], item));
    tell("repeats", repeated.map(|(_, item)| item).collect());
    if problems.is_empty() {
        let pairs = got.iter().zip(expected);
        let differing = pairs.into_iter().find(|(got, expected)| got != expected);
        problems.extend(differing.map(|(got, expected)| {
            if got.name() == expected.name() {
                format!("has {}, but {}", got.name(), difference(got, expected))
            } else {
                format!("has {} instead of {}", got.name(), expected.name())
            }
        }));
    }
    Err(Failure::new(format!("{what} {}", problems.join(", "))))
}
