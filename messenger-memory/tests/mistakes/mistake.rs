//! The table of known mistakes, and the rule that each one breaks.

/// Something that people get wrong when they write a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    AppendedTwiceShowsTwice,
    AppendedAgainMovesUp,
    ReceiversInboxForgotten,
    AcknowledgedBeforeItShows,
    PreviewOfTheMessageBefore,
    LongContentCut,
    WhiteSpaceTrimmed,
    CacheThatMissesOtherWriters,
    BoundAboveInclusive,
    BoundBelowInclusive,
    BoundsByMillisecond,
    TiesTheWrongWayRound,
    TiesAsSignedBytes,
    OldestTakenFromTheWrongEnd,
    OrderIgnored,
    LastWriteIsTheHead,
    OlderMessagesRefused,
    InboxByArrival,
    StaleInboxRowsStay,
    InboxBoundInclusive,
    InboxTiesByConversation,
    HeadLostInARace,
    HistoryLostInARace,
    SeveralProcessesAndNoSettleTime,
    LateIdsTakenForKnown,
    HalfAnAppendWhenDropped,
    LastClaimWins,
    ClaimsRace,
    KeysOfAllSendersShared,
    KeysWithoutCase,
    UnknownConversationIsAnError,
    UnknownConversationIsEmptyOne,
    MessageFoundInAnyConversation,
    PageEndsWithItsBucket,
    InboxPageEndsWithItsEpoch,
    AtMostAHundred,
    WholeHistoryRead,
    WholeInboxRead,
}

use Mistake::*;

impl Mistake {
    /// Every mistake, with the rule that it breaks.
    pub(crate) const ALL: &[(u8, Self)] = &[
        (1, AppendedTwiceShowsTwice),
        (1, AppendedAgainMovesUp),
        (2, ReceiversInboxForgotten),
        (2, AcknowledgedBeforeItShows),
        (2, PreviewOfTheMessageBefore),
        (2, LongContentCut),
        (2, WhiteSpaceTrimmed),
        (2, CacheThatMissesOtherWriters),
        (3, BoundAboveInclusive),
        (3, BoundBelowInclusive),
        (3, BoundsByMillisecond),
        (3, TiesTheWrongWayRound),
        (3, TiesAsSignedBytes),
        (3, OldestTakenFromTheWrongEnd),
        (3, OrderIgnored),
        (4, LastWriteIsTheHead),
        (4, OlderMessagesRefused),
        (4, InboxByArrival),
        (5, StaleInboxRowsStay),
        (5, InboxBoundInclusive),
        (5, InboxTiesByConversation),
        (6, HeadLostInARace),
        (6, HistoryLostInARace),
        (7, SeveralProcessesAndNoSettleTime),
        (7, LateIdsTakenForKnown),
        (8, HalfAnAppendWhenDropped),
        (9, LastClaimWins),
        (9, ClaimsRace),
        (9, KeysOfAllSendersShared),
        (9, KeysWithoutCase),
        (10, UnknownConversationIsAnError),
        (10, UnknownConversationIsEmptyOne),
        (10, MessageFoundInAnyConversation),
        (11, PageEndsWithItsBucket),
        (11, InboxPageEndsWithItsEpoch),
        (11, AtMostAHundred),
        (12, WholeHistoryRead),
        (12, WholeInboxRead),
    ];

    /// Whether it shows only in a case made for it: under concurrency, in large lists, with odd
    /// texts. Generated calls are not expected to find it.
    pub(crate) fn needs_a_case(self) -> bool {
        matches!(
            self,
            LongContentCut
                | WhiteSpaceTrimmed
                | TiesAsSignedBytes
                | HeadLostInARace
                | HistoryLostInARace
                | SeveralProcessesAndNoSettleTime
                | HalfAnAppendWhenDropped
                | ClaimsRace
                | KeysWithoutCase
                | AtMostAHundred
                | WholeHistoryRead
                | WholeInboxRead
        )
    }

    /// Whether the same calls show it or not by the random parts of ids, so that a list of them
    /// does not shrink well.
    pub(crate) fn is_a_matter_of_chance(self) -> bool {
        self == InboxTiesByConversation
    }

    /// Its name, as names of tests are written.
    pub(crate) fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}
