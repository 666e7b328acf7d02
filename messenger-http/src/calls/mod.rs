//! The calls, one file for each resource.
//!
//! A call is one item: its path, parameters, handler, answer, problems and documentation stand
//! together. A new call is a `static` in its file and a line in [`CALLS`].

mod change;
#[cfg(feature = "chat")]
mod chat;
mod conversations;
mod documentation;
mod events;
mod messages;
mod operations;
mod wait;

use std::sync::LazyLock;

use crate::route::{Call, Router};

/// All calls, in the order of the document.
pub(crate) static CALLS: &[&Call] = &[
    &messages::SEND,
    &messages::LIST,
    &messages::LIST_BEFORE,
    &messages::GET,
    &messages::EDIT,
    &messages::UNSEND,
    &events::OF_MESSAGES,
    &conversations::LIST,
    &conversations::GET,
    &conversations::MARK_READ,
    &events::OF_CONVERSATIONS,
    &operations::LIVE,
    &operations::READY,
    &operations::METRICS,
    &documentation::START,
    &documentation::OPENAPI,
    &documentation::PROBLEM,
    #[cfg(feature = "docs")]
    &documentation::swagger::PAGE,
    #[cfg(feature = "docs")]
    &documentation::swagger::FILE,
    #[cfg(feature = "chat")]
    &chat::PAGE,
    #[cfg(feature = "chat")]
    &chat::FILE,
];

pub(crate) static ROUTER: LazyLock<Router> = LazyLock::new(|| Router::new(CALLS));

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::route::Found;

    #[test]
    fn every_call_is_found_with_and_without_the_trailing_slash() {
        for call in CALLS {
            let path = call.path.replace(['{', '}'], "");
            let path = path.strip_suffix('/').unwrap_or(&path);
            for name in call.verb.names() {
                let method = Method::from_bytes(name.as_bytes()).unwrap();
                for path in [path.to_owned(), format!("{path}/")] {
                    match ROUTER.find(&method, &path) {
                        Found::Call(found, _) => assert_eq!(found.id, call.id, "{path}"),
                        _ if path.is_empty() => {}
                        other => panic!("{path}: {other:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn other_paths_are_nothing() {
        for path in ["", "*", "//", "/api", "/api/messages//", "/health/live/x"] {
            let found = ROUTER.find(&Method::GET, path);
            assert!(matches!(found, Found::Nothing), "{path}");
        }
    }

    #[test]
    fn no_call_names_a_problem_twice() {
        for call in CALLS {
            let mut codes: Vec<_> = call.codes(true).collect();
            codes.sort_unstable();
            assert!(codes.is_sorted_by(|a, b| a < b), "{}", call.path);
        }
    }
}
