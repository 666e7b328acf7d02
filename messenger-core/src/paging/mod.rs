//! Pages: queries, cursors, and the arithmetic of walking and catching up.

mod cursor;
mod in_flight;
mod page;
mod query;
mod step;

pub use cursor::Cursor;
pub use page::Page;
pub use query::{HistoryQuery, InboxQuery, Limit};

pub(crate) use in_flight::{InFlight, Ticket};
pub(crate) use step::Step;
#[cfg(feature = "live")]
pub(crate) use step::{Advanced, Item, Newer};
