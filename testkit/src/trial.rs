//! Test cases that need a Cassandra, for harnesses of [`libtest_mimic`].

use libtest_mimic::{Completion, Failed, Trial};

use crate::cassandra::{self, Nodes, Unavailable};

/// A case that is given the shared node.
///
/// The node is looked for when the case runs, so that listing or filtering the cases starts
/// nothing. Without a Cassandra the case is ignored with the reason, or fails; which of the two
/// [`Unavailable::is_skip`] says.
pub fn with_shared<F>(name: impl Into<String>, case: F) -> Trial
where
    F: FnOnce(&Nodes) -> Result<(), Failed> + Send + 'static,
{
    Trial::ignorable_test(name, move || match cassandra::shared() {
        Ok(nodes) => case(&nodes).map(|()| Completion::Completed),
        Err(unavailable) => verdict(unavailable),
    })
}

/// What a case that could not get its Cassandra reports: ignored with the reason, or failed.
///
/// # Errors
///
/// If this is no reason to skip the case.
pub fn verdict(unavailable: Unavailable) -> Result<Completion, Failed> {
    if unavailable.is_skip() {
        Ok(Completion::ignored_with(unavailable))
    } else {
        Err(unavailable.into())
    }
}
