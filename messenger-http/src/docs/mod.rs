//! The page at `/docs`: Swagger UI over the OpenAPI document, out of this program and nowhere else.
//!
//! The files come zipped in a crate. They are unpacked when the page is first opened, and kept.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Cursor, Read as _};
use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use messenger_core::{Error, ErrorKind};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;
use zip::result::{ZipError, ZipResult};

use crate::problem::{Code, Problem};
use crate::wire;

/// Everything from this server. Swagger UI sets styles from its script, and has its icons in `data:`
/// URLs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// A file, as it is answered.
struct File {
    name: &'static str,
    media_type: &'static str,
    body: Bytes,
    etag: HeaderValue,
}

impl File {
    fn new(name: &'static str, media_type: &'static str, body: Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        Self {
            name,
            media_type,
            body,
            // Quotes and hexadecimal digits always make a header.
            etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"0\"")),
        }
    }

    fn answer(&self, request: &HeaderMap) -> Response<Bytes> {
        let known = request.get(header::IF_NONE_MATCH);
        let mut response = if known == Some(&self.etag) {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            wire::with_type(self.media_type, self.body.clone())
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// Answers `/docs`.
pub(crate) fn page(request: &HeaderMap) -> Result<Response<Bytes>, Problem> {
    static PAGE: LazyLock<File> = LazyLock::new(|| {
        let html = include_bytes!("index.html");
        File::new("", "text/html; charset=utf-8", Bytes::from_static(html))
    });
    Ok(PAGE.answer(request))
}

/// Answers `/docs/{file}`.
pub(crate) fn file(name: &str, request: &HeaderMap) -> Result<Response<Bytes>, Problem> {
    static FILES: LazyLock<ZipResult<Vec<File>>> = LazyLock::new(unpack);
    let files = FILES.as_ref().map_err(|error| {
        let internal = Error::new(ErrorKind::Internal, "the files of /docs cannot be unpacked");
        Problem::from(internal.with_source(error.to_string()))
    })?;
    let file = files.iter().find(|file| file.name == name).ok_or_else(|| {
        Problem::with_detail(
            Code::NotFound,
            "The page at /docs has no file of this name.",
        )
    })?;
    Ok(file.answer(request))
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

fn unpack() -> ZipResult<Vec<File>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let mut unpack = |name: &'static str, media_type| {
        let path = path_of(&archive, name).ok_or(ZipError::FileNotFound)?;
        let mut body = Vec::new();
        archive.by_name(&path)?.read_to_end(&mut body)?;
        Ok::<_, ZipError>(File::new(name, media_type, Bytes::from(body)))
    };
    let start = Bytes::from_static(include_bytes!("start.js"));
    Ok(vec![
        unpack("swagger-ui.css", "text/css; charset=utf-8")?,
        unpack("swagger-ui-bundle.js", JAVASCRIPT)?,
        unpack("favicon-32x32.png", "image/png")?,
        File::new("start.js", JAVASCRIPT, start),
    ])
}

/// The path of a file of the distribution; its first folder holds the version.
fn path_of(archive: &ZipArchive<Cursor<&[u8]>>, name: &str) -> Option<String> {
    let is_it = |path: &str| {
        let mut parts = path.split('/').skip(1);
        parts.next() == Some("dist") && parts.next() == Some(name) && parts.next().is_none()
    };
    let mut paths = archive.file_names().filter_map(Result::ok);
    paths.find(|path| is_it(path)).map(Into::into)
}
