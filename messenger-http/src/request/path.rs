//! Path parameters.

use std::borrow::Cow;
use std::str::FromStr;

use matchit::Params;
use messenger_core::Error;
use serde_json::{Value, json};

use super::percent::{Plus, decode};
use crate::answer::{Code, Problem};
use crate::schema::{
    ALICE, CONVERSATION_ID, Components, EXAMPLE_CONVERSATION, EXAMPLE_MESSAGE, MESSAGE_ID, USER_ID,
};

/// The parameters in the path of a request, not yet decoded.
#[derive(Debug)]
pub(crate) struct PathParams<'a>(pub(crate) Params<'static, 'a>);

impl PathParams<'_> {
    /// Returns the parameter with this name, decoded.
    pub(crate) fn text(&self, name: &str) -> Result<Cow<'_, str>, Problem> {
        let raw = self.0.get(name).unwrap_or_default();
        decode(raw, Plus::IsPlus).ok_or_else(|| {
            let detail = format!("{name} in the path is not percent-encoded UTF-8.");
            Problem::with_detail(Code::InvalidId, detail)
        })
    }

    /// Returns the id with this name.
    pub(crate) fn id<T: FromStr<Err = Error>>(&self, name: &str) -> Result<T, Problem> {
        self.text(name)?.parse().map_err(Problem::of_input)
    }
}

/// Describes a path parameter for the document.
pub(crate) fn document(name: &str, components: &mut Components) -> Value {
    let (schema, example) = match name {
        "conversation_id" => (components.refer(&CONVERSATION_ID), EXAMPLE_CONVERSATION),
        "message_id" => (components.refer(&MESSAGE_ID), EXAMPLE_MESSAGE),
        "user_id" => (components.refer(&USER_ID), ALICE),
        other => {
            let example = match other {
                "code" => "invalid_cursor",
                _ => "start.js",
            };
            (json!({"type": "string", "minLength": 1}), example)
        }
    };
    json!({"name": name, "in": "path", "required": true, "schema": schema, "example": example})
}
