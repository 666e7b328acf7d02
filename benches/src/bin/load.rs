//! Puts load on running servers and checks that nothing is lost:
//! `cargo run -p benches --bin load -- --help`.

use std::collections::HashSet;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use futures_util::future::{join_all, try_join_all};
use parking_lot::RwLock;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, random};
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// The time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The number of failures that are printed.
const SHOWN: usize = 5;

/// Sends messages and reads them back, and checks that no request fails and no message is lost.
///
/// Ends after --seconds, on SIGTERM or on Ctrl-C. With several URLs each request goes to a server
/// that is ready, as behind a load balancer. Half of the requests use connections that are kept
/// open. If a server closes one of these without a response, the request is repeated on a new
/// connection, as HTTP clients do, and counted; sends have an Idempotency-Key, so this is safe.
///
/// Exits with 1 if a request failed, a message was lost, or no message was sent. Measures no
/// latency at a given rate; scripts/measure does that with oha.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Arguments {
    /// Base URLs of the servers, such as http://127.0.0.1:8000.
    #[arg(required = true, value_name = "URL")]
    urls: Vec<Url>,

    /// Duration in seconds.
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,

    /// Concurrent clients. Each sends messages between two users.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,

    /// Checks at the end that every acknowledged message is in its history. The servers must share
    /// a store.
    #[arg(long)]
    verify: bool,

    /// Command that prints a token for the user that is appended to it, such as "messenger-server
    /// token --user". Without it, requests have no token.
    #[arg(long, value_name = "COMMAND")]
    token: Option<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let servers = Arc::new(Servers::new(arguments.urls)?);
    // A single server may be a load balancer, so it is always used.
    if servers.urls.len() > 1 {
        servers.update().await;
        tokio::spawn(Arc::clone(&servers).watch());
    }

    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let workers = (0..arguments.workers).map(|_| {
        let worker = Worker::new(Arc::clone(&servers), arguments.token.as_deref())?;
        Ok(tokio::spawn(worker.run(Arc::clone(&stop))))
    });
    let workers: Vec<_> = workers.collect::<Result<_>>()?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(arguments.seconds)) => {}
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    stop.store(true, Ordering::Relaxed);
    let mut workers = try_join_all(workers).await?;
    let elapsed = started.elapsed();

    let lost = if arguments.verify {
        let lost = join_all(workers.iter_mut().map(Worker::count_lost)).await;
        Some(lost.into_iter().sum())
    } else {
        None
    };
    Ok(report(&workers, elapsed, lost))
}

/// Prints the result.
fn report(workers: &[Worker], elapsed: Duration, lost: Option<usize>) -> ExitCode {
    let requests: usize = workers.iter().map(|worker| worker.requests).sum();
    let longest = workers.iter().map(|worker| worker.longest).max();
    let acknowledged: usize = workers.iter().map(|worker| worker.acknowledged.len()).sum();
    let repeated: usize = workers.iter().map(|worker| worker.repeated).sum();
    let failures: Vec<_> = workers.iter().flat_map(|worker| &worker.failures).collect();
    print!(
        "load: {requests} requests in {:.1} s, {acknowledged} messages, longest response {} ms, \
         {repeated} repeated, {} failed",
        elapsed.as_secs_f64(),
        longest.unwrap_or_default().as_millis(),
        failures.len(),
    );
    match lost {
        Some(lost) => println!(", {lost} lost"),
        None => println!(),
    }
    for failure in failures.iter().take(SHOWN) {
        eprintln!("  {failure}");
    }
    let succeeded = failures.is_empty() && lost.unwrap_or(0) == 0 && acknowledged > 0;
    ExitCode::from(u8::from(!succeeded))
}

/// The servers, and which of them are ready.
struct Servers {
    urls: Vec<Url>,
    ready: RwLock<Vec<Url>>,
    /// Keeps connections open.
    kept: Client,
    /// Opens a connection for each request.
    fresh: Client,
}

impl Servers {
    fn new(urls: Vec<Url>) -> Result<Self> {
        let client = || Client::builder().timeout(TIMEOUT).tcp_nodelay(true);
        Ok(Self {
            ready: RwLock::new(urls.clone()),
            urls,
            kept: client().build()?,
            fresh: client().pool_max_idle_per_host(0).build()?,
        })
    }

    /// Asks each server ten times a second whether it is ready.
    async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.update().await;
        }
    }

    async fn update(&self) {
        let states = join_all(self.urls.iter().map(|url| self.is_ready(url))).await;
        let ready = self.urls.iter().zip(states);
        let ready = ready.filter(|(_, is_ready)| *is_ready);
        *self.ready.write() = ready.map(|(url, _)| url.clone()).collect();
    }

    async fn is_ready(&self, url: &Url) -> bool {
        let request = self.fresh.get(format!("{url}health/ready"));
        let response = request.timeout(Duration::from_secs(1)).send().await;
        response.is_ok_and(|response| response.status() == StatusCode::OK)
    }

    fn choose(&self) -> Option<Url> {
        self.ready.read().choose(&mut rand::rng()).cloned()
    }
}

