//! The model is held to the contract that it is the measure of.

use messenger_core::testing::{self, Case, Lockstep, ModelStore};

/// It keeps all rules but that of cost: it works everything out anew each time. So it also shows
/// that a case fails where it should.
#[test]
fn the_model_keeps_every_rule_but_the_last() {
    let (cost, others): (Vec<_>, Vec<_>) = testing::cases()
        .iter()
        .partition(|case| case.rules() == [12]);
    let run = |case: &Case| case.run_blocking(&ModelStore::new);
    for case in others {
        if let Err(failure) = run(case) {
            panic!("{case}: {failure}");
        }
    }
    assert!(!cost.is_empty());
    assert!(cost.into_iter().all(|case| run(case).is_err()));
}

#[test]
fn the_messenger_pages_as_the_model_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let figures = Lockstep::new()
        .with_store("model", ModelStore::new)
        .run(&runtime)
        .unwrap();
    println!("no disagreement: {figures}");
}
