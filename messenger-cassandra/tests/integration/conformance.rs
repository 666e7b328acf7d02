//! The contract: every case of the suite, with a second client as another process would have it.

use async_trait::async_trait;
use libtest_mimic::Trial;
use messenger_core::Error;
use messenger_core::conformance::{Case, StoreBuilder, TestStore, cases as all};

use crate::world::{World, case, failed};

/// The store as it is. In a `Box` and in an `Arc` it is the same code for every store, which the
/// memory store's suite runs.
pub(crate) fn cases() -> Vec<Trial> {
    let trial = |rule: &'static Case| {
        case(
            &format!("conformance::{rule}"),
            async move |world: World| rule.run(&Shared(world)).await.map_err(failed),
        )
    };
    all().iter().map(trial).collect()
}

/// Returns clients of the shared keyspace: the suite's users are always new.
pub(crate) struct Shared(pub(crate) World);

#[async_trait]
impl StoreBuilder for Shared {
    async fn build(&self) -> Result<TestStore, Error> {
        let World { store, other, .. } = &self.0;
        Ok(TestStore::new(store.clone()).with_other(other.clone()))
    }
}
