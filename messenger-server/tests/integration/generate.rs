use crate::messenger_server;
use crate::process::{Ended, run};

fn generate(flags: &str) -> Ended {
    run(messenger_server()
        .arg("generate")
        .args(flags.split_whitespace()))
}

#[test]
fn the_default_is_the_demo_data() {
    let lines = generate("").success();
    let expected = "2000 messages in 75 conversations of 32 users (alice to finn), ";
    assert!(lines.starts_with(expected), "{lines}");
    assert!(
        lines.contains("\nthe same again: --users 32 --conversations 75 --messages 2000"),
        "{lines}"
    );
    assert!(lines.contains("\n2000 messages in "), "{lines}");
}

#[test]
fn the_flags_set_the_sizes_and_the_last_line_is_the_rate() {
    let lines =
        generate("--users 50 --conversations 40 --messages 5000 --days 2 --seed 7 --concurrency 3")
            .success();
    let last = lines.lines().last().unwrap();
    assert!(
        last.starts_with("5000 messages in ") && last.ends_with("/s"),
        "{last}"
    );
}

#[test]
fn a_wrong_flag_is_explained() {
    for (flags, complaint) in [
        (
            "--users 3",
            "--conversations must be 1 to 3 with 3 users (each pair has one), not 75",
        ),
        (
            "--messages 3",
            "--messages must be at least as many as conversations, 75, not 3",
        ),
        (
            "--until 9000-01-01T00:00:00Z",
            "--until must not lie in the future",
        ),
        ("--until tomorrow", "a time must be RFC 3339 with an offset"),
        ("--concurrency 0", "0 is not in 1..=65535"),
        ("--store elsewhere", "possible values: sqlite, memory"),
        (
            "--migrate",
            "'--migrate' has no effect without '--store cassandra'",
        ),
    ] {
        let error = generate(flags).failure();
        assert!(error.contains(complaint), "{flags}: {error}");
    }
}
