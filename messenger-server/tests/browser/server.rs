//! Servers that show the page.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::post;
use crate::messenger_server;
use crate::process::{Running, run};

/// A running server.
pub(crate) struct Server {
    process: Running,
    pub(crate) address: String,
}

impl Server {
    /// Starts a server with an empty store in memory, on a port of its own.
    pub(crate) fn start() -> Self {
        Self::start_as(messenger_server().args(["--store=memory", "--listen=127.0.0.1:0"]))
    }

    fn start_as(command: &mut Command) -> Self {
        let mut process = Running::start(command);
        let (address, _) = process.address();
        Self { process, address }
    }

    /// Starts a server on the file in this folder.
    pub(crate) fn on_sqlite(folder: &Path, address: &str, flags: &[&str]) -> Self {
        let mut command = messenger_server();
        command
            .arg("--store=sqlite")
            .arg("--data")
            .arg(folder.join("messages.db"))
            .args(["--listen", address])
            .args(flags);
        Self::start_as(&mut command)
    }

    /// Stops it as an administrator does.
    pub(crate) fn stop(mut self) {
        self.process.signal("TERM");
        assert!(self.process.wait().success());
    }

    /// Returns the URL at which a user sees the conversation with another one.
    pub(crate) fn chat(&self, user: &str, other: &str) -> String {
        format!("http://{}/chat/#user={user}&with={other}", self.address)
    }

    /// Sends a message, and returns it.
    #[track_caller]
    pub(crate) fn send(&self, sender: &str, receiver: &str, content: &str) -> Value {
        let message = json!({"sender_id": sender, "receiver_id": receiver, "content": content});
        let sent = post(&self.address, "/api/messages/", &message.to_string());
        assert_eq!(sent.status, 201, "{}", sent.body);
        sent.json()
    }
}

/// Returns a token for a user, signed with the key in this file.
pub(crate) fn token(key: &Path, user: &str) -> String {
    let mut command = messenger_server();
    command.args(["token", "--user", user, "--jwt-keys"]);
    run(command.arg(key)).success().trim().to_owned()
}
