use messenger_core::conformance;

use crate::example;
use crate::process::run;

#[test]
fn it_passes_every_case_of_the_suite() {
    let report = run(&mut example("custom_store")).success();
    for case in conformance::cases() {
        let name = case.to_string();
        let line = report.lines().find(|line| line.contains(&name));
        assert!(line.is_some_and(|line| line.ends_with("ok")), "{name}");
    }
}

#[test]
fn one_case_can_be_picked() {
    let report = run(example("custom_store").arg("bounds_are_exclusive")).success();
    assert!(report.contains("test result: ok. 2 passed"), "{report}");
}
