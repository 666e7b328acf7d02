//! Flags that would have no effect, because the store or the authentication that they belong to was not
//! chosen.

use clap::ArgMatches;
use clap::error::ErrorKind;
use clap::parser::ValueSource;

use crate::auth::AuthKind;
use crate::store::StoreKind;

/// Fails if a flag was given that would have no effect beside the others.
pub(super) fn refuse_flags(
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
    let auth = matches.try_get_one::<AuthKind>("auth").ok().flatten();
    let is_on = auth.is_some_and(|kind| kind.is_on());
    let has_migrate = matches!(matches.try_get_one("migrate"), Ok(Some(true)));
    let needed = |name: &str| match name {
        "cassandra-replication" if !has_migrate => Some("--migrate"),
        "data" if kind != StoreKind::Sqlite => Some("--store sqlite"),
        name if !kind.is_cassandra() && is_for_cassandra(name) => Some("--store cassandra"),
        name if !is_on && is_for_jwt(name) => Some("--auth jwt"),
        _ => None,
    };
    matches
        .ids()
        .map(|id| id.as_str())
        .filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine))
        .find_map(|id| Some((id.to_owned(), needed(id)?)))
}

fn is_for_jwt(name: &str) -> bool {
    name.starts_with("jw") || name.starts_with("max-user-")
}

fn is_for_cassandra(name: &str) -> bool {
    name == "migrate" || name.starts_with("cassandra-")
}
