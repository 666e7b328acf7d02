//! Query parameters.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use messenger_core::{Cursor, Error, Limit, Timestamp, UserId};
use serde_json::Value;

use super::percent::{Plus, decode};
use crate::answer::{Code, Problem};
use crate::schema::{self, Schema};

/// The cases in which a query parameter must be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Required {
    Always,
    /// It names the caller, who is known with authentication.
    WithoutAuthentication,
    Never,
}

/// A query parameter: its documentation, and the code that reads it.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) required: Required,
    pub(crate) schema: &'static Schema,
    pub(crate) example: Option<fn() -> Value>,
    /// Sets the value in the query, and returns whether it was set before.
    read: fn(&str, &mut Query) -> Result<bool, Problem>,
}

pub(crate) static LIMIT: Param = Param {
    name: "limit",
    description: "The maximum number of items on the page.",
    required: Required::Never,
    schema: &schema::LIMIT,
    example: None,
    read: |value, query| Ok(query.limit.replace(limit(value)?).is_some()),
};

pub(crate) static CURSOR: Param = Param {
    name: "cursor",
    description: "next_cursor or prev_cursor of a page of this list. Without one, the first page \
                  is returned.",
    required: Required::Never,
    schema: &schema::CURSOR,
    example: None,
    read: |value, query| {
        let cursor = value.parse().map_err(Problem::of_input)?;
        Ok(query.cursor.replace(cursor).is_some())
    },
};

pub(crate) static BEFORE_TIMESTAMP: Param = Param {
    name: "before_timestamp",
    description: "A time with an offset. Write a + as %2B. Digits finer than a millisecond round \
                  up.",
    required: Required::Always,
    schema: &schema::TIMESTAMP_INPUT,
    example: Some(|| "2100-01-01T00:00:00Z".into()),
    read: |value, query| Ok(query.before.replace(time(value)?).is_some()),
};

pub(crate) static WAIT_PARAM: Param = Param {
    name: "wait",
    description: "With the prev_cursor of a page: if nothing is newer, the seconds to wait for a \
                  change (long polling). The page is empty if there is none. To follow a list for \
                  longer, use its events.",
    required: Required::Never,
    schema: &schema::WAIT,
    example: None,
    read: |value, query| Ok(query.wait.replace(wait(value)?).is_some()),
};

pub(crate) static UNREAD: Param = Param {
    name: "unread",
    description: "Whether each entry has its number of unread messages, which takes longer.",
    required: Required::Never,
    schema: &schema::FLAG,
    example: None,
    read: |value, query| Ok(query.unread.replace(flag("unread", value)?).is_some()),
};

pub(crate) static USER_ID: Param = Param {
    name: "user_id",
    description: "A user who takes part.",
    required: Required::Never,
    schema: &schema::USER_ID,
    example: None,
    read: |value, query| Ok(query.user_id.replace(user("user_id", value)?).is_some()),
};

pub(crate) static SENDER_ID: Param = Param {
    name: "sender_id",
    description: "The user who sent the message.",
    required: Required::WithoutAuthentication,
    schema: &schema::USER_ID,
    example: Some(|| schema::ALICE.into()),
    read: |value, query| Ok(query.sender_id.replace(user("sender_id", value)?).is_some()),
};

/// The values of all query parameters that a request has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) limit: Option<Limit>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) before: Option<Timestamp>,
    pub(crate) wait: Option<Duration>,
    pub(crate) unread: Option<bool>,
    pub(crate) user_id: Option<UserId>,
    pub(crate) sender_id: Option<UserId>,
}

impl Query {
    /// Reads the query of a call that takes these parameters.
    pub(crate) fn parse(raw: &str, known: &[&Param]) -> Result<Self, Problem> {
        let mut query = Self::default();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, Plus::IsSpace).ok_or_else(not_utf8)?;
            let value = decode(value, Plus::IsSpace).ok_or_else(not_utf8)?;
            let param = known
                .iter()
                .find(|param| param.name == name)
                .ok_or_else(|| unknown_parameter(&name, known))?;
            if (param.read)(&value, &mut query)? {
                let detail = format!("{name} appears twice in the query. Send it once.");
                return Err(Problem::with_detail(Code::InvalidQuery, detail));
            }
        }
        Ok(query)
    }
}

/// Writes the parameters of lists but the cursor, for the links of a page.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(limit) = self.limit {
            write!(f, "&limit={limit}")?;
        }
        if let Some(before) = self.before {
            write!(f, "&before_timestamp={before}")?;
        }
        if let Some(unread) = self.unread {
            write!(f, "&unread={unread}")?;
        }
        Ok(())
    }
}

fn not_utf8() -> Problem {
    Problem::with_detail(
        Code::InvalidQuery,
        "The query is not percent-encoded UTF-8: two hexadecimal digits must follow each %.",
    )
}

fn unknown_parameter(name: &str, known: &[&Param]) -> Problem {
    let names: Vec<_> = known.iter().map(|param| param.name).collect();
    let takes = match names.as_slice() {
        [] => "no query parameters".to_owned(),
        [one] => format!("only {one}"),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    };
    // A name that may be a misspelled one is repeated, anything longer is not.
    let detail = if name.len() <= 32 {
        format!("{name:?} is not a query parameter of this call, which takes {takes}.")
    } else {
        format!("The query has an unknown parameter. This call takes {takes}.")
    };
    Problem::with_detail(Code::InvalidQuery, detail)
}

fn limit(value: &str) -> Result<Limit, Problem> {
    Limit::new(number(value).unwrap_or(0)).map_err(Problem::of_input)
}

/// Reads a number of digits only: `parse` accepts a plus sign, too.
fn number<T: FromStr>(value: &str) -> Option<T> {
    let has_only_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    has_only_digits.then(|| value.parse().ok()).flatten()
}

fn wait(value: &str) -> Result<Duration, Problem> {
    let seconds = number(value).filter(|seconds| schema::WAIT_RANGE.contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let (min, max) = (schema::WAIT_RANGE.start(), schema::WAIT_RANGE.end());
        let detail = format!("wait is a whole number of seconds from {min} to {max}.");
        Problem::with_detail(Code::InvalidQuery, detail)
    })
}

fn flag(name: &str, value: &str) -> Result<bool, Problem> {
    value.parse().map_err(|_| {
        let detail = format!("{name} must be true or false.");
        Problem::with_detail(Code::InvalidQuery, detail)
    })
}

fn user(name: &str, value: &str) -> Result<UserId, Problem> {
    value.parse().map_err(|error: Error| {
        let detail = format!("{name}: {}.", error.message());
        Problem::with_detail(Code::InvalidUserId, detail)
    })
}

fn time(value: &str) -> Result<Timestamp, Problem> {
    value.parse().map_err(|error| {
        if value.contains(' ') && value.replace(' ', "+").parse::<Timestamp>().is_ok() {
            return Problem::with_detail(
                Code::InvalidTimestamp,
                "before_timestamp has a space where its offset should begin: a + in a query means \
                 a space. Write it as %2B, or send the time in UTC with a Z.",
            );
        }
        Problem::of_input(error)
    })
}
