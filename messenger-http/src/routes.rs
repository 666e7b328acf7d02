//! The one table of calls.
//!
//! Dispatch, 405 and its `Allow`, the query parameters that a call takes, the label of a call in
//! logs and metrics, and the OpenAPI document all come from [`ROUTES`], so they cannot disagree.

use std::sync::LazyLock;

use http::Method;
use http::header::HeaderValue;
use matchit::{Params, Router};

use crate::problem::Code;

/// Which handler answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Send,
    History,
    HistoryBefore,
    Message,
    Inbox,
    Conversation,
    Live,
    Ready,
    Metrics,
    OpenApi,
    Problem,
    #[cfg(feature = "docs")]
    Docs,
    #[cfg(feature = "docs")]
    DocsFile,
}

/// The method of a call. `HEAD` comes with `GET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
}

impl Verb {
    fn takes(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET || method == Method::HEAD,
            Self::Post => method == Method::POST,
        }
    }
}

/// A query parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryParam {
    Limit,
    Cursor,
    BeforeTimestamp,
}

impl QueryParam {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Cursor => "cursor",
            Self::BeforeTimestamp => "before_timestamp",
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) call: Call,
    pub(crate) verb: Verb,
    /// The path as documented; one trailing slash more or less is the same.
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) query: &'static [QueryParam],
    /// Whether it counts as a request in flight, and is shed beyond the limit.
    pub(crate) limited: bool,
    /// What can go wrong, but for what can go wrong anywhere ([`Route::codes`]).
    codes: &'static [Code],
}

impl Route {
    /// Everything that can go wrong here.
    pub(crate) fn codes(&self) -> impl Iterator<Item = Code> {
        let shed = self.limited.then_some(Code::Overloaded);
        [Code::InvalidQuery, Code::Internal]
            .into_iter()
            .chain(shed)
            .chain(self.codes.iter().copied())
    }
}

const PAGE: &[QueryParam] = &[QueryParam::Limit, QueryParam::Cursor];

/// Every call there is.
pub(crate) static ROUTES: &[Route] = &[
    Route {
        call: Call::Send,
        verb: Verb::Post,
        path: "/api/messages/",
        id: "sendMessage",
        tag: "messages",
        summary: "Send a message",
        description: "Sending again makes another message, unless both requests hold the same \
                      Idempotency-Key: then the second one makes nothing, and gets the answer of \
                      the first. The conversation of two users begins with their first message.",
        query: &[],
        limited: true,
        codes: &[
            Code::MalformedBody,
            Code::InvalidIdempotencyKey,
            Code::BodyTimeout,
            Code::BodyTooLarge,
            Code::ContentTooLarge,
            Code::UnsupportedMediaType,
            Code::InvalidUserId,
            Code::InvalidContent,
            Code::SelfMessage,
            Code::IdempotencyKeyReused,
            Code::Unavailable,
            Code::Timeout,
            Code::OutcomeUnknown,
        ],
    },
    Route {
        call: Call::History,
        verb: Verb::Get,
        path: "/api/messages/conversation/{conversation_id}",
        id: "listMessages",
        tag: "messages",
        summary: "List the messages of a conversation",
        description: "Newest first. Follow next_cursor to older messages until it is null. Follow \
                      prev_cursor, now or later, to what is new: it may repeat the newest \
                      messages and misses none, so drop the ids that you have.",
        query: PAGE,
        limited: true,
        codes: &[
            Code::InvalidCursor,
            Code::ForeignCursor,
            Code::InvalidLimit,
            Code::InvalidId,
            Code::ConversationNotFound,
            Code::Unavailable,
            Code::Timeout,
        ],
    },
    Route {
        call: Call::HistoryBefore,
        verb: Verb::Get,
        path: "/api/messages/conversation/{conversation_id}/before",
        id: "listMessagesBefore",
        tag: "messages",
        summary: "List the messages of a conversation before a time",
        description: "Those with created_at strictly before before_timestamp, newest first. \
                      Repeat before_timestamp with each cursor: both bounds hold.",
        query: &[
            QueryParam::BeforeTimestamp,
            QueryParam::Limit,
            QueryParam::Cursor,
        ],
        limited: true,
        codes: &[
            Code::InvalidCursor,
            Code::ForeignCursor,
            Code::InvalidLimit,
            Code::InvalidTimestamp,
            Code::InvalidId,
            Code::ConversationNotFound,
            Code::Unavailable,
            Code::Timeout,
        ],
    },
    Route {
        call: Call::Message,
        verb: Verb::Get,
        path: "/api/messages/conversation/{conversation_id}/{message_id}",
        id: "getMessage",
        tag: "messages",
        summary: "Get one message",
        description: "The Location of a message that was sent leads here.",
        query: &[],
        limited: true,
        codes: &[
            Code::InvalidId,
            Code::MessageNotFound,
            Code::Unavailable,
            Code::Timeout,
        ],
    },
    Route {
        call: Call::Inbox,
        verb: Verb::Get,
        path: "/api/conversations/user/{user_id}",
        id: "listConversations",
        tag: "conversations",
        summary: "List the conversations of a user",
        description: "Most recent activity first. A conversation with a new message moves to the \
                      top: a walk along next_cursor shows none twice, and what moved meanwhile is \
                      found by following the prev_cursor of the first page. Users are not \
                      registered, so one who never wrote has an empty page.",
        query: PAGE,
        limited: true,
        codes: &[
            Code::InvalidCursor,
            Code::ForeignCursor,
            Code::InvalidLimit,
            Code::InvalidId,
            Code::Unavailable,
            Code::Timeout,
        ],
    },
    Route {
        call: Call::Conversation,
        verb: Verb::Get,
        path: "/api/conversations/{conversation_id}",
        id: "getConversation",
        tag: "conversations",
        summary: "Get one conversation",
        description: "With its participants and its last message, as lists show it.",
        query: &[],
        limited: true,
        codes: &[
            Code::InvalidId,
            Code::ConversationNotFound,
            Code::Unavailable,
            Code::Timeout,
        ],
    },
    Route {
        call: Call::Live,
        verb: Verb::Get,
        path: "/health/live",
        id: "live",
        tag: "operations",
        summary: "Whether the server runs",
        description: "Asks nobody else, and is answered under any load.",
        query: &[],
        limited: false,
        codes: &[],
    },
    Route {
        call: Call::Ready,
        verb: Verb::Get,
        path: "/health/ready",
        id: "ready",
        tag: "operations",
        summary: "Whether the server should get requests",
        description: "Asks the store. Says no from the moment the server begins to stop.",
        query: &[],
        limited: false,
        codes: &[Code::NotReady],
    },
    Route {
        call: Call::Metrics,
        verb: Verb::Get,
        path: "/metrics",
        id: "metrics",
        tag: "operations",
        summary: "Measurements for Prometheus",
        description: "Not found where the server was built without a recorder of metrics.",
        query: &[],
        limited: false,
        codes: &[Code::NotFound],
    },
    Route {
        call: Call::OpenApi,
        verb: Verb::Get,
        path: "/openapi.json",
        id: "openapi",
        tag: "documentation",
        summary: "This document",
        description: "OpenAPI 3.1.",
        query: &[],
        limited: true,
        codes: &[],
    },
    Route {
        call: Call::Problem,
        verb: Verb::Get,
        path: "/problems/{code}",
        id: "problem",
        tag: "documentation",
        summary: "What a problem means",
        description: "The type of every problem document leads here.",
        query: &[],
        limited: true,
        codes: &[Code::InvalidId, Code::NotFound],
    },
    #[cfg(feature = "docs")]
    Route {
        call: Call::Docs,
        verb: Verb::Get,
        path: "/docs",
        id: "docs",
        tag: "documentation",
        summary: "The calls as a page, to read and to try",
        description: "Needs nothing from outside of this server.",
        query: &[],
        limited: true,
        codes: &[],
    },
    #[cfg(feature = "docs")]
    Route {
        call: Call::DocsFile,
        verb: Verb::Get,
        path: "/docs/{file}",
        id: "docsFile",
        tag: "documentation",
        summary: "A file of the page",
        description: "Script, style and icon of the page at /docs.",
        query: &[],
        limited: true,
        codes: &[Code::InvalidId, Code::NotFound],
    },
];

