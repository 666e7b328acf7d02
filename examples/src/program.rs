//! How a program begins and ends: its flags, and what it says when something is wrong.

use std::process::ExitCode;

use anyhow::Result;
use clap::error::{ContextKind, ContextValue};
use clap::{Command, Error, Parser};

/// The flags of this program; what is wrong with them ends it with a message.
///
/// A value that came from the environment is easily forgotten, so the message says when it is one.
pub fn arguments<P: Parser>() -> P {
    P::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        let mut command = P::command();
        command.build();
        if let Some(variable) = blamed_variable(&error, &command) {
            eprintln!("The value comes from the environment variable {variable}.");
        }
        std::process::exit(error.exit_code())
    })
}

/// How the program ends: an error is printed on one line, with its causes.
pub fn end(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn blamed_variable(error: &Error, command: &Command) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    };
    let (flag, value) = (
        text(ContextKind::InvalidArg)?,
        text(ContextKind::InvalidValue)?,
    );
    let argument = command
        .get_arguments()
        .find(|argument| argument.to_string() == *flag)?;
    let variable = argument.get_env()?.to_str()?;
    // A flag on the command line goes before the variable, so the variable's value may be another.
    let from_environment = std::env::var(variable).ok()?.contains(value.as_str());
    from_environment.then(|| variable.to_owned())
}
