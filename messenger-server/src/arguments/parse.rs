//! Reads flags and environment variables, with one set of rules for all of them.

use std::env;
use std::io::{self, Write as _};

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, CommandFactory as _, Error, FromArgMatches as _};

use super::{Arguments, ignored};

/// Returns the arguments of the process.
///
/// Ends the process with a message if something is wrong with them, or if they ask for help or the
/// version.
pub(crate) fn parse() -> Arguments {
    let mut command = with_rules(Arguments::command());
    read(&mut command).unwrap_or_else(|error| {
        let _ = error.print();
        // An argument of a subcommand that was not built cannot be written as text.
        command.build();
        if let Some(variable) = blamed_variable(&error, &command) {
            let _ = writeln!(
                io::stderr(),
                "The value comes from the environment variable {variable}."
            );
        }
        std::process::exit(error.exit_code())
    })
}

fn read(command: &mut clap::Command) -> Result<Arguments, Error> {
    let matches = command.try_get_matches_from_mut(env::args_os())?;
    ignored::refuse_flags(&matches, command)?;
    let arguments = Arguments::from_arg_matches(&matches).map_err(|error| error.format(command))?;
    match arguments.serve.auth.complaint() {
        Some(complaint) if arguments.command.is_none() => {
            Err(command.error(ErrorKind::MissingRequiredArgument, complaint))
        }
        _ => Ok(arguments),
    }
}

/// Applies what holds for every flag of the program.
fn with_rules(command: clap::Command) -> clap::Command {
    command
        .mut_args(with_rules_of_variables)
        .mut_subcommands(with_rules)
}

/// An empty variable counts as unset. A switch takes a value, because its variable has one:
/// `--demo` is short for `--demo=true`. The help shows names of variables but not their values.
fn with_rules_of_variables(arg: Arg) -> Arg {
    let Some(variable) = arg.get_env() else {
        return arg;
    };
    let is_empty = env::var_os(variable).is_some_and(|value| value.is_empty());
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);

    let mut arg = arg.hide_env_values(true);
    if is_empty {
        arg = arg.env(None::<&'static str>);
    }
    if is_switch {
        arg = arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_name("BOOL")
            .value_parser(BoolishValueParser::new())
            .default_value("false")
            .default_missing_value("true")
            .hide_default_value(true)
            .hide_possible_values(true);
    }
    arg
}

/// Returns the variable that holds the value which the error complains about, if one does: a value
/// from the environment is easily forgotten.
fn blamed_variable(error: &Error, command: &clap::Command) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg)?;
    let value = text(ContextKind::InvalidValue)?;
    let variable = [command]
        .into_iter()
        .chain(command.get_subcommands())
        .flat_map(clap::Command::get_arguments)
        .find(|arg| arg.to_string() == *flag)?
        .get_env()?
        .to_str()?;
    // The flag on the command line wins over the variable, whose value may be another one.
    let blamed = env::var(variable).ok()?.contains(value.as_str());
    blamed.then(|| variable.to_owned())
}
