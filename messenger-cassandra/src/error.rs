//! Converts the driver's errors to core's: the kind, and the outcome of a write.
//!
//! The driver's enums may grow. So every known variant is named with its reason, and a new one
//! counts as [`Outcome::Unknown`]: wrong in that direction costs a caller a retry with the same id;
//! wrong in the other direction would lose or duplicate a message.
//!
//! A write is `NotApplied` only if the server checks before it writes, or if nothing was sent. In
//! particular a logged batch that was refused as overloaded may have reached the batch log, which
//! replays it.

use std::time::Duration;

use messenger_core::{Error, ErrorKind, Outcome};
use scylla::deserialize::DeserializationError;
use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError,
    MetadataError, NewSessionError, PrepareError, RequestAttemptError, WriteType,
};

/// The meaning of an error of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) kind: ErrorKind,
    pub(crate) outcome: Outcome,
    message: &'static str,
}

const fn not_applied(kind: ErrorKind, message: &'static str) -> Diagnosis {
    Diagnosis {
        kind,
        outcome: Outcome::NotApplied,
        message,
    }
}

const fn unknown(kind: ErrorKind, message: &'static str) -> Diagnosis {
    Diagnosis {
        kind,
        outcome: Outcome::Unknown,
        message,
    }
}

const UNREADABLE: &str = "the node's answer could not be read";

/// Interprets the error of a whole request.
#[deny(clippy::wildcard_enum_match_arm)]
pub(crate) fn of_request(error: &ExecutionError) -> Diagnosis {
    match error {
        ExecutionError::LastAttemptError(attempt) => of_attempt(attempt),
        // The driver stopped waiting; the request goes on.
        ExecutionError::RequestTimeout(_) => timed_out(),
        // No connection to any node of the plan: nothing was sent.
        ExecutionError::ConnectionPoolError(pool) => of_pool(pool),
        // No node in the plan: nothing was sent.
        ExecutionError::EmptyPlan => not_applied(
            ErrorKind::Unavailable,
            "no Cassandra node can be used; does the datacenter still exist?",
        ),
        // Refused by the driver before anything was sent.
        ExecutionError::BadQuery(_) => {
            not_applied(ErrorKind::Internal, "the statement could not be serialized")
        }
        // Preparing comes before executing.
        ExecutionError::PrepareError(_) => not_applied(
            ErrorKind::Unavailable,
            "the statement could not be prepared on any node",
        ),
        // After a change of the schema, which was made.
        ExecutionError::UseKeyspaceError(_)
        | ExecutionError::SchemaAgreementError(_)
        | ExecutionError::MetadataError(_) => unknown(
            ErrorKind::Unavailable,
            "the nodes did not agree on the schema in time",
        ),
        _ => unknown(ErrorKind::Internal, "the request failed"),
    }
}

/// Interprets the error of one attempt.
#[deny(clippy::wildcard_enum_match_arm)]
pub(crate) fn of_attempt(error: &RequestAttemptError) -> Diagnosis {
    match error {
        RequestAttemptError::DbError(error, _) => of_server(error),
        // It may have arrived before the connection broke.
        RequestAttemptError::BrokenConnectionError(_) => unknown(
            ErrorKind::Unavailable,
            "the connection to the node broke before it answered",
        ),
        // All streams of the connection are taken: nothing was sent.
        RequestAttemptError::UnableToAllocStreamId => not_applied(
            ErrorKind::Overloaded,
            "too many requests are waiting for an answer",
        ),
        // Nothing was sent.
        RequestAttemptError::SerializationError(_)
        | RequestAttemptError::CqlRequestSerialization(_) => {
            not_applied(ErrorKind::Internal, "the statement could not be serialized")
        }
        // The server asked for the statement to be prepared again, and did not execute it.
        RequestAttemptError::RepreparedIdChanged { .. }
        | RequestAttemptError::RepreparedIdMissingInBatch => not_applied(
            ErrorKind::Unavailable,
            "the tables were changed; restart the process",
        ),
        // There was an answer, but it does not say whether the write was executed.
        RequestAttemptError::BodyExtensionsParseError(_)
        | RequestAttemptError::CqlResultParseError(_)
        | RequestAttemptError::CqlErrorParseError(_)
        | RequestAttemptError::UnexpectedResponse(_)
        | RequestAttemptError::NonfinishedPagingState => unknown(ErrorKind::Internal, UNREADABLE),
        _ => unknown(ErrorKind::Internal, "the attempt failed"),
    }
}

