//! Writes answers as JSON, straight into their buffer.
//!
//! Core's types serialize themselves through serde, and a test holds this against that. Written by
//! hand, ids, times and cursors are not looked through for what must be escaped, and texts are at
//! many bytes a step.

use std::io::Write as _;

use messenger_core::{Conversation, Cursor, Message, Page, Timestamp, UserId};
use uuid::Uuid;

/// What can be an answer.
pub(crate) trait WriteJson {
    /// About how many bytes it takes: enough, but for texts with many escapes.
    fn size(&self) -> usize;

    fn write(&self, out: &mut Vec<u8>);

    fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        self.write(&mut out);
        out
    }
}

impl WriteJson for Message {
    fn size(&self) -> usize {
        let (sender, receiver) = (self.sender_id().as_str(), self.receiver_id().as_str());
        224 + sender.len() + receiver.len() + self.content().as_str().len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":");
        uuid(out, self.id().as_uuid());
        out.extend_from_slice(b",\"conversation_id\":");
        uuid(out, self.conversation_id().as_uuid());
        out.extend_from_slice(b",\"sender_id\":");
        user(out, self.sender_id());
        out.extend_from_slice(b",\"receiver_id\":");
        user(out, self.receiver_id());
        out.extend_from_slice(b",\"content\":");
        text(out, self.content().as_str());
        out.extend_from_slice(b",\"created_at\":");
        time(out, self.created_at());
        out.push(b'}');
    }
}

impl WriteJson for Conversation {
    fn size(&self) -> usize {
        let participants = self.participants().iter();
        let users: usize = participants.map(|user| user.as_str().len() + 3).sum();
        let last = self.last_message();
        224 + users + last.sender_id().as_str().len() + last.preview().as_str().len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        let last = self.last_message();
        out.extend_from_slice(b"{\"id\":");
        uuid(out, self.id().as_uuid());
        out.extend_from_slice(b",\"participants\":");
        list(out, self.participants(), user);
        out.extend_from_slice(b",\"last_message\":{\"id\":");
        uuid(out, last.id().as_uuid());
        out.extend_from_slice(b",\"sender_id\":");
        user(out, last.sender_id());
        out.extend_from_slice(b",\"preview\":");
        text(out, last.preview().as_str());
        out.extend_from_slice(b",\"created_at\":");
        time(out, last.created_at());
        out.extend_from_slice(b"}}");
    }
}

impl<T: WriteJson> WriteJson for Page<T> {
    fn size(&self) -> usize {
        192 + self.items.iter().map(T::size).sum::<usize>()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"data\":");
        list(out, &self.items, |out, item| item.write(out));
        out.extend_from_slice(b",\"next_cursor\":");
        match self.next {
            Some(next) => cursor(out, next),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"prev_cursor\":");
        cursor(out, self.prev);
        out.push(b'}');
    }
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn uuid(out: &mut Vec<u8>, id: Uuid) {
    let mut buffer = Uuid::encode_buffer();
    quoted(out, id.hyphenated().encode_lower(&mut buffer));
}

/// The characters of user ids mean nothing in JSON.
fn user(out: &mut Vec<u8>, id: &UserId) {
    quoted(out, id.as_str());
}

/// The characters of cursors mean nothing in JSON.
fn cursor(out: &mut Vec<u8>, cursor: Cursor) {
    // Writing to a vector does not fail.
    let _ = write!(out, "\"{cursor}\"");
}

/// A time as its `Display` writes it, in a fraction of the time: there is one in every message.
fn time(out: &mut Vec<u8>, time: Timestamp) {
    const DAY: u64 = 86_400_000;
    let millis = time.as_millis();
    let (year, month, day) = civil(millis / DAY);
    let of_day = millis % DAY;
    let mut text = *b"\"0000-00-00T00:00:00.000Z\"";
    digits(&mut text[1..5], year);
    digits(&mut text[6..8], month);
    digits(&mut text[9..11], day);
    digits(&mut text[12..14], of_day / 3_600_000);
    digits(&mut text[15..17], of_day / 60_000 % 60);
    digits(&mut text[18..20], of_day / 1_000 % 60);
    digits(&mut text[21..24], of_day % 1_000);
    out.extend_from_slice(&text);
}

fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        // A digit is less than 10.
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of this many days after 1970-01-01: Howard Hinnant's `civil_from_days`, for
/// days from 1970 on. Its years begin in March, so that a leap day is the last day of one.
fn civil(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01 on, in eras of 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

fn text(out: &mut Vec<u8>, text: &str) {
    if needs_no_escape(text) {
        quoted(out, text);
    } else {
        // Neither a string nor a vector fails.
        let _ = serde_json::to_writer(out, text);
    }
}

/// Looks at every byte, with no early end, because so the compiler makes it many at a time.
fn needs_no_escape(text: &str) -> bool {
    let ok = |byte: u8| (byte >= 0x20) & (byte != b'"') & (byte != b'\\');
    text.bytes().fold(true, |all, byte| all & ok(byte))
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use messenger_core::{HistoryQuery, InboxQuery, Limit, Messenger, NewMessage};
    use messenger_memory::MemoryStore;
    use serde_json::{Value, json};

    use super::*;

    fn message(content: &str) -> NewMessage {
        let (sender, receiver) = (UserId::new("a@b+c=~").unwrap(), UserId::from(7));
        NewMessage::new(sender, receiver, content).unwrap()
    }

    /// Every character that JSON escapes, beside some that it does not.
    fn contents() -> impl Iterator<Item = String> {
        let ascii = (0..=0x7f_u8).map(|byte| format!("x{}y", char::from(byte)));
        let other = ["\u{80}", "\u{2028}", "\u{1f44b}", "\\\"\n", "plain"];
        ascii.chain(other.map(|text| format!("x{text}")))
    }

    #[tokio::test]
    async fn it_is_what_serde_writes() {
        let messenger = Messenger::new(MemoryStore::new());
        for content in contents() {
            let message = messenger.send(message(&content)).await.unwrap();
            assert_eq!(message.to_json(), serde_json::to_vec(&message).unwrap());
            let conversation = messenger.conversation(message.conversation_id()).await;
            let conversation = conversation.unwrap().unwrap();
            assert_eq!(
                conversation.to_json(),
                serde_json::to_vec(&conversation).unwrap()
            );
        }
    }

    #[test]
    fn times_are_written_as_core_writes_them() {
        let last = Timestamp::MAX.as_millis() / 86_400_000;
        for day in (0..60_000).chain((60_000..last).step_by(97)) {
            // Another time of each day.
            let millis = day * 86_400_000 + day * 7_919 % 86_400_000;
            let Ok(of_day) = Timestamp::from_millis(millis) else {
                continue;
            };
            let mut out = Vec::new();
            time(&mut out, of_day);
            assert_eq!(out, format!("\"{of_day}\"").into_bytes());
        }
    }

    #[tokio::test]
    async fn pages_have_their_shape_and_their_size() {
        let messenger = Messenger::new(MemoryStore::new());
        let mut last = None;
        for _ in 0..3 {
            last = Some(messenger.send(message("hello")).await.unwrap());
        }
        let id = last.unwrap().conversation_id();
        for limit in [2, 3] {
            let query = HistoryQuery::new().with_limit(Limit::new(limit).unwrap());
            let page = messenger.history(id, query).await.unwrap();
            let json: Value = serde_json::from_slice(&page.to_json()).unwrap();
            let expected = json!({
                "data": page.items, "next_cursor": page.next, "prev_cursor": page.prev,
            });
            assert_eq!(json, expected);
            assert!(page.to_json().len() <= page.size());
        }
        let user = UserId::from(7);
        let inbox = messenger.inbox(&user, InboxQuery::new()).await.unwrap();
        assert!(inbox.to_json().len() <= inbox.size());
        let empty = messenger
            .inbox(&UserId::from(8), InboxQuery::new())
            .await
            .unwrap();
        let json: Value = serde_json::from_slice(&empty.to_json()).unwrap();
        assert_eq!(json["data"], json!([]));
    }
}
