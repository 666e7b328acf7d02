//! Pages of a list.

use std::fmt::{self, Write as _};

use http::StatusCode;
use http::header;
use messenger_core::{Limit, Page};
use serde_json::{Value, json};

use super::{Answer, HeaderDoc, Problem, WriteJson, header_value};
use crate::schema::{self, CURSOR, Components, Schema};

/// A list that a cursor leads to: its path, and the other parameters of the query, each after an
/// `&`. Nothing in them needs percent-encoding: ids, limits and times in UTC consist of characters
/// that a URL takes as they are.
pub(crate) struct List<P, Q> {
    pub(crate) path: P,
    pub(crate) query: Q,
}

/// Answers with a page and its `Link` header (RFC 8288): the lists of older and of newer items, with
/// the page's cursors.
pub(crate) fn page<T: WriteJson, P: fmt::Display, Q: fmt::Display>(
    page: &Page<T>,
    older: &List<P, Q>,
    newer: &List<impl fmt::Display, Q>,
) -> Result<Answer, Problem> {
    let mut link = String::with_capacity(512);
    // Writing to a string does not fail.
    if let Some(next) = page.next {
        let List { path, query } = older;
        let _ = write!(link, "<{path}?cursor={next}{query}>; rel=\"next\", ");
    }
    let (List { path, query }, prev) = (newer, page.prev);
    let _ = write!(link, "<{path}?cursor={prev}{query}>; rel=\"prev\"");
    let mut answer = super::json(StatusCode::OK, page);
    answer
        .headers_mut()
        .insert(header::LINK, header_value(link)?);
    Ok(answer)
}

pub(crate) static LINK: HeaderDoc = HeaderDoc {
    name: "Link",
    description: "The pages that the cursors lead to, as URLs (RFC 8288).",
    required: true,
    schema: || {
        json!({
            "type": "string",
            "pattern": "^(<[^<> ]+>; rel=\"next\", )?<[^<> ]+>; rel=\"prev\"$",
        })
    },
};

/// Cursors of a page, as an example.
const NEXT: &str = "AQBAMOMt14ZU755s5Ti8_y8PAZ6cP6Laf2mAAAAAAAAAAA";
const PREV: &str = "AQJAMOMt14ZU755s5Ti8_y8PAZ6cP6Lbe26fDS9PPIqdEQGenD-i23tunw0vTzyKnRE";

/// Returns the schema of a page of these items.
pub(crate) fn page_schema(components: &mut Components, item: &'static Schema) -> Value {
    let item = components.refer(item);
    let cursor = components.refer(&CURSOR);
    json!({
        "type": "object",
        "required": ["data", "next_cursor", "prev_cursor"],
        "properties": {
            "data": {"type": "array", "items": item, "maxItems": Limit::MAX.get()},
            "next_cursor": schema::with_description(
                schema::nullable(schema::cursor()),
                "Leads to older items. Null if there are none.",
            ),
            "prev_cursor": schema::described(cursor, "Leads to newer items, now or later."),
        },
    })
}

/// Adds an example with these items to the schema of a page.
pub(crate) fn page_with_example(mut page: Value, items: Value) -> Value {
    page["examples"] = json!([{"data": items, "next_cursor": NEXT, "prev_cursor": PREV}]);
    page
}

#[cfg(test)]
mod tests {
    use messenger_core::Cursor;

    use super::*;

    #[test]
    fn the_cursors_of_the_example_are_cursors() {
        assert!(NEXT.parse::<Cursor>().is_ok());
        assert!(PREV.parse::<Cursor>().is_ok());
    }
}