/// The calls under one path.
struct Entry {
    routes: Vec<&'static Route>,
    allow: HeaderValue,
}

/// What there is for a method and a path.
#[derive(Debug)]
pub(crate) enum Found<'path> {
    Route(&'static Route, Params<'static, 'path>),
    /// The path is there, the method is not.
    OtherMethod(&'static str, &'static HeaderValue),
    Nothing,
}

/// Looks a request up.
pub(crate) fn find<'path>(method: &Method, path: &'path str) -> Found<'path> {
    static ROUTER: LazyLock<Router<Entry>> = LazyLock::new(router);
    let Ok(found) = ROUTER.at(without_trailing_slash(path)) else {
        return Found::Nothing;
    };
    let Entry { routes, allow } = found.value;
    match routes.iter().find(|route| route.verb.takes(method)) {
        Some(route) => Found::Route(route, found.params),
        None => Found::OtherMethod(routes[0].path, allow),
    }
}

fn without_trailing_slash(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => shorter,
        _ => path,
    }
}

fn router() -> Router<Entry> {
    let mut paths: Vec<(&str, Vec<&Route>)> = Vec::new();
    for route in ROUTES {
        let path = without_trailing_slash(route.path);
        match paths.iter_mut().find(|(known, _)| *known == path) {
            Some((_, routes)) => routes.push(route),
            None => paths.push((path, vec![route])),
        }
    }
    let mut router = Router::new();
    for (path, routes) in paths {
        let allow = HeaderValue::from_static(allow(&routes));
        // The table is constant, and a test walks all of it.
        let inserted = router.insert(path, Entry { routes, allow });
        debug_assert!(inserted.is_ok(), "{path}: {inserted:?}");
    }
    router
}

fn allow(routes: &[&Route]) -> &'static str {
    let has = |verb| routes.iter().any(|route| route.verb == verb);
    match (has(Verb::Get), has(Verb::Post)) {
        (true, true) => "GET, HEAD, POST",
        (true, false) => "GET, HEAD",
        _ => "POST",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(path: &str) -> String {
        path.replace(['{', '}'], "")
    }

    #[test]
    fn every_row_is_found_with_and_without_the_trailing_slash() {
        for route in ROUTES {
            let method = match route.verb {
                Verb::Get => Method::HEAD,
                Verb::Post => Method::POST,
            };
            let path = example(without_trailing_slash(route.path));
            for path in [path.clone(), path + "/"] {
                match find(&method, &path) {
                    Found::Route(found, _) => assert_eq!(found.call, route.call, "{path}"),
                    other => panic!("{path}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn other_paths_are_nothing() {
        for path in [
            "",
            "/",
            "*",
            "//",
            "/api",
            "/api/messages//",
            "/health/live/x",
        ] {
            assert!(matches!(find(&Method::GET, path), Found::Nothing), "{path}");
        }
    }

    #[test]
    fn no_row_names_a_problem_twice() {
        for route in ROUTES {
            let mut codes: Vec<_> = route.codes().collect();
            codes.sort_unstable();
            assert!(codes.is_sorted_by(|a, b| a < b), "{}", route.path);
        }
    }
}
