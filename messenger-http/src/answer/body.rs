//! The body of an answer: one piece, or a stream.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use crate::limits::HeldBytes;

/// The body of an answer: all of it in one piece, or a stream of pieces.
pub struct Body(Kind);

enum Kind {
    Full(Full<Bytes>),
    Stream(UnsyncBoxBody<Bytes, Infallible>),
}

impl Body {
    /// Creates a body from a stream of pieces.
    pub fn stream<B>(stream: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
    {
        Self(Kind::Stream(stream.boxed_unsync()))
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.0, Kind::Stream(_))
    }
}

impl Default for Body {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Full(Full::new(bytes)))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            Kind::Full(_) => "Full",
            Kind::Stream(_) => "Stream",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Kind::Full(full) => Pin::new(full).poll_frame(cx),
            Kind::Stream(stream) => Pin::new(stream).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(full) => full.is_end_stream(),
            Kind::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(full) => full.size_hint(),
            Kind::Stream(stream) => stream.size_hint(),
        }
    }
}

/// The body of an answer inside this crate, with what the byte budget must know about it.
#[derive(Debug)]
pub(crate) enum Payload {
    /// Made for this request: counts against the budget.
    Owned(Vec<u8>),
    /// A problem document, or memory that all answers share: does not count.
    Free(Bytes),
    /// A stream, whose pieces are made as the client takes them: does not count, and has no length.
    Stream(Body),
}

impl Payload {
    pub(crate) fn empty() -> Self {
        Self::Free(Bytes::new())
    }

    /// Returns the length, unless it is a stream.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::Owned(bytes) => Some(bytes.len()),
            Self::Free(bytes) => Some(bytes.len()),
            Self::Stream(_) => None,
        }
    }

    /// Returns the memory that this request alone takes.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Owned(bytes) => bytes.capacity(),
            Self::Free(_) | Self::Stream(_) => 0,
        }
    }

    /// Makes the body, whose memory is given back to the budget when it is freed. That is when the
    /// connection has written the last of it, not yet when it has taken it from the body.
    pub(crate) fn into_body(self, held: Option<HeldBytes>) -> Body {
        struct Held {
            bytes: Vec<u8>,
            _held: HeldBytes,
        }

        impl AsRef<[u8]> for Held {
            fn as_ref(&self) -> &[u8] {
                &self.bytes
            }
        }

        match (self, held) {
            (Self::Owned(bytes), Some(held)) => {
                Bytes::from_owner(Held { bytes, _held: held }).into()
            }
            (Self::Owned(bytes), None) => Bytes::from(bytes).into(),
            (Self::Free(bytes), _) => bytes.into(),
            (Self::Stream(body), _) => body,
        }
    }
}
