//! What goes over the wire: the body of an answer, and the JSON of a message to be sent.
//!
//! That is read by hand instead of derived, so that an error names the member it is about and never
//! repeats what was sent.

use std::borrow::Cow;
use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use messenger_core::{NewMessage, UserId};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::json::WriteJson;
use crate::problem::{Code, Problem};

/// The body of an answer: all of it, in one piece.
#[derive(Clone, Debug, Default)]
pub struct Body(Bytes);

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.0)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

/// An answer as JSON.
pub(crate) fn json(status: StatusCode, value: &impl WriteJson) -> Response<Bytes> {
    let mut response = with_type("application/json", Bytes::from(value.to_json()));
    *response.status_mut() = status;
    response
}

/// An answer of this media type.
pub(crate) fn with_type(media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// What is wrong with a body that is JSON.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Missing(Member),
    Twice(Member),
    Type(Member),
    NotAnObject,
}

/// The members of a message to be sent.
#[derive(Clone, Copy, Debug)]
enum Member {
    SenderId,
    ReceiverId,
    Content,
    Other,
}

impl Member {
    fn name(self) -> &'static str {
        match self {
            Self::SenderId => "sender_id",
            Self::ReceiverId => "receiver_id",
            Self::Content => "content",
            Self::Other => "another member",
        }
    }

    fn should_be(self) -> &'static str {
        match self {
            Self::SenderId | Self::ReceiverId => "a string or an unsigned 64-bit integer",
            Self::Content => "a string",
            Self::Other => "any JSON",
        }
    }
}

const SHAPE: &str = "{\"sender_id\": \"alice\", \"receiver_id\": \"bob\", \"content\": \"Hello\"}";

/// Reads a message to be sent out of a request's body.
///
/// What is not JSON, or not of the right types, is malformed (400). What is, and breaks a rule of
/// the model, is not valid (422).
pub(crate) fn new_message(body: &[u8]) -> Result<NewMessage, Problem> {
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let members = MessageSeed { fault: &fault }
        .deserialize(&mut deserializer)
        .and_then(|members| deserializer.end().map(|()| members))
        .map_err(|error| malformed(body, fault.get(), &error))?;
    let user = |member: Member, id: UserIdIn<'_>| {
        id.parse().map_err(|error| {
            let detail = format!("{}: {}.", member.name(), error.message());
            Problem::with_detail(Code::InvalidUserId, detail)
        })
    };
    let sender = user(Member::SenderId, members.sender_id)?;
    let receiver = user(Member::ReceiverId, members.receiver_id)?;
    Ok(NewMessage::new(sender, receiver, members.content)?)
}

fn malformed(body: &[u8], fault: Option<Fault>, error: &serde_json::Error) -> Problem {
    let detail = match fault {
        _ if body.is_empty() => format!("The body is empty; send an object such as {SHAPE}."),
        Some(Fault::Missing(member)) => {
            let (name, what) = (member.name(), member.should_be());
            format!("{name} is missing; it must be {what}.")
        }
        Some(Fault::Twice(member)) => {
            format!("{} is there twice; send it once.", member.name())
        }
        // Within a member, what is not JSON at all is no error of its type.
        Some(Fault::Type(member)) if error.is_data() => {
            let (name, what) = (member.name(), member.should_be());
            format!("{name} must be {what} (line {}).", error.line())
        }
        Some(Fault::NotAnObject) if error.is_data() => {
            format!("The body must be an object such as {SHAPE}.")
        }
        // The texts of syntax errors are constant but for the place.
        _ => format!("The body is not JSON: {error}."),
    };
    Problem::with_detail(Code::MalformedBody, detail)
}

struct Members<'a> {
    sender_id: UserIdIn<'a>,
    receiver_id: UserIdIn<'a>,
    content: Cow<'a, str>,
}

/// A user id as it came: of the right type, and perhaps not valid.
enum UserIdIn<'a> {
    Text(Cow<'a, str>),
    Number(u64),
}

impl UserIdIn<'_> {
    fn parse(self) -> Result<UserId, messenger_core::Error> {
        match self {
            Self::Text(id) => UserId::new(id),
            Self::Number(id) => Ok(UserId::from(id)),
        }
    }
}

impl<'de> Deserialize<'de> for UserIdIn<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl<'de> Visitor<'de> for IdVisitor {
            type Value = UserIdIn<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a user id")
            }

            fn visit_borrowed_str<E>(self, id: &'de str) -> Result<Self::Value, E> {
                Ok(UserIdIn::Text(Cow::Borrowed(id)))
            }

            fn visit_str<E>(self, id: &str) -> Result<Self::Value, E> {
                Ok(UserIdIn::Text(Cow::Owned(id.to_owned())))
            }

            fn visit_u64<E>(self, id: u64) -> Result<Self::Value, E> {
                Ok(UserIdIn::Number(id))
            }
        }

        deserializer.deserialize_any(IdVisitor)
    }
}

/// A text, borrowed where it has no escapes. (`Cow<str>` by itself is always owned.)
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads the members and notes what was being read, because the errors of serde do not say it.
struct MessageSeed<'f> {
    fault: &'f Cell<Option<Fault>>,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = Members<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.fault.set(Some(Fault::NotAnObject));
        deserializer.deserialize_map(self)
    }
}

impl MessageSeed<'_> {
    /// Reads the value of a member into its place.
    fn read<'de, T, A>(
        &self,
        member: Member,
        place: &mut Option<T>,
        map: &mut A,
    ) -> Result<(), A::Error>
    where
        T: Deserialize<'de>,
        A: MapAccess<'de>,
    {
        if place.is_some() {
            return Err(self.fail(Fault::Twice(member)));
        }
        self.fault.set(Some(Fault::Type(member)));
        *place = Some(map.next_value()?);
        self.fault.set(None);
        Ok(())
    }

    fn fail<E: serde::de::Error>(&self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("see the fault")
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message to be sent")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        self.fault.set(None);
        let (mut sender_id, mut receiver_id, mut content) = (None, None, None);
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                "sender_id" => self.read(Member::SenderId, &mut sender_id, &mut map)?,
                "receiver_id" => self.read(Member::ReceiverId, &mut receiver_id, &mut map)?,
                "content" => self.read(Member::Content, &mut content, &mut map)?,
                _ => {
                    let mut ignored = None::<IgnoredAny>;
                    self.read(Member::Other, &mut ignored, &mut map)?;
                }
            }
        }
        let missing = |member| self.fail::<A::Error>(Fault::Missing(member));
        let sender_id = sender_id.ok_or_else(|| missing(Member::SenderId))?;
        let receiver_id = receiver_id.ok_or_else(|| missing(Member::ReceiverId))?;
        let Text(content) = content.ok_or_else(|| missing(Member::Content))?;
        Ok(Members {
            sender_id,
            receiver_id,
            content,
        })
    }
}
