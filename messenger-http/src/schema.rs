//! JSON schemas of what calls take and return, as the OpenAPI document shows them.
//!
//! A schema stands next to the type that it describes; those that several calls share are here. All
//! limits come from the constants of [`messenger_core`].

use std::ops::RangeInclusive;

use messenger_core::{Content, Cursor, Limit, UserId};
use serde_json::{Map, Value, json};

/// A named schema.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: &'static str,
    pub(crate) build: fn(&mut Components) -> Value,
}

/// The schemas that a document refers to, in the order of first use.
#[derive(Debug, Default)]
pub(crate) struct Components {
    is_authenticated: bool,
    schemas: Map<String, Value>,
    examples: Map<String, Value>,
}

impl Components {
    /// Creates the components of a document of a service with or without authentication.
    pub(crate) fn new(is_authenticated: bool) -> Self {
        Self {
            is_authenticated,
            ..Self::default()
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.is_authenticated
    }

    /// Returns the members that a body must have. The one that names the user for whom it is sent
    /// may be left out if the caller is known.
    pub(crate) fn with_acting_user(&self, user: &'static str, others: &[&'static str]) -> Value {
        let user = (!self.is_authenticated).then_some(user);
        user.iter().chain(others).copied().collect()
    }

    /// Returns a reference to the schema, which becomes a part of the document.
    pub(crate) fn refer(&mut self, schema: &'static Schema) -> Value {
        if !self.schemas.contains_key(schema.name) {
            // Takes its place before the schemas that it refers to.
            self.schemas.insert(schema.name.to_owned(), Value::Null);
            let built = (schema.build)(self);
            self.schemas.insert(schema.name.to_owned(), built);
        }
        json!({"$ref": format!("#/components/schemas/{}", schema.name)})
    }

    /// Returns a reference to the example, which becomes a part of the document.
    pub(crate) fn refer_to_example(&mut self, name: &str, value: Value) -> Value {
        self.examples
            .insert(name.to_owned(), json!({"value": value}));
        json!({"$ref": format!("#/components/examples/{name}")})
    }

    pub(crate) fn into_value(self) -> Value {
        json!({"schemas": self.schemas, "examples": self.examples})
    }
}

/// Two users of the examples, and their conversation.
pub(crate) const ALICE: &str = "alice";
pub(crate) const BOB: &str = "bob";
pub(crate) const EXAMPLE_CONVERSATION: &str = "4030e32d-d786-54ef-9e6c-e538bcff2f0f";
pub(crate) const EXAMPLE_MESSAGE: &str = "019e9c3f-a2da-7b6e-9f0d-2f4f3c8a9d11";
pub(crate) const EXAMPLE_TIME: &str = "2026-06-06T09:24:36.698Z";

pub(crate) static USER_ID: Schema = Schema {
    name: "UserId",
    build: |_| {
        json!({
            "type": "string",
            "minLength": 1,
            "maxLength": UserId::MAX_LEN,
            // Everything but "." and "..", written without a look-ahead, which RE2 lacks.
            "pattern": r"^(\.{0,2}[A-Za-z0-9_~@:+=-][A-Za-z0-9._~@:+=-]*|\.{3}[A-Za-z0-9._~@:+=-]*)$",
            "examples": [ALICE],
        })
    },
};