#[deny(clippy::wildcard_enum_match_arm)]
fn of_server(error: &DbError) -> Diagnosis {
    match error {
        // Counted before anything is written, for a logged batch also before the batch log.
        DbError::Unavailable { .. } => not_applied(
            ErrorKind::Unavailable,
            "too few replicas are up for a majority",
        ),
        // The node accepts no requests yet.
        DbError::IsBootstrapping => not_applied(
            ErrorKind::Unavailable,
            "the node is still joining the cluster",
        ),
        // Some replicas may have written; hints and the batch log bring the others along.
        DbError::WriteTimeout { .. } => unknown(
            ErrorKind::Timeout,
            "too few replicas acknowledged the write in time",
        ),
        DbError::WriteFailure { .. } => unknown(
            ErrorKind::Unavailable,
            "too few replicas could execute the write",
        ),
        // The batch log may have taken the batch before the node found too many hints waiting.
        DbError::Overloaded => unknown(ErrorKind::Overloaded, "the node is overloaded"),
        // ScyllaDB only. Rejected by the coordinator: before it was written anywhere.
        DbError::RateLimitReached {
            rejected_by_coordinator: true,
            ..
        } => not_applied(
            ErrorKind::Overloaded,
            "the partition accepts no more requests for now",
        ),
        DbError::RateLimitReached { .. } => unknown(
            ErrorKind::Overloaded,
            "the partition accepts no more requests for now",
        ),
        DbError::ReadTimeout { .. } => unknown(
            ErrorKind::Timeout,
            "too few replicas answered the read in time",
        ),
        DbError::ReadFailure { .. } => unknown(
            ErrorKind::Unavailable,
            "too few replicas could execute the read",
        ),
        // An exception anywhere in the node.
        DbError::ServerError | DbError::TruncateError => {
            unknown(ErrorKind::Unavailable, "the node failed")
        }
        // Checked before execution.
        DbError::Unauthorized => not_applied(
            ErrorKind::Unavailable,
            "the user is not authorized; grant SELECT and MODIFY on the keyspace",
        ),
        DbError::AuthenticationError => {
            not_applied(ErrorKind::Unavailable, "the user or the password is wrong")
        }
        DbError::SyntaxError
        | DbError::Invalid
        | DbError::ConfigError
        | DbError::ProtocolError
        | DbError::AlreadyExists { .. }
        | DbError::FunctionFailure { .. }
        | DbError::Unprepared { .. } => not_applied(
            ErrorKind::Internal,
            "the node refused the statement; are the tables of this version?",
        ),
        DbError::Other(_) | _ => unknown(ErrorKind::Unavailable, "the node failed"),
    }
}

#[deny(clippy::wildcard_enum_match_arm)]
fn of_pool(error: &ConnectionPoolError) -> Diagnosis {
    let message = match error {
        ConnectionPoolError::Broken { .. } => return no_node(),
        ConnectionPoolError::Initializing => "no connection to a Cassandra node is open yet",
        ConnectionPoolError::NodeDisabledByHostFilter => "the node is excluded by a filter",
        _ => "no connection to a Cassandra node is open",
    };
    not_applied(ErrorKind::Unavailable, message)
}

/// No node is connected.
pub(crate) const fn no_node() -> Diagnosis {
    not_applied(ErrorKind::Unavailable, "no Cassandra node can be reached")
}

pub(crate) const fn timed_out() -> Diagnosis {
    unknown(
        ErrorKind::Timeout,
        "Cassandra did not answer within the request timeout",
    )
}

/// Reading an inbox can also take too long because of its own size.
pub(crate) const fn inbox_timed_out() -> Diagnosis {
    unknown(
        ErrorKind::Timeout,
        "Cassandra did not answer within the request timeout, or too many of the user's \
         conversations were active in one epoch",
    )
}

impl Diagnosis {
    /// Returns the error of a read, which has no outcome.
    pub(crate) fn of_read(self) -> Error {
        Error::new(self.kind, self.message)
    }

    /// Returns the error of a write with this outcome, which takes earlier attempts into account.
    pub(crate) fn of_write(self, outcome: Outcome) -> Error {
        Error::new(self.kind, self.message).with_outcome(outcome)
    }
}

