//! The list of cases.

use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::failure::Checked;
use super::fixture::Fixture;
use super::{Failure, StoreBuilder};

mod absent;
mod catch_up;
mod concurrency;
mod cost;
mod dropped;
mod gaps;
mod history;
mod idempotency;
mod inbox;
mod log;
mod markers;
mod order;
mod unread;
mod unsend;
mod users;
mod writes;

/// A case: one thing that the contract promises, and a way to see whether a store keeps it.
///
/// It is displayed as `rule_03_bounds_are_exclusive`: the first rule that it checks, and what holds.
#[derive(Clone, Copy)]
pub struct Case {
    title: &'static str,
    rules: &'static [u8],
    run: fn(Fixture) -> BoxFuture<'static, Checked>,
}

/// `rules => module::case` for each case.
macro_rules! table {
    ($([$($rule:literal),+] => $module:ident::$case:ident,)+) => {
        &[$(Case {
            title: stringify!($case),
            rules: &[$($rule),+],
            run: |fixture| Box::pin(async move { $module::$case(&fixture).await }),
        }),+]
    };
}

const CASES: &[Case] = table![
    [1] => writes::a_repeated_write_changes_nothing,
    [1, 7] => writes::a_write_repeated_later_changes_nothing_but_the_log,
    [2] => writes::a_write_shows_in_every_view,
    [2] => writes::every_field_comes_back_as_it_was_written,
    [3] => history::bounds_are_exclusive,
    [3] => history::ties_are_broken_by_the_whole_id,
    [3, 11] => history::every_limit_gives_everything_once,
    [3] => history::conversations_do_not_mix,
    [3] => history::a_change_moves_no_message,
    [4] => order::any_order_of_sends_gives_the_same_views,
    [4, 6] => order::any_order_of_versions_gives_the_same_views,
    [4, 6] => order::any_order_of_changes_of_two_messages_gives_the_same_views,
    [4, 14] => order::any_order_of_markers_gives_the_same_views,
    [4] => order::an_edit_is_complete_without_its_message,
    [4, 6] => order::an_older_message_does_not_become_the_last,
    [5] => inbox::a_conversation_is_listed_once_however_often_it_moves,
    [5] => inbox::an_inbox_is_ordered_by_the_whole_id_of_the_last_message,
    [5] => inbox::bounds_are_exclusive_and_by_the_last_message,
    [5, 11] => inbox::every_limit_gives_every_conversation_once,
    [5] => inbox::each_participant_has_the_conversation,
    [5] => inbox::a_change_moves_no_entry,
    [5] => inbox::a_walk_through_a_moving_inbox_shows_nothing_twice,
    [6] => concurrency::concurrent_sends_lose_nothing,
    [6] => concurrency::the_greatest_id_wins_any_race,
    [6, 13] => concurrency::the_greatest_version_wins_any_race,
    [6, 14] => concurrency::concurrent_marks_and_sends_lose_nothing,
    [6, 1] => concurrency::concurrent_puts_of_one_message_are_one,
    [6, 5] => concurrency::concurrent_first_messages_make_one_conversation,
    [6, 5] => concurrency::concurrent_moves_lose_no_conversation,
    [2, 6] => concurrency::an_acknowledged_write_shows_under_concurrency,
    [7] => log::without_changes_the_log_is_the_list,
    [7] => log::bounds_of_a_log_are_exclusive,
    [7, 11] => log::every_limit_reads_the_whole_log_of_a_history,
    [7, 11] => log::every_limit_reads_the_whole_log_of_an_inbox,
    [7] => log::a_log_is_ordered_by_the_whole_key,
    [7] => log::a_change_of_an_older_message_raises_the_entry,
    [7, 14] => log::a_mark_raises_the_entries_of_both,
    [7] => log::a_smaller_key_lowers_no_entry,
    [7] => log::a_superseded_change_is_not_skipped,
    [7] => log::a_late_send_is_in_the_log_at_its_key,
    [7] => log::a_store_of_several_processes_states_a_settle_time,
    [7, 6] => catch_up::catching_up_with_a_history_is_complete_under_concurrent_writes,
    [7, 6] => catch_up::catching_up_with_an_inbox_is_complete_under_concurrent_writes,
    [7, 8] => catch_up::a_dropped_send_that_becomes_visible_is_found,
    [8] => dropped::a_dropped_first_message_is_all_or_nothing,
    [8] => dropped::a_dropped_send_is_all_or_nothing,
    [8] => dropped::a_dropped_change_is_all_or_nothing,
    [9] => idempotency::one_claim_wins_any_race,
    [9] => idempotency::a_claim_stays,
    [9] => idempotency::keys_are_independent,
    [10] => absent::what_does_not_exist_is_empty,
    [10] => absent::a_message_is_found_in_its_own_conversation_only,
    [10] => absent::only_participants_have_an_entry,
    [10] => absent::nothing_is_beyond_the_bounds,
    [11] => gaps::years_between_messages_cut_no_page_short,
    [11] => gaps::years_between_changes_cut_no_page_short,
    [11] => gaps::years_between_conversations_cut_no_page_short,
    [11] => gaps::moves_leave_no_holes_in_an_inbox,
    [12] => cost::a_page_of_a_long_history_costs_as_much_as_one_of_a_short_one,
    [12] => cost::a_page_of_the_log_of_a_long_history_costs_as_much_as_one_of_a_short_one,
    [12] => cost::a_page_of_a_large_inbox_costs_as_much_as_one_of_a_small_one,
    [12] => cost::a_page_of_the_log_of_a_large_inbox_costs_as_much_as_one_of_a_small_one,
    [13] => unsend::an_unsend_is_final,
    [13, 4] => unsend::an_unsend_before_its_message_is_final,
    [13] => unsend::an_unsend_in_the_microsecond_of_its_message_is_final,
    [13] => unsend::an_unsent_message_keeps_its_place,
    [14] => markers::a_marker_only_moves_forward,
    [14] => markers::each_participant_sees_how_far_the_other_has_read,
    [14] => markers::no_message_moves_a_marker,
    [14] => markers::a_user_has_a_marker_in_each_conversation,
    [15] => unread::messages_of_others_above_the_position_are_counted,
    [15, 13] => unread::changes_are_not_counted_and_unsent_messages_neither,
    [15, 4] => unread::the_order_of_writes_does_not_change_the_count,
    [15] => unread::counting_stops_at_the_cap,
    [16, 11] => users::a_walk_finds_each_user_once,
    [16, 2] => users::a_walk_goes_on_after_any_user,
];

