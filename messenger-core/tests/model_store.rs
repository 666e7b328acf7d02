//! The model keeps the contract that other stores are compared with it by.

use messenger_core::conformance::tools::ModelStore;
use messenger_core::conformance::{self, Case, Lockstep};

/// It breaks rule 12 only, because every read looks at everything. So this also shows that a case
/// fails if its rule is broken.
#[test]
fn the_model_keeps_every_rule_but_that_of_cost() {
    let (cost, others): (Vec<_>, Vec<_>) = conformance::cases()
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
fn generated_calls_find_no_disagreement() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lockstep = Lockstep::new().with_store("model", ModelStore::new);
    println!("no disagreement: {}", lockstep.run(&runtime).unwrap());
}
