//! The calls that change what exists have this in common.

use std::fmt;

use http::StatusCode;
use messenger_core::{Actor, Error, ErrorKind, Outcome, UserId};
use serde::de::{Deserialize, Deserializer, Visitor};

use crate::answer::{self, Answer, Code, Problem, WriteJson};
use crate::auth::Caller;
use crate::request::Request;
use crate::state::Written;

/// Makes a change that is safe to repeat, and answers with what it made. `missing` is the problem if
/// the changed item does not exist.
pub(super) async fn change<T: WriteJson + Send + 'static>(
    request: Request<'_>,
    missing: Code,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<Answer, Problem> {
    match request.state.write(request.in_flight, work).await {
        Written::Done(Ok(changed)) => Ok(answer::json(StatusCode::OK, &changed)),
        Written::Done(Err(error)) => Err(Problem::of_change(error, missing)),
        Written::Panicked => {
            let error = Error::new(ErrorKind::Internal, "a change panicked");
            Err(error.with_outcome(Outcome::Unknown).into())
        }
        Written::NotInTime => Err(Problem::outcome_unknown(None)),
    }
    .map_err(Problem::repeatable)
}

/// A user id of the right type, which may not be valid: that is another problem.
pub(super) struct UserIdInput(Result<UserId, Error>);

/// The user for whom a change is made, who need not be named if the caller is known.
#[derive(Default)]
pub(super) struct ActingUser(Option<UserIdInput>);

impl ActingUser {
    /// Returns the actor who makes the change. `member` is the name in the body.
    pub(super) fn actor(self, caller: &Caller, member: &str) -> Result<Actor, Problem> {
        let named = self.0.map(|input| input.parse(member)).transpose()?;
        caller.actor(named)?.ok_or_else(|| {
            Problem::with_detail(Code::MalformedBody, format!("{member} is missing."))
        })
    }
}

impl<'de> Deserialize<'de> for ActingUser {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        UserIdInput::deserialize(deserializer).map(|input| Self(Some(input)))
    }
}

impl UserIdInput {
    pub(super) fn parse(self, member: &str) -> Result<UserId, Problem> {
        self.0.map_err(|error| {
            let detail = format!("{member}: {}.", error.message());
            Problem::with_detail(Code::InvalidUserId, detail)
        })
    }
}

impl<'de> Deserialize<'de> for UserIdInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl Visitor<'_> for IdVisitor {
            type Value = UserIdInput;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an unsigned 64-bit integer")
            }

            fn visit_str<E>(self, id: &str) -> Result<UserIdInput, E> {
                Ok(UserIdInput(UserId::new(id)))
            }

            fn visit_u64<E>(self, id: u64) -> Result<UserIdInput, E> {
                Ok(UserIdInput(Ok(UserId::from(id))))
            }
        }

        deserializer.deserialize_any(IdVisitor)
    }
}