pub(crate) static USER_ID_INPUT: Schema = Schema {
    name: "UserIdInput",
    build: |components| {
        json!({
            "description": "A user id, or an unsigned 64-bit integer: 7 and \"7\" are the same \
                            user. Use strings above 2^53, which JavaScript cannot represent as a \
                            number.",
            "anyOf": [
                components.refer(&USER_ID),
                {"type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX},
            ],
        })
    },
};

pub(crate) static CONVERSATION_ID: Schema = Schema {
    name: "ConversationId",
    build: |_| {
        json!({
            "description": "The id of a direct conversation follows from the ids of its two users.",
            "type": "string",
            "format": "uuid",
            "examples": [EXAMPLE_CONVERSATION],
        })
    },
};

pub(crate) static MESSAGE_ID: Schema = Schema {
    name: "MessageId",
    build: |_| {
        json!({
            "description": "A UUIDv7. Messages are ordered by it.",
            "type": "string",
            "format": "uuid",
            "examples": [EXAMPLE_MESSAGE],
        })
    },
};

pub(crate) static TIMESTAMP: Schema = Schema {
    name: "Timestamp",
    build: |_| {
        json!({
            "description": "RFC 3339 in UTC, with milliseconds.",
            "type": "string",
            "format": "date-time",
            "examples": [EXAMPLE_TIME],
        })
    },
};

pub(crate) static TIMESTAMP_INPUT: Schema = Schema {
    name: "TimestampInput",
    build: |_| {
        json!({
            "description": "RFC 3339 with an offset.",
            "type": "string",
            "format": "date-time",
            "examples": ["2026-06-06T11:24:36+02:00"],
        })
    },
};

pub(crate) static LIMIT: Schema = Schema {
    name: "Limit",
    build: |_| {
        json!({
            "type": "integer",
            "minimum": Limit::MIN.get(),
            "maximum": Limit::MAX.get(),
            "default": Limit::default().get(),
        })
    },
};

/// The times that a request may wait for a change, in seconds.
pub(crate) const WAIT_RANGE: RangeInclusive<u64> = 1..=60;

pub(crate) static WAIT: Schema = Schema {
    name: "Wait",
    build: |_| {
        json!({
            "type": "integer",
            "minimum": WAIT_RANGE.start(),
            "maximum": WAIT_RANGE.end(),
        })
    },
};

pub(crate) static FLAG: Schema = Schema {
    name: "Flag",
    build: |_| json!({"type": "boolean", "default": false}),
};

pub(crate) static CURSOR: Schema = Schema {
    name: "Cursor",
    build: |_| with_description(cursor(), "Opaque: send it back exactly as it was returned."),
};

/// The shape of a cursor, for members that may also be null.
pub(crate) fn cursor() -> Value {
    json!({
        "type": "string",
        "minLength": 40,
        "maxLength": Cursor::MAX_LEN,
        "pattern": "^[A-Za-z0-9_-]+$",
    })
}

pub(crate) static CONTENT: Schema = Schema {
    name: "Content",
    build: |_| {
        let max = Content::MAX_LEN;
        let rule = format!("1 to {max} bytes of UTF-8, not only white space.");
        with_description(content(), &rule)
    },
};

/// The shape of content, for members that may also be null.
pub(crate) fn content() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": Content::MAX_LEN})
}

pub(crate) static REVISION: Schema = Schema {
    name: "Revision",
    build: |_| {
        json!({
            "description": "The version of the message, a UUIDv7: its id, until it is changed.",
            "type": "string",
            "format": "uuid",
            "examples": [EXAMPLE_MESSAGE],
        })
    },
};

/// Allows null besides what the schema says. A type array, because generators cannot merge `anyOf`.
pub(crate) fn nullable(mut schema: Value) -> Value {
    let of_value = schema["type"].take();
    schema["type"] = json!([of_value, "null"]);
    schema
}

pub(crate) fn with_description(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

/// A reference with a description of its own.
pub(crate) fn described(reference: Value, description: &str) -> Value {
    json!({"description": description, "allOf": [reference]})
}

#[cfg(test)]
mod tests {
    use messenger_core::ConversationId;

    use super::*;

    #[test]
    fn the_example_conversation_is_that_of_alice_and_bob() {
        let [alice, bob] = [ALICE, BOB].map(|user| user.parse().unwrap());
        let conversation = ConversationId::direct(&alice, &bob);
        assert_eq!(conversation.to_string(), EXAMPLE_CONVERSATION);
    }
}
