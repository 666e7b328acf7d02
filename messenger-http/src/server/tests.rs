//! Times of connections, in a time that tests move forward.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use messenger_core::Messenger;
use messenger_memory::MemoryStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, advance, sleep, timeout};

use super::activity::Activity;
use super::byte_stream::{Arrival, ByteStream, Socket};
use super::listener::Listener;
use super::*;

impl Socket for DuplexStream {
    fn poll_arrival(&self, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<Arrival>> {
        std::task::Poll::Pending
    }
}

const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

const POST_HEAD: &[u8] = b"POST /api/messages/ HTTP/1.1\r\nHost: x\r\n\
    Content-Type: application/json\r\nContent-Length: 100\r\n\r\n";

/// Longer than everything here.
const LONG: Duration = Duration::from_secs(1000);

fn acceptor(config: ServerConfig) -> (Acceptor, watch::Sender<Phase>) {
    let service = MessengerService::new(Messenger::new(MemoryStore::new()));
    let phase = watch::Sender::new(Phase::Running);
    (Acceptor::new(service, Scope::All, config, &phase), phase)
}

fn at_most(max_connections: usize) -> ServerConfig {
    ServerConfig {
        max_connections,
        ..ServerConfig::default()
    }
}

/// Opens a connection as a listener does.
async fn connect(acceptor: &Acceptor) -> DuplexStream {
    let (client, socket) = tokio::io::duplex(64 * 1024);
    acceptor.spawn(socket, acceptor.connections.admit().await);
    client
}

/// Sends a request and returns the head of its answer.
async fn ask(client: &mut DuplexStream) -> String {
    client.write_all(LIVE).await.unwrap();
    answer(client).await
}

async fn answer(client: &mut DuplexStream) -> String {
    let mut answer = String::new();
    while !answer.ends_with("{\"status\":\"ok\"}") {
        let mut buffer = [0; 1024];
        let len = client.read(&mut buffer).await.unwrap();
        assert!(len > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..len]).unwrap());
    }
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}

/// Waits until the server closes the connection, and returns how long it took.
async fn closed(client: &mut DuplexStream) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    let ended = timeout(LONG, client.read_to_end(&mut rest)).await;
    ended.expect("never closed").unwrap();
    assert_eq!(rest, b"");
    start.elapsed()
}

async fn is_open(client: &mut DuplexStream) -> bool {
    timeout(Duration::from_millis(1), client.read_u8())
        .await
        .is_err()
}

