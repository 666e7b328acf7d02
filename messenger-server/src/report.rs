//! The last words of the program: how an error is shown.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Error, Result};

/// Prints the error, if there is one, and returns the exit code.
pub(crate) fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// Returns the error on one line, followed by each cause that adds something to it.
///
/// Many errors name their causes themselves, as in `cannot connect: refused`. So a cause is left out
/// if its last part, which is the root of the matter, has already been said.
pub(crate) fn with_causes(error: &Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        let root = cause.rsplit(": ").next().unwrap_or_default();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(root) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_shown_once() {
        let error = anyhow!("pool broken: refused")
            .context("cannot connect: refused; is it running?")
            .context("no store");
        assert_eq!(
            with_causes(&error),
            "no store: cannot connect: refused; is it running?"
        );
        let error = anyhow!("no such file").context("cannot read the certificate");
        assert_eq!(
            with_causes(&error),
            "cannot read the certificate: no such file"
        );
    }
}
