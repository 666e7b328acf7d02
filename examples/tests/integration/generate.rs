use crate::process::{example, run};

#[test]
fn by_default_it_makes_600_messages() {
    let lines = run(&mut example("generate")).success();
    assert!(lines.starts_with("600 messages in 15 conversations of the users 1 to 10,"));
    assert!(lines.contains("\nthe same again: --users 10 --conversations 15 --messages 600"));
    assert!(lines.contains("\n600 messages in "));
}

#[test]
fn sizes_are_kept_and_the_rate_is_told() {
    let flags = "--users 50 --conversations 40 --messages 5000 --days 2 --seed 7 --concurrency 3";
    let lines = run(example("generate").args(flags.split(' '))).success();
    let last = lines.lines().last().unwrap();
    assert!(
        last.starts_with("5000 messages in ") && last.ends_with("/s"),
        "{last}"
    );
}

#[test]
fn what_is_wrong_with_a_flag_is_told() {
    for (flags, complaint) in [
        (
            "--users 3",
            "--conversations must be 1 to 3 with 3 users (each pair has one), not 15",
        ),
        (
            "--messages 3",
            "--messages must be at least as many as conversations, 15, not 3",
        ),
        (
            "--until 9000-01-01T00:00:00Z",
            "--until must not lie in the future",
        ),
        ("--until tomorrow", "a time must be RFC 3339 with an offset"),
        ("--concurrency 0", "0 is not in 1..=65535"),
        ("--store elsewhere", "possible values: memory"),
    ] {
        let error = run(example("generate").args(flags.split(' '))).failure();
        assert!(error.contains(complaint), "{flags}: {error}");
    }
}
