//! `messenger-server copy`: moves from one store to another.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::compare::{compare, stranger};
use super::location::Location;
use super::progress::shown;
use super::{Counts, copy};

/// Copies everything from one store to another, and compares the two at the end.
///
/// No server may write to either of them meanwhile; a SQLite store that a server uses is refused. The
/// target is empty, or holds an interrupted copy: repeat the command to continue. Cursors of clients
/// stay valid. Idempotency keys are not copied: a client that repeats a send after the move, within
/// the 24 hours that keys are kept, sends it twice.
///
/// A store is sqlite:DIR, or cassandra://[USER:PASSWORD@]HOST[:PORT][,…]/KEYSPACE[?OPTION=VALUE&…]
/// with options such as datacenter=eu and replication=1. Set a password in the variable and not in
/// the flag, which other users of the machine can read.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Store to read.
    #[arg(long, env = "MESSENGER_COPY_FROM", value_name = "STORE")]
    from: String,

    /// Store to write.
    #[arg(long, env = "MESSENGER_COPY_TO", value_name = "STORE")]
    to: String,

    /// Creates the keyspace and tables of a target in Cassandra if they do not exist.
    #[arg(long)]
    migrate: bool,

    /// Number of concurrent writes.
    #[arg(long, default_value_t = 256, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
}

/// Copies and compares.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let from = Location::parse(&arguments.from).context("--from")?;
    let to = Location::parse(&arguments.to).context("--to")?;
    if arguments.from == arguments.to {
        bail!("--from and --to are the same store");
    }
    let source = from.open_source().await.context("--from")?;
    let target = to.open_target(arguments.migrate).await.context("--to")?;
    if let Some(user) = stranger(&source, &target).await? {
        bail!(
            "the target holds {user}, whom the source does not know; it must be empty or an interrupted copy"
        );
    }

    let counts = Counts::default();
    let copying = copy(&source, &target, arguments.concurrency.into(), &counts);
    shown("copied", &counts, copying)
        .await
        .context("interrupted; run it again to continue")?;

    let counts = Counts::default();
    let comparing = compare(&source, &target, &counts);
    let differences = shown("compared", &counts, comparing)
        .await
        .context("everything was copied but not compared; run it again")?;
    if differences.count > 0 {
        bail!(
            "the stores differ; if a server wrote to one of them, stop it and run this again: \
             {differences}"
        );
    }
    let _ = writeln!(io::stdout(), "{counts}: both stores hold the same");
    Ok(())
}
