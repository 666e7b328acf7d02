//! One follower of a history or an inbox.

use std::collections::HashMap;
use std::time::Duration;

use rand::RngExt as _;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The state of a message: whether it is unsent, and its revision.
pub(crate) type State = (bool, String);

/// Returns the id and the state of a message.
pub(crate) fn state_of(message: &Value) -> (String, State) {
    let text = |member: &str| message[member].as_str().expect(member).to_owned();
    (text("id"), (message["content"].is_null(), text("revision")))
}

/// A follower, and the messages of a history or the entry of an inbox that it has received.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    pub(crate) messages: HashMap<String, State>,
    pub(crate) entry: Value,
    /// The id of the last event.
    last: String,
    pub(crate) events: usize,
    pub(crate) connections: usize,
}

impl Follower {
    /// Creates a follower from this cursor on.
    pub(crate) fn new(cursor: String) -> Self {
        Self {
            last: cursor,
            ..Self::default()
        }
    }

    /// Follows the list at this path until it is told to stop, each time for a while, on any of
    /// the servers.
    pub(crate) async fn follow(
        mut self,
        servers: &[String],
        path: &str,
        client: &reqwest::Client,
        stop: &CancellationToken,
    ) -> Self {
        while !stop.is_cancelled() {
            let server = &servers[rand::rng().random_range(0..servers.len())];
            let millis = rand::rng().random_range(50..3_000);
            let until = Instant::now() + Duration::from_millis(millis);
            let url = format!("http://{server}{path}/events");
            let request = client.get(url).header("last-event-id", &self.last);
            tokio::select! {
                // Cut off in the middle of whatever it is doing.
                () = tokio::time::sleep_until(until) => {}
                () = stop.cancelled() => {}
                // A server that is away refuses: try again soon.
                _ = self.read(request) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        self
    }

    async fn read(&mut self, request: reqwest::RequestBuilder) -> reqwest::Result<()> {
        let mut response = request.send().await?.error_for_status()?;
        self.connections += 1;
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            text.extend_from_slice(&chunk);
            while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = text.drain(..end + 2).collect();
                self.take(std::str::from_utf8(&block).expect("UTF-8"));
            }
        }
        Ok(())
    }

    fn take(&mut self, block: &str) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let data = || {
            let data = field("data: ").expect("an item is data");
            serde_json::from_str::<Value>(data).expect("JSON")
        };
        match field("event: ") {
            Some("message") => {
                let (id, state) = state_of(&data());
                let known = self.messages.entry(id).or_insert_with(|| state.clone());
                if state > *known {
                    *known = state;
                }
                self.events += 1;
            }
            Some("conversation") => {
                self.entry = data();
                self.events += 1;
            }
            _ => {}
        }
        if let Some(id) = field("id: ") {
            id.clone_into(&mut self.last);
        }
    }
}