/// A user, who may need a token.
#[derive(Clone)]
struct User {
    name: String,
    token: Option<String>,
}

impl User {
    fn new(name: String, command: Option<&str>) -> Result<Self> {
        let token = command.map(|command| token(command, &name)).transpose()?;
        Ok(Self { name, token })
    }
}

/// Returns what the command prints for this user.
fn token(command: &str, user: &str) -> Result<String> {
    let mut words = command.split_whitespace();
    let program = words.next().context("--token is empty")?;
    let output = Command::new(program).args(words).arg(user).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    ensure!(
        output.status.success(),
        "{command} {user}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A client that sends messages between two users.
struct Worker {
    servers: Arc<Servers>,
    users: [User; 2],
    conversation: Option<String>,
    acknowledged: HashSet<String>,
    requests: usize,
    longest: Duration,
    repeated: usize,
    failures: Vec<String>,
}

impl Worker {
    fn new(servers: Arc<Servers>, token: Option<&str>) -> Result<Self> {
        let name = format!("load-{:016x}", random::<u64>());
        let user = |letter| User::new(format!("{name}-{letter}"), token);
        Ok(Self {
            servers,
            users: [user("a")?, user("b")?],
            conversation: None,
            acknowledged: HashSet::new(),
            requests: 0,
            longest: Duration::ZERO,
            repeated: 0,
            failures: Vec::new(),
        })
    }

    async fn run(mut self, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = self.send_and_read().await {
                self.failures.push(format!("{error:#}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        self
    }

    async fn send_and_read(&mut self) -> Result<()> {
        let [a, b] = self.users.clone();
        let [sender, receiver] = if random() { [a, b] } else { [b, a] };
        let body = json!({
            "sender_id": sender.name,
            "receiver_id": receiver.name,
            "content": "x".repeat(rand::rng().random_range(1..=500)),
        });
        let key = format!("{:032x}", random::<u128>());
        let sent = self
            .request(
                StatusCode::CREATED,
                "/api/messages/",
                &sender,
                |client, url| {
                    let request = client.post(url).header("Idempotency-Key", &key);
                    request.json(&body)
                },
            )
            .await?;
        let text = |member: &str| sent[member].as_str().map(str::to_owned);
        let id = text("id").with_context(|| format!("not a message: {sent}"))?;
        self.conversation = text("conversation_id");
        self.acknowledged.insert(id);
        // With memory stores the next server may not have the conversation, but every user has an
        // inbox.
        let inbox = format!("/api/conversations/user/{}", sender.name);
        self.get(&inbox, &sender).await?;
        Ok(())
    }

    async fn get(&mut self, path: &str, user: &User) -> Result<Value> {
        let get = |client: &Client, url| client.get(url);
        self.request(StatusCode::OK, path, user, get).await
    }

    /// Makes a request as this user, and returns the JSON of its response.
    async fn request(
        &mut self,
        expected: StatusCode,
        path: &str,
        user: &User,
        create: impl Fn(&Client, Url) -> RequestBuilder,
    ) -> Result<Value> {
        let servers = Arc::clone(&self.servers);
        let started = Instant::now();
        let mut keep = random();
        loop {
            let url = servers.choose().context("no server is ready")?.join(path)?;
            let client = if keep { &servers.kept } else { &servers.fresh };
            let mut request = create(client, url.clone());
            if let Some(token) = &user.token {
                request = request.bearer_auth(token);
            }
            let (status, body) = match exchange(request).await {
                Err(error) if keep && !error.is_connect() && !error.is_timeout() => {
                    keep = false;
                    self.repeated += 1;
                    continue;
                }
                result => result.with_context(|| url.to_string())?,
            };
            self.requests += 1;
            self.longest = self.longest.max(started.elapsed());
            ensure!(status == expected, "{url}: {status}: {body:.300}");
            return serde_json::from_str(&body).with_context(|| format!("{url}: {body:.300}"));
        }
    }

    /// Counts the acknowledged messages that are not in the history.
    async fn count_lost(&mut self) -> usize {
        let history = self.history().await.unwrap_or_else(|error| {
            self.failures.push(format!("{error:#}"));
            HashSet::new()
        });
        self.acknowledged.difference(&history).count()
    }

    async fn history(&mut self) -> Result<HashSet<String>> {
        let mut found = HashSet::new();
        let Some(conversation) = self.conversation.clone() else {
            return Ok(found);
        };
        let user = self.users[0].clone();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/messages/conversation/{conversation}?limit=100{cursor}");
            let page = self.get(&path, &user).await?;
            let messages = page["data"].as_array().into_iter().flatten();
            let ids = messages.filter_map(|message| message["id"].as_str());
            found.extend(ids.map(str::to_owned));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(found),
            }
        }
    }
}

async fn exchange(request: RequestBuilder) -> reqwest::Result<(StatusCode, String)> {
    let response = request.send().await?;
    Ok((response.status(), response.text().await?))
}
