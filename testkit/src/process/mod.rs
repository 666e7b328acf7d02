//! Processes that must not outlive the run that started them.

pub(crate) mod identity;
pub(crate) mod limited;
pub(crate) mod lock;
pub(crate) mod place;
pub(crate) mod state;
