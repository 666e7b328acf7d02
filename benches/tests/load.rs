//! The load tool against a real server, one that stalls, and one that loses a message.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use benches::load::{Call, Options, Report, run};
use clap::Parser as _;
use messenger_core::{
    Claim, Conversation, ConversationId, Error, ErrorKind, Message, MessageId, Messenger,
    Reservation, Slice, Store, UserId,
};
use messenger_http::{MessengerService, ServerConfig, serve};
use messenger_memory::MemoryStore;
use tokio::net::TcpListener;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

/// A store that does what a test tells it.
#[derive(Debug)]
struct Faulty {
    store: MemoryStore,
    /// Whoever holds it to write stalls all inboxes.
    inboxes: RwLock<()>,
    /// How many messages are kept before one is acknowledged and not kept.
    loses_after: AtomicI64,
    /// What conversations fail with.
    conversations: Option<ErrorKind>,
}

impl Faulty {
    fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            inboxes: RwLock::new(()),
            loses_after: AtomicI64::new(i64::MAX),
            conversations: None,
        }
    }

    fn losing_after(self, count: i64) -> Self {
        self.loses_after.store(count, Ordering::Relaxed);
        self
    }

    fn failing_conversations(mut self, kind: ErrorKind) -> Self {
        self.conversations = Some(kind);
        self
    }

    /// Serves it until the runtime ends.
    async fn serve(self) -> (Arc<Self>, SocketAddr) {
        let store = Arc::new(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = MessengerService::new(Messenger::new(Arc::clone(&store)));
        let config = ServerConfig::default();
        tokio::spawn(serve(
            listener,
            service,
            config,
            futures_util::stream::pending(),
        ));
        (store, address)
    }
}

#[async_trait]
impl Store for Faulty {
    async fn append(&self, message: &Message) -> Result<(), Error> {
        if self.loses_after.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Ok(());
        }
        self.store.append(message).await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Error> {
        self.store.message(conversation, id).await
    }

    async fn history(
        &self,
        conversation: ConversationId,
        slice: Slice,
    ) -> Result<Vec<Message>, Error> {
        self.store.history(conversation, slice).await
    }

    async fn inbox(&self, user: &UserId, slice: Slice) -> Result<Vec<Conversation>, Error> {
        let _not_stalled = self.inboxes.read().await;
        self.store.inbox(user, slice).await
    }

    async fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, Error> {
        match self.conversations {
            Some(kind) => Err(Error::new(kind, "as the test says")),
            None => self.store.conversation(id).await,
        }
    }

    async fn reserve(&self, reservation: &Reservation) -> Result<Claim, Error> {
        self.store.reserve(reservation).await
    }

    async fn health(&self) -> Result<(), Error> {
        self.store.health().await
    }

    fn settle(&self) -> Duration {
        self.store.settle()
    }
}

fn options(address: SocketAddr, flags: &str) -> Options {
    let url = format!("http://{address}");
    let flags = flags.split_whitespace();
    Options::parse_from(["load", &url].into_iter().chain(flags))
}

async fn load(address: SocketAddr, flags: &str) -> Report {
    let options = options(address, flags);
    run(options, &CancellationToken::new(), |_| ())
        .await
        .unwrap()
}

