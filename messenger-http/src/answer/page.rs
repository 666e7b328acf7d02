//! Pages of a list.

use std::fmt::{self, Write as _};

use http::StatusCode;
use http::header;
use messenger_core::{Cursor, Limit, Page};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, HeaderDoc, Problem, header_value, json_of_about};
use crate::schema::{self, CURSOR, Components, Schema};

/// The shape of a page in JSON.
#[derive(Serialize)]
struct PageJson<'a, T> {
    data: &'a [T],
    next_cursor: Option<Cursor>,
    prev_cursor: Cursor,
}

/// Answers with a page and its `Link` header (RFC 8288): the same call with the page's cursors.
///
/// `path` is the path of the call, and `query` its other parameters, each after an `&`. Nothing in
/// them needs percent-encoding: ids, limits and times in UTC consist of characters that a URL takes
/// as they are.
pub(crate) fn page<T: Serialize>(
    page: &Page<T>,
    path: fmt::Arguments<'_>,
    query: impl fmt::Display,
) -> Result<Answer, Problem> {
    let mut link = String::with_capacity(512);
    for (cursor, rel) in [(page.next, "next"), (Some(page.prev), "prev")] {
        let Some(cursor) = cursor else { continue };
        let comma = if link.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(
            link,
            "{comma}<{path}?cursor={cursor}{query}>; rel=\"{rel}\""
        );
    }
    let shape = PageJson {
        data: &page.items,
        next_cursor: page.next,
        prev_cursor: page.prev,
    };
    // An item with a short text takes about 400 bytes.
    let size = 256 + 400 * page.items.len();
    let mut answer = json_of_about(size, StatusCode::OK, &shape)?;
    answer
        .headers_mut()
        .insert(header::LINK, header_value(link)?);
    Ok(answer)
}

pub(crate) static LINK: HeaderDoc = HeaderDoc {
    name: "Link",
    description: "The next and the previous page as URLs (RFC 8288), with the other query \
                  parameters of this request.",
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
    use super::*;

    #[test]
    fn the_cursors_of_the_example_are_cursors() {
        assert!(NEXT.parse::<Cursor>().is_ok());
        assert!(PREV.parse::<Cursor>().is_ok());
    }
}
