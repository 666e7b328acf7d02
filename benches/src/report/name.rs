//! What the name of a pair says.

/// The name of a pair that pages through a list of some size: `memory/history/first/1000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// Whose page it is: `memory` or `cassandra`.
    pub store: &'a str,
    /// What is paged: `history` or `inbox`.
    pub list: &'a str,
    /// Which page: `first`, `middle` and so on.
    pub page: &'a str,
    /// How many messages the history holds, or conversations the inbox.
    pub size: u64,
}

impl<'a> Name<'a> {
    /// Reads a name; `None` for pairs that do not page through a list.
    pub fn of_page(name: &'a str) -> Option<Self> {
        let parts: Vec<_> = name.split('/').collect();
        let &[store, list @ ("history" | "inbox"), page, size] = &parts[..] else {
            return None;
        };
        Some(Self {
            store,
            list,
            page,
            size: size.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_by_store_list_page_and_size() {
        let name = Name {
            store: "memory",
            list: "history",
            page: "first",
            size: 1_000,
        };
        assert_eq!(Name::of_page("memory/history/first/1000"), Some(name));
    }

    #[test]
    fn other_pairs_are_no_pages() {
        for name in [
            "http/history",
            "memory/history/first",
            "memory/history/first/all",
            "memory/send/warm/1000",
            "memory/history/first/1000/more",
            "",
        ] {
            assert_eq!(Name::of_page(name), None, "{name}");
        }
    }
}
