//! `messenger-server backup`: copies the SQLite store.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::store::DataArguments;

/// Writes a consistent copy of the SQLite store to a new file. A server may be using the store.
///
/// To restore the copy, put it as messenger.db into an empty directory, and name that with --data.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// File to write. It must not exist.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    data: DataArguments,
}

/// Writes the backup.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    messenger_sqlite::backup(&arguments.data.directory, &arguments.file).await?;
    let size = std::fs::metadata(&arguments.file)?.len();
    let file = arguments.file.display();
    let _ = writeln!(io::stdout(), "{file}: {size} bytes");
    Ok(())
}
