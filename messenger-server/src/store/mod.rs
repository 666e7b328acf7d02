//! The store that the flags choose.

#[cfg(feature = "cassandra")]
mod cassandra;

use std::env;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};
use messenger_core::Store;
use messenger_memory::MemoryStore;

/// The flags that choose a store and say where it is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreArguments {
    /// Store that keeps the messages.
    #[arg(
        id = "store",
        long,
        env = "MESSENGER_STORE",
        value_enum,
        default_value = "memory",
        value_name = "STORE"
    )]
    pub(crate) kind: StoreKind,

    #[cfg(feature = "cassandra")]
    #[command(flatten)]
    cassandra: cassandra::CassandraArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// In this process, until it ends.
    Memory,
    /// In an Apache Cassandra cluster.
    #[cfg(feature = "cassandra")]
    Cassandra,
}

impl StoreArguments {
    /// Opens the store.
    pub(crate) async fn open(&self) -> Result<Box<dyn Store>> {
        match self.kind {
            StoreKind::Memory => Ok(Box::new(MemoryStore::new())),
            #[cfg(feature = "cassandra")]
            StoreKind::Cassandra => Ok(Box::new(self.cassandra.open().await?)),
        }
    }

    /// Returns the environment variables that are set but have no effect on the chosen store.
    ///
    /// A variable may well be set for another program, so it is worth a warning and not an error.
    pub(crate) fn ignored_variables(&self) -> Vec<String> {
        if self.kind != StoreKind::Memory {
            return Vec::new();
        }
        let mut names: Vec<_> = env::vars_os()
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| name.starts_with("MESSENGER_CASSANDRA_"))
            .collect();
        names.sort_unstable();
        names
    }
}

impl StoreKind {
    /// Returns the name of the store, as the flag takes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            #[cfg(feature = "cassandra")]
            Self::Cassandra => "cassandra",
        }
    }
}

/// Fails if a flag was given that the chosen store would silently ignore.
pub(crate) fn refuse_ignored_flags(
    matches: &ArgMatches,
    command: &mut clap::Command,
) -> Result<(), clap::Error> {
    // A subcommand has its own flags, and without one the program's flags count.
    let matches = matches.subcommand().map_or(matches, |(_, matches)| matches);
    match ignored_flag(matches) {
        Some((flag, needed)) => {
            let message = format!("'--{flag}' has no effect without '{needed}'");
            Err(command.error(ErrorKind::MissingRequiredArgument, message))
        }
        None => Ok(()),
    }
}

/// Returns such a flag and what it needs to have an effect.
fn ignored_flag(matches: &ArgMatches) -> Option<(String, &'static str)> {
    let &kind = matches.try_get_one::<StoreKind>("store").ok()??;
    let has_migrate = matches!(matches.try_get_one("migrate"), Ok(Some(true)));
    let needed = |name: &str| match name {
        "cassandra-replication" if !has_migrate => Some("--migrate"),
        name if kind == StoreKind::Memory && is_for_cassandra(name) => Some("--store cassandra"),
        _ => None,
    };
    matches
        .ids()
        .map(|id| id.as_str())
        .filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine))
        .find_map(|id| Some((id.to_owned(), needed(id)?)))
}

fn is_for_cassandra(name: &str) -> bool {
    name == "migrate" || name.starts_with("cassandra-")
}
