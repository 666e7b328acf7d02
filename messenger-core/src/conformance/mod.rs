//! The conformance suite: checks whether a store keeps the contract of [`Store`](crate::Store).

mod builder;
mod cases;
mod check;
mod checked;
mod client;
mod describe;
mod failure;
mod fixture;
mod gate;
mod lockstep;
mod manual_time;
mod model;
mod settle_time;
mod views;

pub use builder::{StoreBuilder, TestStore};
pub use cases::{Case, cases};
pub use check::check;
pub use failure::Failure;
pub use lockstep::{Figures, Lockstep};

/// Tools for tests above a store: time that stands still, writes that are held, clients that catch
/// up.
pub mod tools {
    pub use super::client::{Client, History, Inbox, List, as_text_and_back};
    pub use super::gate::{Call, Gate, Gated, Held, HeldWrite, Point};
    pub use super::manual_time::ManualTime;
    pub use super::model::{Model, ModelStore};
    pub use super::settle_time::{SettleTime, with_settle_time};
}

pub(crate) use model::Model;
