//! The cases.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::chromium::Chromium;
use crate::server::{Server, token};
use crate::window::{Failure, Window};

/// A case and its name.
pub(crate) type Case = (&'static str, fn(&Chromium));

/// All of them.
pub(crate) const CASES: &[Case] = &[
    ("two_windows_talk", two_windows_talk),
    (
        "markup_in_messages_stays_text",
        markup_in_messages_stays_text,
    ),
    (
        "edits_and_unsends_appear_in_the_other_window",
        edits_and_unsends_appear_in_the_other_window,
    ),
    (
        "the_whole_of_a_long_history_is_scrolled_through",
        the_whole_of_a_long_history_is_scrolled_through,
    ),
    (
        "the_whole_of_a_long_inbox_is_scrolled_through",
        the_whole_of_a_long_inbox_is_scrolled_through,
    ),
    (
        "messages_sent_while_the_server_restarts_arrive_once",
        messages_sent_while_the_server_restarts_arrive_once,
    ),
    (
        "a_message_whose_answer_is_lost_arrives_once",
        a_message_whose_answer_is_lost_arrives_once,
    ),
    (
        "messages_written_offline_arrive_in_order",
        messages_written_offline_arrive_in_order,
    ),
    (
        "a_refused_message_is_sent_on_request",
        a_refused_message_is_sent_on_request,
    ),
    (
        "what_is_focused_stays_focused_when_a_message_arrives",
        what_is_focused_stays_focused_when_a_message_arrives,
    ),
    (
        "many_tabs_share_the_connections_of_a_browser",
        many_tabs_share_the_connections_of_a_browser,
    ),
    (
        "with_authentication_one_comes_with_a_token_or_pastes_one",
        with_authentication_one_comes_with_a_token_or_pastes_one,
    ),
];

/// The texts of the messages, in the order in which they are shown.
const MESSAGES: &str =
    "[...document.querySelectorAll('#messages .message p')].map(p => p.textContent)";

impl Window {
    /// Waits until the messages that are shown are these, and those of the user are sent.
    #[track_caller]
    fn until_messages(&self, texts: &[&str]) {
        let texts = serde_json::to_string(texts).expect("text is JSON");
        self.until(&format!(
            "JSON.stringify({MESSAGES}) === JSON.stringify({texts})"
        ));
        self.until(
            "[...document.querySelectorAll('.message.mine:not(.unsent)')]\
             .every(row => row.querySelector('.tick'))",
        );
    }

    /// Sends a message as a user does.
    #[track_caller]
    fn send(&self, text: &str) {
        self.click("#text");
        self.write(text);
        self.press("Enter");
    }

    /// Signs in.
    #[track_caller]
    fn paste_token(&self, token: &str) {
        self.click("#token");
        self.run("document.activeElement.select()");
        self.write(token);
        self.click("#token-form button");
    }

    /// Waits until the page gets events.
    #[track_caller]
    fn until_connected(&self) {
        self.until("!document.querySelector('#app').hidden && document.querySelector('#connection').textContent === ''");
    }
}

/// Opens the conversation of alice and bob in a window for each.
fn open_both(server: &Server, chromium: &Chromium) -> [Window; 2] {
    [("alice", "bob"), ("bob", "alice")]
        .map(|(user, other)| chromium.open(&server.chat(user, other)))
}

fn two_windows_talk(chromium: &Chromium) {
    let server = Server::start();
    let alice = chromium.open(&server.chat("alice", "bob"));
    // Bob looks at his inbox.
    let bob = chromium.open(&server.chat("bob", ""));
    // The field is as high as a line of text with its padding.
    alice.until("document.querySelector('#text').offsetHeight > 30");
    alice.send("Are you there?");
    alice.until_messages(&["Are you there?"]);
    bob.until("document.querySelector('.entry .badge')?.textContent === '1'");
    bob.until("document.querySelector('.entry .preview').textContent === 'Are you there?'");
    alice.until("document.querySelector('.tick').textContent === '✓ sent'");

    bob.click(".entry");
    bob.until_messages(&["Are you there?"]);
    alice.until("document.querySelector('.tick').textContent === '✓✓ seen'");
    bob.until("!document.querySelector('.entry .badge')");
    bob.send("I am");
    alice.until_messages(&["Are you there?", "I am"]);
    alice.send("Good");
    bob.until_messages(&["Are you there?", "I am", "Good"]);

    alice.assert_no_faults();
    bob.assert_no_faults();
}

fn markup_in_messages_stays_text(chromium: &Chromium) {
    const TEXTS: [&str; 4] = [
        "<img src=x onerror=\"document.title='broken'\">",
        "<script>document.title='broken'</script>",
        "</p></li><a href=\"javascript:document.title='broken'\">click</a> &amp; &lt;",
        "{base} ${document.title='broken'} \u{202e}right to left",
    ];
    let server = Server::start();
    let [alice, bob] = open_both(&server, chromium);
    for (index, text) in TEXTS.iter().enumerate() {
        alice.send(text);
        alice.until_messages(&TEXTS[..=index]);
        bob.until_messages(&TEXTS[..=index]);
        let preview = format!("'You: ' + {}", serde_json::json!(text));
        alice.until(&format!(
            "document.querySelector('.entry .preview').textContent === {preview}"
        ));
    }
    for window in [alice, bob] {
        let foreign: usize = window.value(
            "document.querySelectorAll('.app img, .app script, .app a, body > script').length",
        );
        assert_eq!(foreign, 0);
        let title: String = window.value("document.title");
        assert!(title.ends_with(" – Messenger"), "{title}");
        window.assert_no_faults();
    }
}

fn edits_and_unsends_appear_in_the_other_window(chromium: &Chromium) {
    let server = Server::start();
    let [alice, bob] = open_both(&server, chromium);
    alice.send("Come at sixt");
    alice.until_messages(&["Come at sixt"]);
    bob.until_messages(&["Come at sixt"]);

    alice.click(".message.mine .actions button:nth-of-type(1)");
    alice.until("document.activeElement.value === 'Come at sixt'");
    alice.run("document.activeElement.select()");
    alice.write("Come at six");
    alice.press("Enter");
    for window in [&alice, &bob] {
        window.until_messages(&["Come at six"]);
        window.until("document.querySelector('.message footer').textContent.includes('edited')");
    }
    bob.until("document.querySelector('.entry .preview').textContent === 'Come at six'");

    alice.click(".message.mine .actions button:nth-of-type(2)");
    for window in [&alice, &bob] {
        window.until_messages(&["Message unsent"]);
        window.until("document.querySelector('.entry .preview').textContent === 'Message unsent'");
        window.until("!document.querySelector('.message .actions')");
        window.assert_no_faults();
    }
}

fn the_whole_of_a_long_history_is_scrolled_through(chromium: &Chromium) {
    const COUNT: usize = 1_000;
    let server = Server::start();
    let texts: Vec<String> = (0..COUNT).map(|index| format!("message {index}")).collect();
    for text in &texts {
        server.send("bob", "alice", text);
    }
    let alice = chromium.open(&server.chat("alice", "bob"));
    alice.until(&format!("{MESSAGES}.at(-1) === 'message 999'"));
    // It loads what is looked at, not everything.
    assert!(alice.value::<usize>(&format!("{MESSAGES}.length")) <= 100);

    // While older messages are loaded, the message at the top stays at its place, give or take the pixel
    // to which a browser rounds heights.
    const TOP: &str = "(() => { const list = document.querySelector('#messages');\
        const row = [...list.querySelectorAll('.message')].find(row => row.offsetTop >= list.scrollTop + list.offsetTop);\
        return [row.textContent, row.getBoundingClientRect().top - list.getBoundingClientRect().top]; })()";
    alice.run("document.querySelector('#messages').scrollTop = 190");
    let (text, top): (String, f64) = alice.value(TOP);
    alice.until(&format!("{MESSAGES}.length > 50"));
    let (text_after, top_after): (String, f64) = alice.value(TOP);
    assert_eq!(text_after, text);
    assert!(
        (top_after - top).abs() <= 1.0,
        "{top} px, then {top_after} px"
    );

    alice.until(&format!(
        "(document.querySelector('#messages').scrollTop = 0, {MESSAGES}[0] === 'message 0')"
    ));
    assert_eq!(alice.value::<Vec<String>>(MESSAGES), texts);
    // A message that arrives does not move what one reads.
    server.send("bob", "alice", "one more");
    alice.until(&format!("{MESSAGES}.at(-1) === 'one more'"));
    assert_eq!(
        alice.value::<usize>("document.querySelector('#messages').scrollTop"),
        0
    );
    alice.assert_no_faults();
}

fn the_whole_of_a_long_inbox_is_scrolled_through(chromium: &Chromium) {
    const NAMES: &str =
        "[...document.querySelectorAll('.entry strong')].map(name => name.textContent)";
    const COUNT: usize = 250;
    let server = Server::start();
    let mut others: Vec<String> = (0..COUNT).map(|index| format!("user{index}")).collect();
    for other in &others {
        server.send(other, "alice", "Hello");
    }
    others.reverse();
    let alice = chromium.open(&server.chat("alice", ""));
    alice.until(&format!(
        "(document.querySelector('#entries').scrollTop = 1e6, {NAMES}.length === {COUNT})"
    ));
    assert_eq!(alice.value::<Vec<String>>(NAMES), others);
    alice.assert_no_faults();
}

fn messages_sent_while_the_server_restarts_arrive_once(chromium: &Chromium) {
    let folder = TempDir::new().unwrap();
    let server = Server::on_sqlite(folder.path(), "127.0.0.1:0", &[]);
    let address = server.address.clone();
    let [alice, bob] = open_both(&server, chromium);
    alice.send("before");
    bob.until_messages(&["before"]);

    server.stop();
    alice.send("during");
    alice.until(
        "document.querySelector('#messages').textContent.includes('waiting for the server')",
    );
    for window in [&alice, &bob] {
        window.until("document.querySelector('#connection').textContent === 'Reconnecting …'");
    }
    let server = Server::on_sqlite(folder.path(), &address, &[]);
    for window in [&alice, &bob] {
        window.until_messages(&["before", "during"]);
        window.until_connected();
    }
    bob.send("after");
    for window in [&alice, &bob] {
        window.until_messages(&["before", "during", "after"]);
        window.assert_no_faults_but_of_the_network();
    }
    server.stop();
}

fn a_message_whose_answer_is_lost_arrives_once(chromium: &Chromium) {
    let server = Server::start();
    let [alice, bob] = open_both(&server, chromium);
    alice.send("first");
    bob.until_messages(&["first"]);
    alice.fail_next_post(Failure::AnswerLost);
    alice.send("second");
    alice.until(
        "document.querySelector('#messages').textContent.includes('waiting for the server')",
    );
    for window in [&alice, &bob] {
        window.until_messages(&["first", "second"]);
    }
    alice.send("third");
    for window in [&alice, &bob] {
        window.until_messages(&["first", "second", "third"]);
        window.assert_no_faults_but_of_the_network();
    }
}

fn messages_written_offline_arrive_in_order(chromium: &Chromium) {
    const TEXTS: [&str; 5] = ["one", "two", "three", "four", "five"];
    let server = Server::start();
    let [alice, bob] = open_both(&server, chromium);
    alice.until_connected();
    alice.set_offline(true);
    for text in TEXTS {
        alice.send(text);
    }
    alice.until(&format!("{MESSAGES}.length === 5"));
    alice.until("document.querySelector('.message').textContent.includes('waiting')");
    alice.set_offline(false);
    for window in [&alice, &bob] {
        window.until_messages(&TEXTS);
        window.assert_no_faults_but_of_the_network();
    }
}

fn a_refused_message_is_sent_on_request(chromium: &Chromium) {
    let server = Server::start();
    let [alice, bob] = open_both(&server, chromium);
    alice.until_connected();
    alice.fail_next_post(Failure::Forbidden);
    alice.send("Hello");
    alice.until("document.querySelector('.message.failed')?.textContent.includes('not sent')");
    alice.until("document.querySelector('#error').textContent === 'The server answered 403.'");
    // It does not hold up the others.
    alice.send("Hello again");
    bob.until_messages(&["Hello again"]);
    alice.click(".message.failed button");
    for window in [&alice, &bob] {
        window.until_messages(&["Hello again", "Hello"]);
        window.assert_no_faults_but_of_the_network();
    }
}

fn what_is_focused_stays_focused_when_a_message_arrives(chromium: &Chromium) {
    let server = Server::start();
    let alice = chromium.open(&server.chat("alice", "bob"));
    alice.send("Hello");
    alice.until_messages(&["Hello"]);
    alice.run("document.querySelector('.message button').focus()");
    server.send("bob", "alice", "Hello to you");
    alice.until_messages(&["Hello", "Hello to you"]);
    alice.until("document.activeElement.textContent === 'Edit'");
    alice.press("Tab");
    alice.until("document.activeElement.textContent === 'Unsend'");
    alice.assert_no_faults();
}

fn with_authentication_one_comes_with_a_token_or_pastes_one(chromium: &Chromium) {
    const IS_ASKING: &str = "!document.querySelector('#token-form').hidden";
    let folder = TempDir::new().unwrap();
    let [key, next_key] = ["a", "b"].map(|name| {
        let file = folder.path().join(name);
        fs::write(&file, name.repeat(32)).unwrap();
        file
    });
    let flags = [
        "--auth=jwt",
        "--jwt-any-issuer",
        "--jwt-any-audience",
        "--jwt-keys",
    ];
    let start = |address: &str, key: &Path| {
        let flags = [&flags[..], &[key.to_str().unwrap()]].concat();
        Server::on_sqlite(folder.path(), address, &flags)
    };
    let server = start("127.0.0.1:0", &key);
    let address = server.address.clone();

    let alice = chromium.open(&format!("http://{address}/chat/"));
    alice.until(IS_ASKING);
    alice.paste_token(&token(&next_key, "alice"));
    alice.until("document.querySelector('#token-reason').textContent !== ''");
    alice.paste_token("no token");
    alice.until("document.querySelector('#token-reason').textContent.includes('subject')");
    alice.paste_token(&token(&key, "alice"));
    alice.until("document.querySelector('#me').textContent === 'alice'");
    alice.click("#new-user");
    alice.write("bob");
    alice.press("Enter");

    let token_of_bob = token(&key, "bob");
    let bob = chromium.open(&format!(
        "http://{address}/chat/#with=alice&token={token_of_bob}"
    ));
    alice.send("Hello");
    bob.until_messages(&["Hello"]);
    bob.send("Hello to you");
    alice.until_messages(&["Hello", "Hello to you"]);
    // It is not in the address, and nothing is kept but for the tab.
    let kept = "location.href + JSON.stringify(localStorage) + document.cookie";
    assert!(!bob.value::<String>(kept).contains(&token_of_bob));
    bob.run("location.reload()");
    bob.until_messages(&["Hello", "Hello to you"]);

    // The server does not accept the tokens any more.
    server.stop();
    let server = start(&address, &next_key);
    alice.until(IS_ASKING);
    bob.until(IS_ASKING);
    bob.paste_token(&token(&next_key, "bob"));
    alice.paste_token(&token(&next_key, "alice"));
    bob.send("Still here?");
    for window in [&alice, &bob] {
        window.until_messages(&["Hello", "Hello to you", "Still here?"]);
        window.assert_no_faults_but_of_the_network();
    }

    // As somebody else one sees nothing of that.
    alice.click("#leave");
    alice.until(IS_ASKING);
    alice.paste_token(&token(&next_key, "carol"));
    alice.until("document.querySelector('#me').textContent === 'carol'");
    alice.until("!document.querySelector('#no-entries').hidden");
    server.stop();
}

fn many_tabs_share_the_connections_of_a_browser(chromium: &Chromium) {
    const TABS: usize = 8;
    let server = Server::start();
    let tabs = chromium.open_tabs(TABS, &server.chat("alice", "bob"));
    let bob = chromium.open(&server.chat("bob", "alice"));
    bob.until_connected();
    for (index, tab) in tabs.iter().enumerate() {
        tab.bring_to_front();
        let text = format!("from tab {index}");
        tab.send(&text);
        bob.until(&format!("{MESSAGES}.at(-1) === '{text}'"));
    }
    for tab in &tabs {
        tab.bring_to_front();
        tab.until(&format!("{MESSAGES}.length === {TABS}"));
        tab.assert_no_faults();
    }
}
