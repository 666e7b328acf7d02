//! Calls and the router that finds them.

use std::fmt;
use std::pin::Pin;

use http::header::HeaderValue;
use http::{Method, StatusCode};
use matchit::Params;
use serde_json::{Value, json};

use crate::answer::{Answer, Code, HeaderDoc, Problem};
use crate::metrics::Labels;
use crate::request::{HeaderParam, JsonBody, Param, Request};
use crate::schema::{Components, Schema};

/// A call: everything that there is to know about it.
///
/// Dispatch, 405 and its `Allow`, the labels in logs and metrics, and the OpenAPI document are
/// derived from it, so they cannot disagree.
pub(crate) struct Call {
    pub(crate) id: &'static str,
    pub(crate) verb: Verb,
    /// The path as documented. A trailing slash more or less makes no difference.
    pub(crate) path: &'static str,
    pub(crate) group: Group,
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) query: &'static [&'static Param],
    pub(crate) headers: &'static [&'static HeaderParam],
    pub(crate) body: Option<JsonBody>,
    pub(crate) success: Success,
    /// The problems of this call, besides those of every call ([`Call::codes`]).
    pub(crate) problems: &'static [Code],
    pub(crate) handler: Handler,
}

pub(crate) type Handler = for<'a> fn(Request<'a>) -> Handling<'a>;
pub(crate) type Handling<'a> = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send + 'a>>;

impl Call {
    /// Returns everything that can go wrong.
    pub(crate) fn codes(&self, is_authenticated: bool) -> impl Iterator<Item = Code> {
        const OF_BODIES: &[Code] = &[
            Code::MalformedBody,
            Code::BodyTimeout,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
        ];
        const OF_AUTHENTICATION: &[Code] = &[
            Code::Unauthenticated,
            Code::NotYours,
            Code::TooManyRequests,
            Code::AuthenticationUnavailable,
        ];
        let of_caller = match is_authenticated && self.is_api() {
            true => OF_AUTHENTICATION,
            false => &[],
        };
        let of_policy = (self.is_api() && self.is_write()).then_some(Code::NotAllowed);
        let of_body = self.body.as_ref().map_or(&[][..], |_| OF_BODIES);
        let shed = self.is_limited().then_some(Code::Overloaded);
        [Code::InvalidQuery, Code::Internal]
            .into_iter()
            .chain(of_body.iter().copied())
            .chain(of_caller.iter().copied())
            .chain(of_policy)
            .chain(shed)
            .chain(self.problems.iter().copied())
    }

    /// Returns whether the call is refused under overload, and for hosts that are not allowed.
    pub(crate) fn is_limited(&self) -> bool {
        self.group != Group::Operations
    }

    /// Returns whether the call needs authentication, if the service has one.
    pub(crate) fn is_api(&self) -> bool {
        !matches!(self.group, Group::Operations | Group::Documentation)
    }

    /// Returns whether the call changes anything.
    pub(crate) fn is_write(&self) -> bool {
        self.verb != Verb::Get
    }

    pub(crate) fn labels(&self) -> Labels {
        Labels {
            route: self.path,
            method: self.verb.names()[0],
            is_limited: self.is_limited(),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The method of a call. `HEAD` comes with `GET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// Returns the methods, as HTTP spells them.
    pub(crate) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Get => &["GET", "HEAD"],
            Self::Post => &["POST"],
            Self::Put => &["PUT"],
            Self::Patch => &["PATCH"],
            Self::Delete => &["DELETE"],
        }
    }

    fn takes(self, method: &Method) -> bool {
        self.names().contains(&method.as_str())
    }
}

/// The part of the API that a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Messages,
    Conversations,
    /// For those who run the server: answered under any load.
    Operations,
    Documentation,
}

impl Group {
    pub(crate) const ALL: [Self; 4] = [
        Self::Messages,
        Self::Conversations,
        Self::Operations,
        Self::Documentation,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Conversations => "conversations",
            Self::Operations => "operations",
            Self::Documentation => "documentation",
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Messages => "Send messages and read histories",
            Self::Conversations => "List the conversations of a user",
            Self::Operations => "Run the server",
            Self::Documentation => "Read this document",
        }
    }
}

/// The answer of a call that succeeds.
pub(crate) struct Success {
    pub(crate) status: StatusCode,
    pub(crate) description: &'static str,
    pub(crate) content: Content,
    pub(crate) headers: &'static [&'static HeaderDoc],
}

/// The body of an answer, as the document describes it.
pub(crate) enum Content {
    None,
    Json(&'static Schema),
    /// Text or files of these media types.
    Text(&'static [&'static str]),
}

impl Content {
    /// Returns the `content` of a response, or `None` if it has no body.
    pub(crate) fn document(&self, components: &mut Components) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Json(schema) => {
                Some(json!({"application/json": {"schema": components.refer(schema)}}))
            }
            Self::Text(media_types) => {
                let mut content = json!({});
                for media_type in *media_types {
                    content[media_type] = json!({"schema": {"type": "string"}});
                }
                Some(content)
            }
        }
    }
}

/// Finds calls by method and path.
pub(crate) struct Router {
    paths: matchit::Router<Entry>,
}

/// The calls with one path.
struct Entry {
    calls: Vec<&'static Call>,
    allow: HeaderValue,
}

/// The result of a search.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Call(&'static Call, Params<'static, 'a>),
    /// The path exists, the method does not.
    OtherMethod {
        route: &'static str,
        allow: &'static HeaderValue,
    },
    Nothing,
}

impl Router {
    pub(crate) fn new(calls: &[&'static Call]) -> Self {
        let mut by_path: Vec<(&str, Vec<&'static Call>)> = Vec::new();
        for call in calls {
            let path = without_trailing_slash(call.path);
            match by_path.iter_mut().find(|(known, _)| *known == path) {
                Some((_, calls)) => calls.push(call),
                None => by_path.push((path, vec![call])),
            }
        }
        let mut paths = matchit::Router::new();
        for (path, calls) in by_path {
            let allow = allow(&calls);
            // The list is constant, and a test looks every call up.
            let inserted = paths.insert(path, Entry { calls, allow });
            debug_assert!(inserted.is_ok(), "{path}: {inserted:?}");
        }
        Self { paths }
    }

    pub(crate) fn find<'a>(&'static self, method: &Method, path: &'a str) -> Found<'a> {
        let Ok(found) = self.paths.at(without_trailing_slash(path)) else {
            return Found::Nothing;
        };
        let Entry { calls, allow } = found.value;
        match calls.iter().find(|call| call.verb.takes(method)) {
            Some(call) => Found::Call(call, found.params),
            None => Found::OtherMethod {
                route: calls[0].path,
                allow,
            },
        }
    }
}

fn without_trailing_slash(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() && !shorter.ends_with('/') => shorter,
        _ => path,
    }
}

fn allow(calls: &[&Call]) -> HeaderValue {
    let mut verbs: Vec<_> = calls.iter().map(|call| call.verb).collect();
    verbs.sort_unstable();
    let names: Vec<_> = verbs
        .iter()
        .flat_map(|verb| verb.names())
        .copied()
        .collect();
    // Names of methods and commas are always a valid header.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static("GET"))
}
