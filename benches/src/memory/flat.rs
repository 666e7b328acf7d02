//! Whether a page costs the same however long its list is: the pages of a long list against those
//! of a short one, both in the store.

use anyhow::{Context as _, Result};

use crate::memory::Sizes;
use crate::memory::page::{History, Inbox};
use crate::pages::Page;
use crate::pair::Pair;

/// At most one and a half times the time.
const GOAL: f64 = 1.0 / 1.5;

/// Each page of the lists that are to be compared.
pub(super) fn pairs(histories: &[History], inboxes: &[Inbox], sizes: &Sizes) -> Result<Vec<Pair>> {
    let [short, long] = sizes.flat_histories;
    let history = |length| {
        histories
            .iter()
            .find(move |history| history.ids.len() == length)
    };
    let [small, large] = sizes.flat_inboxes;
    let inbox = |length| inboxes.iter().find(move |inbox| inbox.ids.len() == length);
    let missing = "what is compared must be among the sizes";
    let (near, far) = history(short).zip(history(long)).context(missing)?;
    let (few, many) = inbox(small).zip(inbox(large)).context(missing)?;
    let histories = Page::OF_HISTORY.map(|page| {
        let name = format!("memory/flat/history-{}/{long}-{short}", page.name());
        let [subject, baseline] =
            [far, near].map(|history| history.in_store(page.calls(&history.ids)));
        Pair::new(name, subject, baseline).with_goal(GOAL)
    });
    let inboxes = Page::OF_INBOX.map(|page| {
        let name = format!("memory/flat/inbox-{}/{large}-{small}", page.name_in_inbox());
        let [subject, baseline] = [many, few].map(|inbox| inbox.in_store(page.calls(&inbox.ids)));
        Pair::new(name, subject, baseline).with_goal(GOAL)
    });
    Ok(histories.into_iter().chain(inboxes).collect())
}