/// The error of a failed read.
pub(crate) fn read(error: ExecutionError) -> Error {
    of_request(&error).of_read().with_source(error)
}

/// The error of a stored row that is not valid.
pub(crate) fn corrupt(
    what: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(ErrorKind::Corrupt, what).with_source(source)
}

/// The error of an answer that does not have the columns of its statement.
pub(crate) fn undecodable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    corrupt(
        "a row could not be decoded; are the tables of this version?",
        source,
    )
}

pub(crate) fn undecodable_row(error: DeserializationError) -> Error {
    undecodable(error)
}

/// The error of connecting for too long.
pub(crate) fn connect_timeout(nodes: &[String], timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!(
            "no Cassandra node answered at {} within {timeout:?}; check the address, the port (CQL, \
             9042 by default) and the network in between",
            nodes.join(", ")
        ),
    )
}

/// The error of a failed connection, with what to change.
#[deny(clippy::wildcard_enum_match_arm)]
pub(crate) fn connect(error: NewSessionError, nodes: &[String]) -> Error {
    let nodes = nodes.join(", ");
    let (kind, message) = match &error {
        NewSessionError::FailedToResolveAnyHostname(_) => (
            ErrorKind::Unavailable,
            format!("none of the host names {nodes} could be resolved"),
        ),
        NewSessionError::EmptyKnownNodesList => (
            ErrorKind::Invalid,
            "no Cassandra node is configured; name at least one as host:port".to_owned(),
        ),
        NewSessionError::MetadataError(MetadataError::ConnectionPoolError(
            ConnectionPoolError::Broken {
                last_connection_error,
            },
        )) => of_connection(last_connection_error, &nodes),
        NewSessionError::MetadataError(_) => (
            ErrorKind::Unavailable,
            format!("the cluster at {nodes} did not tell its nodes and keyspaces"),
        ),
        NewSessionError::UseKeyspaceError(_) | NewSessionError::IllegalConfig(_) | _ => (
            ErrorKind::Internal,
            "the driver refused its configuration".to_owned(),
        ),
    };
    Error::new(kind, message).with_source(error)
}

#[deny(clippy::wildcard_enum_match_arm)]
fn of_connection(error: &ConnectionError, nodes: &str) -> (ErrorKind, String) {
    let not_cassandra = || {
        (
            ErrorKind::Unavailable,
            format!(
                "the listener at {nodes} does not speak CQL; use the CQL port (9042 by default)"
            ),
        )
    };
    match error {
        ConnectionError::ConnectTimeout => (
            ErrorKind::Unavailable,
            format!("connecting to {nodes} timed out; is the address right?"),
        ),
        // rustls reports certificate errors as this kind.
        ConnectionError::IoError(io) if io.kind() == std::io::ErrorKind::InvalidData => (
            ErrorKind::Invalid,
            format!(
                "no TLS with {nodes}: {io}; the certificate must be for the node's address and \
                 signed by an authority of the CA file"
            ),
        ),
        ConnectionError::IoError(io) => (
            ErrorKind::Unavailable,
            format!("cannot connect to {nodes}: {io}; is Cassandra running there?"),
        ),
        ConnectionError::ConnectionSetupRequestError(setup) => match setup.get_error() {
            ConnectionSetupRequestErrorKind::MissingAuthentication => (
                ErrorKind::Invalid,
                format!("the cluster at {nodes} requires a user and a password; configure them"),
            ),
            ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, _)
            | ConnectionSetupRequestErrorKind::StartAuthSessionError(_)
            | ConnectionSetupRequestErrorKind::AuthChallengeEvaluationError(_)
            | ConnectionSetupRequestErrorKind::AuthFinishError(_) => (
                ErrorKind::Invalid,
                format!("the user or the password is wrong for the cluster at {nodes}"),
            ),
            ConnectionSetupRequestErrorKind::DbError(..) => (
                ErrorKind::Unavailable,
                format!("the node at {nodes} refused the connection"),
            ),
            ConnectionSetupRequestErrorKind::CqlRequestSerialization(_)
            | ConnectionSetupRequestErrorKind::BodyExtensionsParseError(_)
            | ConnectionSetupRequestErrorKind::UnableToAllocStreamId
            | ConnectionSetupRequestErrorKind::BrokenConnection(_)
            | ConnectionSetupRequestErrorKind::UnexpectedResponse(_)
            | ConnectionSetupRequestErrorKind::CqlSupportedParseError(_)
            | ConnectionSetupRequestErrorKind::CqlAuthenticateParseError(_)
            | ConnectionSetupRequestErrorKind::CqlAuthSuccessParseError(_)
            | ConnectionSetupRequestErrorKind::CqlAuthChallengeParseError(_)
            | ConnectionSetupRequestErrorKind::CqlErrorParseError(_)
            | _ => not_cassandra(),
        },
        // After the first request: the answer was not a frame of the protocol.
        ConnectionError::BrokenConnection(_) => not_cassandra(),
        ConnectionError::NoSourcePortForShard(_)
        | ConnectionError::TranslationError(_)
        | ConnectionError::UseKeyspaceError(_)
        | _ => (
            ErrorKind::Unavailable,
            format!("the connection to {nodes} could not be set up"),
        ),
    }
}

