//! Runs the program as people run it.

mod arguments;
#[cfg(feature = "jwt")]
mod auth;
mod client;
mod copy;
mod generate;
mod logging;
mod network;
mod process;
mod server;
mod sqlite;

use std::process::Command;

/// Returns a command that runs the program, with the memory store unless a flag says otherwise.
fn messenger_server() -> Command {
    let mut command = process::program(env!("CARGO_BIN_EXE_messenger-server"));
    command.env("MESSENGER_STORE", "memory");
    command
}
