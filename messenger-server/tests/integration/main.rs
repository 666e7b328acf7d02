//! Runs the program as people run it.

mod arguments;
mod client;
mod generate;
mod logging;
mod network;
mod process;
mod server;

use std::process::Command;

/// Returns a command that runs the program.
fn messenger_server() -> Command {
    process::program(env!("CARGO_BIN_EXE_messenger-server"))
}
