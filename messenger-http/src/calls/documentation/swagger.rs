//! The page at `/docs`: Swagger UI over the OpenAPI document, with nothing from another server.
//!
//! The files come zipped in a crate. They are unpacked when the page is first opened, and kept.

use std::io::{Cursor, Read as _};
use std::sync::LazyLock;

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};
use messenger_core::{Error, ErrorKind};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;
use zip::result::{ZipError, ZipResult};

use crate::answer::{Answer, Asset, CONTENT_SECURITY_POLICY, Code, ETAG, Problem};
use crate::request::IF_NONE_MATCH;
use crate::route::{Call, Content, Group, Success, Verb};

pub(in crate::calls) static PAGE: Call = Call {
    id: "docs",
    verb: Verb::Get,
    path: "/docs",
    group: Group::Documentation,
    summary: "Read and try the calls on a page",
    description: "The page loads nothing from other servers.",
    query: &[],
    headers: &[&IF_NONE_MATCH],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The page.",
        content: Content::Text(&["text/html"]),
        headers: &[&CONTENT_SECURITY_POLICY, &ETAG],
    },
    problems: &[],
    handler: |request| {
        Box::pin(async move { Ok(page(request.state.base()).answer(request.headers)) })
    },
};

pub(in crate::calls) static FILE: Call = Call {
    id: "docsFile",
    verb: Verb::Get,
    path: "/docs/{file}",
    group: Group::Documentation,
    summary: "Get a file of the page",
    description: "Script, style or icon of the page at /docs.",
    query: &[],
    headers: &[&IF_NONE_MATCH],
    body: None,
    success: Success {
        status: StatusCode::OK,
        description: "The file.",
        content: Content::Text(&["text/css", "text/javascript", "image/png"]),
        headers: &[&CONTENT_SECURITY_POLICY, &ETAG],
    },
    problems: &[Code::InvalidId, Code::NotFound],
    handler: |request| {
        Box::pin(async move {
            let name = request.path.text("file")?;
            file(&name, request.state.base(), request.headers)
        })
    },
};

/// Everything from this server. Swagger UI sets styles from its script, and has its icons in `data:`
/// URLs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Stands for the base path in the files of this crate.
const BASE: &str = "{base}";

fn page(base: &str) -> Asset {
    let html = include_str!("../../../assets/docs/index.html").replace(BASE, base);
    Asset::new("text/html; charset=utf-8", html).with_policy(POLICY)
}

fn file(name: &str, base: &str, headers: &HeaderMap) -> Result<Answer, Problem> {
    static VENDORED: LazyLock<ZipResult<Vec<(&str, Asset)>>> = LazyLock::new(unpack);
    if name == "start.js" {
        let script = include_str!("../../../assets/docs/start.js").replace(BASE, base);
        let script = Asset::new(JAVASCRIPT, script).with_policy(POLICY);
        return Ok(script.answer(headers));
    }
    let files = VENDORED.as_ref().map_err(|error| {
        let internal = Error::new(ErrorKind::Internal, "the files of /docs cannot be unpacked");
        Problem::from(internal.with_source(error.to_string()))
    })?;
    let file = files.iter().find(|(known, _)| *known == name);
    let (_, file) = file.ok_or_else(|| {
        Problem::with_detail(
            Code::NotFound,
            "The page at /docs has no file with this name.",
        )
    })?;
    Ok(file.answer(headers))
}

fn unpack() -> ZipResult<Vec<(&'static str, Asset)>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let files = [
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("swagger-ui-bundle.js", JAVASCRIPT),
        ("favicon-32x32.png", "image/png"),
    ];
    let unpacked = files.map(|(name, media_type)| {
        let path = path_of(&archive, name).ok_or(ZipError::FileNotFound)?;
        let mut body = Vec::new();
        archive.by_name(&path)?.read_to_end(&mut body)?;
        Ok((name, Asset::new(media_type, body).with_policy(POLICY)))
    });
    unpacked.into_iter().collect()
}

/// Returns the path of a file of the distribution, whose first folder has the version in its name.
fn path_of(archive: &ZipArchive<Cursor<&[u8]>>, name: &str) -> Option<String> {
    let is_it = |path: &str| {
        let mut parts = path.split('/').skip(1);
        parts.next() == Some("dist") && parts.next() == Some(name) && parts.next().is_none()
    };
    let mut paths = archive.file_names().filter_map(Result::ok);
    paths.find(|path| is_it(path)).map(Into::into)
}
