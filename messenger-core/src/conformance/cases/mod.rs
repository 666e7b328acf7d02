//! The one list of cases.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::testing::failure::Verdict;
use crate::testing::stage::Stage;
use crate::testing::{Failure, StoreBuilder};

mod absent;
mod append;
mod catch_up;
mod concurrency;
mod cost;
mod dropped;
mod gaps;
mod history;
mod idempotency;
mod inbox;
mod paging;

/// One thing that the contract promises, and how to see whether a store keeps it.
///
/// It is shown as `rule_03_bounds_are_exclusive`: the first rule that it checks, and what holds.
#[derive(Clone, Copy)]
pub struct Case {
    title: &'static str,
    rules: &'static [u8],
    play: for<'a> fn(&'a Stage) -> BoxFuture<'a, Verdict>,
}

/// `rules => module::case` for each case.
macro_rules! table {
    ($([$($rule:literal),+] => $module:ident::$case:ident,)+) => {
        &[$(Case {
            title: stringify!($case),
            rules: &[$($rule),+],
            play: |stage| Box::pin($module::$case(stage)),
        }),+]
    };
}

const CASES: &[Case] = table![
    [1] => append::the_same_message_twice_is_there_once,
    [1, 4] => append::appending_again_later_changes_nothing,
    [2] => append::an_append_shows_in_every_view,
    [2] => append::every_field_comes_back_as_it_was_written,
    [3] => history::bounds_are_exclusive,
    [3] => history::a_slice_is_taken_from_the_end_it_names,
    [3] => history::ties_are_broken_by_the_whole_id,
    [3, 11] => history::every_limit_gives_everything_once,
    [3] => history::conversations_do_not_mix,
    [3, 11] => paging::a_walk_ends_with_the_last_item,
    [3] => paging::a_page_before_a_time_holds_what_is_strictly_earlier,
    [3] => paging::newer_pages_hold_the_nearest_items,
    [3] => paging::a_cursor_of_another_list_is_refused,
    [4] => append::any_order_of_appends_gives_the_same_views,
    [4, 6] => append::an_older_message_changes_no_head,
    [4] => append::imports_sort_where_their_time_says,
    [5] => inbox::a_conversation_is_listed_once_however_often_it_moves,
    [5] => inbox::an_inbox_is_ordered_by_the_whole_id_of_the_last_message,
    [5] => inbox::bounds_are_exclusive_and_by_the_last_message,
    [5, 11] => inbox::every_limit_gives_every_conversation_once,
    [5] => inbox::each_user_has_an_inbox_of_their_own,
    [5, 7] => inbox::a_walk_through_a_moving_inbox_shows_nothing_twice,
    [6] => concurrency::concurrent_appends_lose_nothing,
    [6] => concurrency::the_greatest_id_wins_any_race,
    [6, 1] => concurrency::concurrent_appends_of_one_message_are_one,
    [6, 5] => concurrency::concurrent_first_messages_make_one_conversation,
    [6, 5] => concurrency::concurrent_moves_lose_no_conversation,
    [2, 6] => concurrency::what_is_acknowledged_shows_under_concurrency,
    [7] => catch_up::a_message_that_shows_after_a_greater_id_is_found,
    [7] => catch_up::a_conversation_that_shows_after_a_greater_id_is_found,
    [7] => catch_up::a_message_that_shows_while_a_page_is_read_is_found,
    [7] => catch_up::what_shows_before_it_is_acknowledged_is_found,
    [7] => catch_up::a_dropped_send_holds_nothing_up,
    [7] => catch_up::catching_up_repeats_nothing_that_is_settled,
    [7] => catch_up::a_clock_that_steps_back_repeats_nothing,
    [7] => catch_up::a_bound_in_the_future_hides_nothing,
    [7] => catch_up::an_empty_list_can_be_caught_up_with,
    [7] => catch_up::a_slower_server_is_waited_for,
    [7] => catch_up::a_store_of_several_processes_states_a_settle_time,
    [7, 2] => catch_up::a_reply_sorts_after_what_it_answers,
    [7, 6] => catch_up::walk_and_catch_up_are_complete_under_concurrent_sends,
    [7, 6] => catch_up::an_inbox_is_complete_under_concurrent_sends,
    [8] => dropped::a_dropped_append_is_all_or_nothing,
    [8] => dropped::a_dropped_append_of_a_first_message_is_all_or_nothing,
    [9] => idempotency::one_claim_wins_any_race,
    [9] => idempotency::a_claim_stays,
    [9] => idempotency::keys_have_nothing_to_do_with_each_other,
    [9] => idempotency::a_key_sends_once,
    [9] => idempotency::a_key_with_another_payload_is_refused,
    [9, 8] => idempotency::a_send_that_was_cut_off_is_completed_by_the_next,
    [10] => absent::what_does_not_exist_is_empty,
    [10] => absent::a_message_is_found_in_its_own_conversation_only,
    [10] => absent::nothing_lies_outside_of_the_bounds,
    [11] => gaps::years_between_messages_cut_no_page_short,
    [11] => gaps::years_between_conversations_cut_no_page_short,
    [11] => gaps::moves_leave_no_holes_in_an_inbox,
    [12] => cost::a_page_of_a_long_history_costs_as_much_as_one_of_a_short_one,
    [12] => cost::a_page_of_a_large_inbox_costs_as_much_as_one_of_a_small_one,
];

/// All cases. A store runs each of them.
pub fn cases() -> &'static [Case] {
    CASES
}

impl Case {
    /// How long a case may take; one that takes longer fails.
    pub const TIME_LIMIT: Duration = Duration::from_secs(120);

    /// What holds, as the case's name says it.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// The rules of the [`Store`](crate::Store) that the case checks, the most important first.
    pub fn rules(&self) -> &'static [u8] {
        self.rules
    }

    /// Plays the case on a store of its own. Needs a tokio runtime with time; give it several
    /// threads, for the sake of the cases about concurrency.
    ///
    /// # Errors
    ///
    /// What the store did that it should not have done.
    pub async fn run(&self, builder: &dyn StoreBuilder) -> Result<(), Failure> {
        let stage = Stage::new(builder.build().await?);
        match tokio::time::timeout(Self::TIME_LIMIT, (self.play)(&stage)).await {
            Ok(verdict) => verdict,
            Err(_) => Err(Failure::new(format!(
                "the case has not ended after {:?}: a call may hang",
                Self::TIME_LIMIT
            ))),
        }
    }

    /// Plays the case on a runtime of its own.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and when the runtime cannot be made.
    pub fn run_blocking(&self, builder: &dyn StoreBuilder) -> Result<(), Failure> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("no runtime: {error}")))?
            .block_on(self.run(builder))
    }
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
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_has_a_case() {
        let rules: BTreeSet<_> = cases().iter().map(|case| case.rules[0]).collect();
        assert_eq!(rules, (1..=12).collect());
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let names: BTreeSet<_> = cases().iter().map(Case::to_string).collect();
        assert_eq!(names.len(), cases().len());
    }
}