/// The error of a statement that no node prepared: the tables are not those of this version.
#[deny(clippy::wildcard_enum_match_arm)]
pub(crate) fn prepare(error: PrepareError) -> Error {
    let (kind, message) = match &error {
        PrepareError::AllAttemptsFailed {
            first_attempt: RequestAttemptError::DbError(DbError::Unauthorized, _),
        } => (
            ErrorKind::Invalid,
            "the user is not authorized to use the tables; grant SELECT and MODIFY on the keyspace",
        ),
        PrepareError::AllAttemptsFailed {
            first_attempt: RequestAttemptError::DbError(..),
        } => (
            ErrorKind::Invalid,
            "the tables in the keyspace are not those of the messenger; name another keyspace, or \
             run the migration",
        ),
        PrepareError::AllAttemptsFailed { .. }
        | PrepareError::ConnectionPoolError(_)
        | PrepareError::PreparedStatementIdsMismatch
        | _ => (
            ErrorKind::Unavailable,
            "the statements could not be prepared on any node",
        ),
    };
    Error::new(kind, message).with_source(error)
}

/// Returns whether a batch has its log on one node, but not on the second one.
pub(crate) fn is_logged_once(error: &ExecutionError) -> bool {
    matches!(error, ExecutionError::LastAttemptError(attempt) if is_logged_once_by(attempt))
}

/// Returns the same for one attempt.
pub(crate) fn is_logged_once_by(error: &RequestAttemptError) -> bool {
    matches!(
        error,
        RequestAttemptError::DbError(
            DbError::WriteTimeout {
                write_type: WriteType::BatchLog,
                received: 1..,
                ..
            },
            _,
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use scylla::statement::Consistency;

    fn server(error: DbError) -> Diagnosis {
        of_attempt(&RequestAttemptError::DbError(error, String::new()))
    }

    #[test]
    fn whatever_may_have_been_written_is_unknown() {
        for write_type in [WriteType::Batch, WriteType::BatchLog, WriteType::Cas] {
            let error = DbError::WriteTimeout {
                consistency: Consistency::LocalQuorum,
                received: 0,
                required: 1,
                write_type,
            };
            assert_eq!(server(error).outcome, Outcome::Unknown);
        }
        assert_eq!(server(DbError::Overloaded).outcome, Outcome::Unknown);
        assert_eq!(server(DbError::ServerError).outcome, Outcome::Unknown);
        assert_eq!(server(DbError::Other(0x1700)).outcome, Outcome::Unknown);
        assert_eq!(
            of_request(&ExecutionError::RequestTimeout(Duration::ZERO)).outcome,
            Outcome::Unknown
        );
    }

    #[test]
    fn what_was_refused_before_it_was_written_is_not_applied() {
        let unavailable = DbError::Unavailable {
            consistency: Consistency::LocalQuorum,
            required: 2,
            alive: 1,
        };
        assert_eq!(server(unavailable).outcome, Outcome::NotApplied);
        assert_eq!(server(DbError::Invalid).outcome, Outcome::NotApplied);
        assert_eq!(
            of_attempt(&RequestAttemptError::UnableToAllocStreamId),
            not_applied(
                ErrorKind::Overloaded,
                "too many requests are waiting for an answer"
            )
        );
        assert_eq!(
            of_request(&ExecutionError::EmptyPlan).outcome,
            Outcome::NotApplied
        );
    }
}
