//! Each example is run as people run it: as a program.

mod client;
mod custom_store;
mod embed;
mod generate;
mod process;
mod server;