/// Returns all cases. A store must pass each of them.
pub fn cases() -> &'static [Case] {
    CASES
}

impl Case {
    /// The time limit of a case; one that takes longer fails.
    pub const TIME_LIMIT: Duration = Duration::from_secs(120);

    /// Returns the rules of [`Store`](crate::Store) that the case checks, the most important first.
    pub fn rules(&self) -> &'static [u8] {
        self.rules
    }

    /// Runs the case on a store of its own.
    ///
    /// It needs a tokio runtime with several threads and time. The case runs as a task, so a store
    /// that never waits cannot keep the time limit from acting.
    ///
    /// # Errors
    ///
    /// If the store broke a rule, a call failed, or the time limit passed.
    pub async fn run(&self, builder: &dyn StoreBuilder) -> Result<(), Failure> {
        let fixture = Fixture::new(builder.build().await?);
        let mut task = tokio::spawn((self.run)(fixture));
        match tokio::time::timeout(Self::TIME_LIMIT, &mut task).await {
            Ok(result) => result?,
            Err(_) => {
                task.abort();
                Err(did_not_end(Self::TIME_LIMIT))
            }
        }
    }

    /// Runs the case on a runtime of its own. The time limit then holds even if the store blocks
    /// every thread of it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and if the runtime cannot be created.
    pub fn run_blocking(&self, builder: &dyn StoreBuilder) -> Result<(), Failure> {
        self.run_limited(builder, Self::TIME_LIMIT)
    }

    fn run_limited(&self, builder: &dyn StoreBuilder, limit: Duration) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("no runtime could be created: {error}")))?;
        let result = self.run_on(&runtime, builder, limit);
        // Does not wait for threads that the store blocks.
        runtime.shutdown_background();
        result
    }

    fn run_on(
        &self,
        runtime: &tokio::runtime::Runtime,
        builder: &dyn StoreBuilder,
        limit: Duration,
    ) -> Result<(), Failure> {
        let fixture = Fixture::new(runtime.block_on(builder.build())?);
        let task = runtime.spawn((self.run)(fixture));
        let (done, is_done) = mpsc::channel();
        runtime.spawn(async move {
            // The receiver may have given up.
            let _ = done.send(task.await);
        });
        match is_done.recv_timeout(limit) {
            Ok(result) => result?,
            Err(_) => Err(did_not_end(limit)),
        }
    }
}

fn did_not_end(limit: Duration) -> Failure {
    Failure::new(format!(
        "the case did not end within {limit:?}: a call of the store hangs or is far too slow"
    ))
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule_{:02}_{}", self.rules[0], self.title)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use async_trait::async_trait;

    use super::*;
    use crate::conformance::model::ModelStore;
    use crate::store::{Wrap, Wrapped};
    use crate::{Error, LogKey, Message};

    #[test]
    fn every_rule_has_a_case() {
        let rules: BTreeSet<_> = cases().iter().map(|case| case.rules[0]).collect();
        assert_eq!(rules, (1..=16).collect());
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let names: BTreeSet<_> = cases().iter().map(Case::to_string).collect();
        assert_eq!(names.len(), cases().len());
    }

    /// Blocks every thread that writes to it, for longer than the test waits.
    #[derive(Debug, Default)]
    struct Blocking(ModelStore);

    #[async_trait]
    impl Wrap for Blocking {
        type Inner = ModelStore;

        fn inner(&self) -> &ModelStore {
            &self.0
        }

        async fn put(&self, _: LogKey, _: &Message) -> Result<(), Error> {
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
    }

    #[test]
    fn a_case_ends_at_its_limit_even_if_the_store_blocks_its_threads() {
        // One case that writes from one task, and one that does so from more than there are threads.
        let named = |part: &str| cases().iter().find(|case| case.title.contains(part));
        for part in ["a_repeated_write", "concurrent_sends"] {
            let limit = Duration::from_millis(200);
            let build = || Wrapped(Blocking::default());
            let failure = named(part).unwrap().run_limited(&build, limit).unwrap_err();
            assert!(failure.to_string().contains("did not end"), "{failure}");
        }
    }

    #[test]
    fn a_case_whose_store_panics_fails_with_the_message() {
        let build = || Wrapped(Panics(ModelStore::new()));
        let failure = cases()[0].run_blocking(&build).unwrap_err();
        assert!(failure.to_string().contains("out of order"), "{failure}");
    }

    #[derive(Debug)]
    struct Panics(ModelStore);

    #[async_trait]
    impl Wrap for Panics {
        type Inner = ModelStore;

        fn inner(&self) -> &ModelStore {
            &self.0
        }

        async fn put(&self, _: LogKey, _: &Message) -> Result<(), Error> {
            panic!("out of order")
        }
    }
}
