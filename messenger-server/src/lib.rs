//! The messenger as a program: `cargo run -p messenger-server -- --demo`.
//!
//! To embed the messenger, use [`messenger_core`] and [`messenger_http`]; this library exists for
//! the program `messenger-server`, its tests and the benches. Its only stable interface is the
//! command line.
//!
//! # Features
//!
//! - `cassandra` (default): the store on Apache Cassandra.
//! - `jwt` (default): authentication by JWT bearer tokens.
//! - `tls`: TLS to the Cassandra nodes.
//!
//! # Reading the code
//!
//! - `arguments`: flags, environment variables, and the errors about both.
//! - `serve`: the server, from the first log line to the last.
//! - `auth`: authentication, the keys of tokens, and the subcommand that signs them.
//! - `store`: the store that the flags choose.
//! - `values`: parsers of the values of flags.
//! - `logging`, `metrics`, `signals`: one concern each.
//! - `demo`: test data for `--demo`.
//! - [`generate`]: the generator of test data, and the subcommand.
//! - `backup`: the subcommand that copies the file of the SQLite store.
//! - `copy`: the subcommand that moves everything from one store to another.
//! - `health_check`: the subcommand that asks a running server whether it is ready.

mod arguments;
mod auth;
mod backup;
mod copy;
mod demo;
pub mod generate;
mod health_check;
mod logging;
mod metrics;
mod report;
mod retry;
mod serve;
mod signals;
mod store;
mod values;

use std::process::ExitCode;

use arguments::Command;

/// Runs the program with the arguments of the process and returns its exit code.
///
/// Ends the process if the arguments are wrong, or ask for help or the version.
#[tokio::main]
pub async fn run() -> ExitCode {
    let arguments = arguments::parse();
    match arguments.command {
        None => serve::run(&arguments.serve).await,
        Some(Command::Generate(arguments)) => report::exit_code(generate::run(&arguments).await),
        Some(Command::Copy(arguments)) => report::exit_code(copy::run(&arguments).await),
        Some(Command::Backup(arguments)) => report::exit_code(backup::run(&arguments).await),
        Some(Command::HealthCheck(listen)) => {
            report::exit_code(health_check::run(&listen.address).await)
        }
        #[cfg(feature = "jwt")]
        Some(Command::Token(arguments)) => report::exit_code(auth::token::run(&arguments)),
    }
}
