//! Losing standard output or standard error loses what would have been written there, and nothing
//! else.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::client::{get, post};
use crate::messenger_server;
use crate::process::{Running, signal, until};
use crate::server::MESSAGE;

#[test]
fn the_log_can_be_json() {
    let mut process =
        Running::start(messenger_server().args(["--listen=127.0.0.1:0", "--log-format=json"]));
    let line: Value = serde_json::from_str(&process.log_line()).expect("JSON");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["fields"]["message"], "listening");
    let url = line["fields"]["url"].as_str().unwrap();
    assert_eq!(line["fields"]["docs"], format!("{url}/docs"));
    assert_eq!(
        get(url.trim_start_matches("http://"), "/health/live").status,
        200
    );
}

/// A server, at the log level `debug`. It does not outlive its test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts the server with this standard error.
    fn with_log(stderr: impl Into<Stdio>) -> Self {
        let mut child = messenger_server()
            .args(["--listen=127.0.0.1:0", "--log=debug"])
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("it is a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("UTF-8");
        let (_, url) = line.split_once("http://").expect("the line holds a URL");
        let address = url.split(' ').next().expect("a URL").to_owned();
        Self { child, address }
    }

    /// Checks that requests are answered and logged a thousand times, and that the server then stops
    /// in good order. Returns the number of lines that it says it lost.
    #[track_caller]
    fn serves_without_its_log(mut self) -> u64 {
        for _ in 0..500 {
            assert_eq!(post(&self.address, "/api/messages/", MESSAGE).status, 201);
            assert_eq!(get(&self.address, "/api/none").status, 404);
        }
        let metrics = get(&self.address, "/metrics").body;
        let lost = metrics
            .lines()
            .find_map(|line| line.strip_prefix("messenger_log_lines_lost_total "));
        let lost = lost.expect("the metric exists from the start").parse();
        signal(&self.child, "TERM");
        assert!(self.child.wait().expect("it is our child").success());
        lost.expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_log_on_a_full_disk_loses_lines_and_nothing_else() {
    let full = File::options().write(true).open("/dev/full");
    let server = Server::with_log(full.expect("Linux has it"));
    assert!(server.serves_without_its_log() > 500);
}

#[test]
fn a_log_whose_reader_is_gone_loses_lines_and_nothing_else() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert!(Server::with_log(writer).serves_without_its_log() > 500);
}

#[test]
fn a_log_whose_reader_hangs_holds_nobody_up() {
    let (_reader, writer) = std::io::pipe().unwrap();
    Server::with_log(writer).serves_without_its_log();
}

#[test]
fn without_standard_output_it_serves_all_the_same() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.unwrap().to_string();
    let child = messenger_server()
        .args(["--listen", &address])
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut server = Server { child, address };
    until(|| TcpStream::connect(&server.address).is_ok());
    assert_eq!(get(&server.address, "/health/live").status, 200);
    signal(&server.child, "TERM");
    assert!(server.child.wait().expect("it is our child").success());
}