fn about(time: Duration, seconds: f64) -> bool {
    (time.as_secs_f64() - seconds).abs() < 0.01
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_outlives_those_of_load_balancers() {
    let (acceptor, _phase) = acceptor(ServerConfig::default());
    let mut client = connect(&acceptor).await;
    sleep(Duration::from_secs(61)).await;
    ask(&mut client).await;
    // Counted from the last answer.
    sleep(Duration::from_secs(74)).await;
    ask(&mut client).await;
    assert!(about(closed(&mut client).await, 75.0));
    // And from the start, if there was no request.
    let mut client = connect(&acceptor).await;
    assert!(about(closed(&mut client).await, 75.0));
}

#[tokio::test(start_paused = true)]
async fn a_head_has_less_time_than_an_idle_connection() {
    let (acceptor, _phase) = acceptor(ServerConfig::default());
    let mut client = connect(&acceptor).await;
    for round in 0..2 {
        sleep(Duration::from_secs(50 * round)).await;
        ask(&mut client).await;
    }
    let (part, rest) = LIVE.split_at(10);
    sleep(Duration::from_secs(60)).await;
    client.write_all(part).await.unwrap();
    sleep(Duration::from_secs(9)).await;
    client.write_all(rest).await.unwrap();
    answer(&mut client).await;
    client.write_all(part).await.unwrap();
    assert!(about(closed(&mut client).await, 10.0));
}

#[tokio::test(start_paused = true)]
async fn the_longest_timeouts_are_none() {
    let config = ServerConfig {
        max_connections: usize::MAX,
        header_timeout: Duration::MAX,
        idle_timeout: Duration::MAX,
        ..ServerConfig::default()
    };
    let (acceptor, phase) = acceptor(config);
    let mut client = connect(&acceptor).await;
    sleep(LONG).await;
    client.write_all(&LIVE[..10]).await.unwrap();
    sleep(LONG).await;
    client.write_all(&LIVE[10..]).await.unwrap();
    answer(&mut client).await;
    phase.send_replace(Phase::Draining(Instant::now()));
    assert!(about(closed(&mut client).await, 0.5));
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_replaces_the_one_that_has_waited_longest() {
    let (acceptor, _phase) = acceptor(at_most(3));
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(connect(&acceptor).await);
        sleep(Duration::from_secs(2)).await;
    }
    // The first one is not idle for longest any more.
    ask(&mut clients[0]).await;
    let mut fourth = connect(&acceptor).await;
    assert!(about(closed(&mut clients[1]).await, 0.0));
    ask(&mut fourth).await;
    assert!(is_open(&mut clients[0]).await && is_open(&mut clients[2]).await);
    // One that sends a head slowly is not better off.
    clients[2].write_all(&LIVE[..10]).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    ask(&mut clients[0]).await;
    ask(&mut fourth).await;
    let mut fifth = connect(&acceptor).await;
    assert!(about(closed(&mut clients[2]).await, 0.0));
    ask(&mut fifth).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_makes_room() {
    let (acceptor, _phase) = acceptor(at_most(1));
    let mut stuck = connect(&acceptor).await;
    stuck.write_all(POST_HEAD).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    stuck.write_all(b"half of it").await.unwrap();
    sleep(Duration::from_secs(2)).await;
    let mut second = connect(&acceptor).await;
    assert!(about(closed(&mut stuck).await, 0.0));
    ask(&mut second).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_a_second_to_send_its_request() {
    let (acceptor, _phase) = acceptor(at_most(1));
    let mut first = connect(&acceptor).await;
    let start = Instant::now();
    let (mut second, ()) = tokio::join!(connect(&acceptor), async {
        sleep(Duration::from_millis(900)).await;
        ask(&mut first).await;
    });
    // A second after the answer, and not after the connection was opened.
    assert!(start.elapsed() >= Duration::from_millis(1900));
    assert!(start.elapsed() < Duration::from_millis(2100));
    assert!(about(closed(&mut first).await, 0.0));
    ask(&mut second).await;
}

#[tokio::test(start_paused = true)]
async fn while_draining_a_request_on_its_way_is_answered() {
    let (acceptor, phase) = acceptor(ServerConfig::default());
    let (mut used, mut new, mut silent) = (
        connect(&acceptor).await,
        connect(&acceptor).await,
        connect(&acceptor).await,
    );
    let answer = ask(&mut used).await;
    assert!(!answer.contains("connection: close"), "{answer}");
    advance(Duration::from_secs(20)).await;
    phase.send_replace(Phase::Draining(Instant::now()));
    sleep(Duration::from_millis(400)).await;
    for client in [&mut used, &mut new] {
        let answer = ask(client).await;
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(about(closed(client).await, 0.0));
    }
    assert!(about(closed(&mut silent).await, 0.1));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_close_its_side_is_not_waited_for() {
    let (acceptor, phase) = acceptor(ServerConfig::default());
    let mut client = connect(&acceptor).await;
    phase.send_replace(Phase::Stopping);
    ask(&mut client).await;
    assert!(about(closed(&mut client).await, 0.0));
    // It has read the end, and neither closes nor sends anything.
    let start = Instant::now();
    acceptor.tasks.close();
    timeout(LONG, acceptor.tasks.wait()).await.unwrap();
    assert!(about(start.elapsed(), 5.0), "{:?}", start.elapsed());
}

/// Reads this much every 20 seconds from a stream that a megabyte is written to.
async fn read_slowly(len: usize) -> io::Result<()> {
    let (mut client, socket) = tokio::io::duplex(64 * 1024);
    let activity = Arc::new(Activity::new());
    let mut stream = ByteStream::new(socket, activity, Duration::from_secs(30));
    let read = async {
        let mut buffer = vec![0; len];
        loop {
            sleep(Duration::from_secs(20)).await;
            client.read_exact(&mut buffer).await.unwrap();
        }
    };
    tokio::select! {
        written = async {
            stream.write_all(&[0; 1 << 20]).await?;
            stream.flush().await
        } => written,
        () = read => Ok(()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_has_the_write_timeout_for_each_64_kib() {
    read_slowly(64 * 1024).await.unwrap();
    let error = read_slowly(8 * 1024).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

/// Fails like a system that has no sockets left, as often as told, and then connects.
struct Exhausted {
    failures: usize,
    then: Option<DuplexStream>,
}

impl Listener for Exhausted {
    type Socket = DuplexStream;

    async fn accept(&mut self) -> io::Result<DuplexStream> {
        if self.failures > 0 {
            self.failures -= 1;
            const EMFILE: i32 = 24;
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        match self.then.take() {
            Some(stream) => Ok(stream),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lack_of_sockets_is_waited_out() {
    let (acceptor, _phase) = acceptor(ServerConfig::default());
    let (mut client, stream) = tokio::io::duplex(4096);
    let mut listener = Exhausted {
        failures: 20,
        then: Some(stream),
    };
    let start = Instant::now();
    tokio::select! {
        never = acceptor.accept(&mut listener) => match never {},
        _ = ask(&mut client) => {}
    }
    // Twice as long each time, from 5 ms to a second.
    let waited = start.elapsed();
    assert!(waited > Duration::from_secs(10), "{waited:?}");
    assert!(waited < Duration::from_secs(20), "{waited:?}");
}
