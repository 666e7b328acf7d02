//! The suite's report about a store that is wrong.

use async_trait::async_trait;
use messenger_core::conformance;
use messenger_core::store::{Wrap, Wrapped};
use messenger_core::{Claim, ConversationId, Error, ErrorKind, Position, Reservation, UserId};
use messenger_memory::MemoryStore;

/// Counts no unread messages, and has no keys.
#[derive(Debug, Default)]
struct Wrong(MemoryStore);

#[async_trait]
impl Wrap for Wrong {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    async fn unread(
        &self,
        _: ConversationId,
        _: &UserId,
        _: Option<Position>,
        _: usize,
    ) -> Result<usize, Error> {
        Ok(0)
    }

    async fn reserve(&self, _: &Reservation) -> Result<Claim, Error> {
        Err(Error::new(ErrorKind::Internal, "there is no table of keys"))
    }
}

#[test]
fn a_report_names_each_failed_case_with_its_reason() {
    let report = conformance::check(|| Wrapped(Wrong::default()))
        .unwrap_err()
        .to_string();
    for part in [
        format!("of {} cases failed", conformance::cases().len()),
        "rule_09_a_claim_stays:".into(),
        "`reserve` failed: there is no table of keys".into(),
        "rule_15_counting_stops_at_the_cap:".into(),
        "with the cap 1 is 0, and should be 1".into(),
    ] {
        assert!(
            report.contains(&part),
            "{part:?} is not in the report:\n{report}"
        );
    }
    // Cases that have nothing to do with either pass.
    assert!(!report.contains("rule_03_bounds_are_exclusive"), "{report}");
}
