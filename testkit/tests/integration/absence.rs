//! Without a Cassandra, cases are ignored with the reason, or fail if one is required.

use libtest_mimic::{Failed, Trial};

use crate::subject;

pub(crate) fn cases() -> Vec<Trial> {
    vec![
        Trial::test(
            "without_a_source_a_case_is_ignored_with_the_reason",
            ignored,
        ),
        Trial::test("without_a_source_a_case_fails_if_one_is_required", failed),
        Trial::test("a_named_node_that_is_not_there_is_a_failure", named),
        Trial::test("an_unknown_source_is_a_failure", unknown),
    ]
}

/// Hides `docker`, `java` and `mvn`.
const NOTHING: (&str, &str) = ("PATH", "");

fn ignored() -> Result<(), Failed> {
    let outcome = subject::run(&[NOTHING])?;
    let text = &outcome.text;
    assert!(outcome.success && text.contains("1 ignored"), "{text}");
    assert!(text.contains("no docker on the PATH"), "{text}");
    assert!(text.contains("no java on the PATH"), "{text}");
    Ok(())
}

fn failed() -> Result<(), Failed> {
    let outcome = subject::run(&[NOTHING, ("MESSENGER_REQUIRE_CASSANDRA", "1")])?;
    let text = &outcome.text;
    assert!(!outcome.success && text.contains("1 failed"), "{text}");
    assert!(text.contains("no java on the PATH"), "{text}");
    Ok(())
}

fn named() -> Result<(), Failed> {
    // Nothing listens at port 1.
    let outcome = subject::run(&[("MESSENGER_CASSANDRA_NODES", "127.0.0.1:1")])?;
    let text = &outcome.text;
    assert!(!outcome.success && text.contains("127.0.0.1:1"), "{text}");
    Ok(())
}

fn unknown() -> Result<(), Failed> {
    let outcome = subject::run(&[("MESSENGER_CASSANDRA_FROM", "podman")])?;
    let text = &outcome.text;
    assert!(
        !outcome.success && text.contains("docker or maven"),
        "{text}"
    );
    Ok(())
}