/// Runs the program.
async fn program(address: SocketAddr, flags: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    command.arg(format!("http://{address}"));
    command.args(flags.split_whitespace());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_made_at_the_rate_and_every_send_is_found() {
    let (_, address) = Faulty::new().serve().await;
    let flags = "--rates 100,400 --warm-up 0.1 --duration 0.7 --connections 4 --users 20 \
                 --keyed 0.5 --limit 2 --idle 5";
    let report = load(address, flags).await;
    assert!(report.is_clean(), "{report:?}");
    assert!(report.sends.acknowledged > 50, "{report:?}");
    let idle = report.idle.as_ref().unwrap();
    assert_eq!((idle.opened, idle.answered_at_the_end), (5, 5));

    let offered = report.steps.iter().map(|step| step.offered_per_second);
    assert_eq!(offered.collect::<Vec<_>>(), [Some(100.0), Some(400.0)]);
    let last = &report.steps[1];
    let calls: Vec<Call> = last.calls.iter().map(|call| call.call).collect();
    assert_eq!(calls, Call::ALL);
    let answered: u64 = last.calls.iter().map(|call| call.answers.answered).sum();
    assert_eq!(last.overall.answered, answered);
    // Chance makes it 400 give or take 24.
    let rate = last.overall.achieved_per_second + last.not_started as f64 / 0.7;
    assert!((300.0..500.0).contains(&rate), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_requests_ends_a_step() {
    let (_, address) = Faulty::new().serve().await;
    let flags = "--requests 123 --warm-up 0 --connections 4 --users 5";
    let report = load(address, flags).await;
    let step = &report.steps[0];
    assert_eq!((step.overall.answered, step.not_started), (123, 0));
    assert!(step.measured_seconds < 10.0, "{step:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_a_run_still_gets_its_report() {
    let (_, address) = Faulty::new().serve().await;
    let options = options(
        address,
        "--rate 200 --warm-up 0 --duration 600 --mix send=1",
    );
    let stop = CancellationToken::new();
    let soon = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        soon.cancel();
    });
    let report = run(options, &stop, |_| ()).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert!(report.steps[0].overall.answered > 0, "{report:?}");
}

/// The server stalls once for 300 ms. In a closed loop that is one slow request for each connection
/// among thousands; in an open loop it is seen by all who came meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_stall_shows_in_the_open_loop_and_hides_in_the_closed_one() {
    let stalled = async |pace: &str| {
        let (store, address) = Faulty::new().serve().await;
        let flags = format!("{pace} --warm-up 0 --duration 1.2 --users 5 --mix inbox=1");
        let stall = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let _all_wait = store.inboxes.write().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        let (report, ()) = tokio::join!(load(address, &flags), stall);
        report.steps[0].overall.latency.clone()
    };
    let (open, closed) = (
        stalled("--rate 200 --connections 4").await,
        stalled("--connections 1").await,
    );
    assert!(open.max_micros > 250_000, "{open:?}");
    assert!(open.p90_micros > 100_000, "{open:?}");
    assert!(closed.max_micros > 250_000, "{closed:?}");
    assert!(closed.p99_micros < 100_000, "{closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shed_is_no_failure_and_what_fails_is_one() {
    let flags = "--requests 50 --warm-up 0 --connections 2 --users 5 --mix conversation=1";
    let answers = async |kind| {
        let (_, address) = Faulty::new().failing_conversations(kind).serve().await;
        let report = load(address, flags).await;
        let overall = &report.steps[0].overall;
        (
            overall.answered,
            overall.shed,
            overall.failed,
            report.is_clean(),
        )
    };
    assert_eq!(answers(ErrorKind::Overloaded).await, (0, 50, 0, true));
    assert_eq!(answers(ErrorKind::Internal).await, (0, 0, 50, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_fails_when_a_message_is_lost() {
    let flags = "--requests 100 --warm-up 0 --users 5 --mix send=1";
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();

    let (_, address) = Faulty::new().serve().await;
    let file = std::env::temp_dir().join(format!("load-{}.json", std::process::id()));
    let with_json = format!("{flags} --json {}", file.display());
    let output = program(address, &with_json).await;
    let report: Report = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::remove_file(file).unwrap();
    let sent = report.sends.acknowledged;
    let told = format!("\n{sent} acknowledged, {sent} found\n");
    assert!(text(&output).contains(&told), "{output:?}");
    assert_eq!(output.status.code(), Some(0));

    let (_, address) = Faulty::new().losing_after(50).serve().await;
    let output = program(address, flags).await;
    let told = format!(
        "\n{sent} acknowledged, {} found\nmissing: message ",
        sent - 1
    );
    assert!(text(&output).contains(&told), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}
