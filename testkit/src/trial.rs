//! Test cases that need a Cassandra, for harnesses of [`libtest_mimic`].

use libtest_mimic::{Completion, Failed, Trial};

use crate::cassandra::{self, Nodes, Unavailable};

/// Returns a case that gets the shared node.
///
/// The node is started when the case runs, not when cases are listed or filtered. Without a Cassandra
/// the case is ignored or fails, as [`Unavailable::is_skip`] says.
pub fn with_shared<F>(name: impl Into<String>, case: F) -> Trial
where
    F: FnOnce(&Nodes) -> Result<(), Failed> + Send + 'static,
{
    Trial::ignorable_test(name, move || match cassandra::shared() {
        Ok(nodes) => case(&nodes).map(|()| Completion::Completed),
        Err(unavailable) => verdict(unavailable),
    })
}

/// Returns the result of a case that could not get its Cassandra: ignored, with the reason.
///
/// # Errors
///
/// If the case must not be skipped.
pub fn verdict(unavailable: Unavailable) -> Result<Completion, Failed> {
    if unavailable.is_skip() {
        Ok(Completion::ignored_with(unavailable))
    } else {
        Err(unavailable.into())
    }
}
