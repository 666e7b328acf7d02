//! How a program begins and ends: its flags, and what it says when something is wrong.

use std::process::ExitCode;

use anyhow::{Error, Result, bail};
use clap::error::{ContextKind, ContextValue};
use clap::{Command, Parser};

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

/// How the program ends: an error is printed on one line, with those of its causes that it does not
/// name itself.
pub fn end(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Reads the value of a switch, which on the command line has none and in the environment has.
///
/// # Errors
///
/// When it is something else.
pub fn yes_or_no(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" | "" => Ok(false),
        _ => bail!("it must be true or false"),
    }
}

fn blamed_variable(error: &clap::Error, command: &Command) -> Option<String> {
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
