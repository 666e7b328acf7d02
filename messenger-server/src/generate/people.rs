//! The people of the test data: their names, and the language in which each one writes.

use messenger_core::UserId;

/// A language of the dialogues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    French,
    German,
    Japanese,
    Spanish,
}

use Language::{English, French, German, Japanese, Spanish};

const PEOPLE: [(&str, Language); 32] = [
    ("alice", English),
    ("bob", English),
    ("carol", English),
    ("dave", English),
    ("erin", English),
    ("frank", German),
    ("grace", English),
    ("heidi", German),
    ("ivan", English),
    ("judy", English),
    ("kenji", Japanese),
    ("lena", German),
    ("mateo", Spanish),
    ("nina", English),
    ("olivia", English),
    ("pierre", French),
    ("quinn", English),
    ("rosa", Spanish),
    ("sam", English),
    ("tom", English),
    ("uma", English),
    ("victor", French),
    ("wendy", English),
    ("xavier", Spanish),
    ("yuki", Japanese),
    ("zoe", English),
    ("amelie", French),
    ("ben", English),
    ("chloe", French),
    ("diego", Spanish),
    ("emma", English),
    ("finn", German),
];

/// Number of users in the default data: everyone with a name.
pub(super) const NAMED: u64 = PEOPLE.len() as u64;

/// Returns the id of the user with this number: 1 is `alice`, 2 is `bob`, and from 33 on it is
/// `user33` and so on.
pub fn user_id(number: u64) -> UserId {
    let id = match person(number) {
        Some((name, _)) => UserId::new(*name),
        None => UserId::new(format!("user{number}")),
    };
    id.expect("letters and digits are valid")
}

/// Returns the language of the user with this number.
pub(super) fn language(number: u64) -> Language {
    person(number).map_or(English, |&(_, language)| language)
}

fn person(number: u64) -> Option<&'static (&'static str, Language)> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    PEOPLE.get(index)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn users_have_names_first_and_numbers_later() {
        let ids: Vec<_> = [1, 2, 32, 33, 1_000_000_000].map(user_id).into();
        let ids: Vec<_> = ids.iter().map(UserId::as_str).collect();
        assert_eq!(ids, ["alice", "bob", "finn", "user33", "user1000000000"]);
    }

    #[test]
    fn no_two_users_share_an_id() {
        let ids: BTreeSet<_> = (1..=100).map(user_id).collect();
        assert_eq!(ids.len(), 100);
    }
}
