//! What the example programs share.
//!
//! - [`program`]: flags, each also from the environment, and errors.
//! - [`store`]: which store a program works on.
//! - [`generate`]: test data, for `server --demo` and for `generate`.

pub mod generate;
pub mod program;
pub mod store;
