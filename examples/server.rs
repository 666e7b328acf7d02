//! The messenger over HTTP: `cargo run --example server -- --demo`, and `--help` for the rest.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::{Parser, ValueEnum};
use examples::generate::{DEFAULT_SEED, Plan, Sizes, generate};
use examples::program;
use examples::store::{StoreArgs, StoreKind};
use futures_util::{Stream, StreamExt as _, stream};
use messenger_core::{InboxQuery, Messenger, Timestamp, UserId};
use messenger_http::{LATENCY_BUCKETS, MessengerService, ServerConfig, ServiceConfig, serve};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, lookup_host};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

/// A messenger over HTTP: one-to-one messages, conversations and inboxes.
///
/// There is no authentication: who reaches the server may read every conversation and write in any
/// name. So it listens on this machine alone unless told otherwise.
#[derive(Debug, Parser)]
#[command(name = "server")]
struct Arguments {
    /// The address to listen on. Port 0 takes any free one.
    #[arg(
        long,
        env = "MESSENGER_LISTEN",
        default_value = "127.0.0.1:8000",
        value_name = "HOST:PORT",
        value_parser = host_and_port
    )]
    listen: String,

    /// Fills the store with test data, unless user 1 has conversations already.
    #[arg(long, env = "MESSENGER_DEMO", value_parser = program::yes_or_no)]
    demo: bool,

    /// How the log is written, on the standard error.
    #[arg(
        long,
        env = "MESSENGER_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    log_format: LogFormat,

    /// What is logged: a level, or levels by module, such as info,messenger_http=debug.
    #[arg(
        long,
        env = "MESSENGER_LOG",
        default_value = "info,scylla=warn",
        value_name = "FILTER",
        value_parser = log_filter
    )]
    log: String,

    /// How many requests are in flight at once; those beyond are told to come again (503).
    #[arg(
        long,
        env = "MESSENGER_MAX_IN_FLIGHT",
        default_value_t = ServiceConfig::default().max_in_flight,
        value_name = "NUMBER",
        value_parser = at_least_one
    )]
    max_in_flight: usize,

    /// How many connections are open at once; those beyond wait. Each is an open file: `ulimit -n`
    /// must be above it.
    #[arg(
        long,
        env = "MESSENGER_MAX_CONNECTIONS",
        default_value_t = ServerConfig::default().max_connections,
        value_name = "NUMBER",
        value_parser = at_least_one
    )]
    max_connections: usize,

    /// How long the server goes on taking requests after SIGTERM or Ctrl-C, while
    /// /health/ready says that it stops: time for load balancers to notice.
    #[arg(
        long,
        env = "MESSENGER_SHUTDOWN_DELAY",
        default_value = "0",
        value_name = "SECONDS",
        value_parser = seconds
    )]
    shutdown_delay: Duration,

    /// How long the requests that are then in flight may take.
    #[arg(
        long,
        env = "MESSENGER_SHUTDOWN_TIMEOUT",
        default_value = "30",
        value_name = "SECONDS",
        value_parser = seconds
    )]
    shutdown_timeout: Duration,

    /// Starts nothing: asks the server that listens at --listen whether it is ready, and ends, with
    /// 0 if it is. For containers that hold no other program to ask with.
    #[arg(long)]
    health_check: bool,

    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = program::arguments();
    program::end(if arguments.health_check {
        health_check(&arguments.listen).await
    } else {
        run(arguments).await
    })
}

async fn run(arguments: Arguments) -> Result<()> {
    start_log(&arguments);
    let mut signals = pin!(stop_signals()?);
    let (listener, service) = tokio::select! {
        started = start(&arguments) => started?,
        _ = signals.next() => {
            info!("stopped before it was ready");
            return Ok(());
        }
    };
    announce(listener.local_addr()?, &arguments);
    let drained = serve(listener, service, arguments.server_config(), signals).await;
    ensure!(
        drained.is_complete(),
        "stopped with {} requests and {} sends in flight",
        drained.connections_cut,
        drained.sends_left,
    );
    info!("stopped");
    Ok(())
}

/// Whether the server that listens there is ready.
async fn health_check(listen: &str) -> Result<()> {
    let mut address = lookup_host(listen).await?.next().context("no address")?;
    if address.ip().is_unspecified() {
        // A server that listens on all addresses of the machine is asked on the one that only the
        // machine itself has.
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let answer = tokio::task::spawn_blocking(move || readiness(address))
        .await?
        .with_context(|| format!("no answer from {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("none");
    ensure!(status == "200", "not ready: status {status} {body}");
    println!("ready");
    Ok(())
}

/// What the server answers when asked whether it is ready.
fn readiness(address: SocketAddr) -> io::Result<String> {
    const PATIENCE: Duration = Duration::from_secs(4);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// All that has to be there before the first request.
async fn start(arguments: &Arguments) -> Result<(TcpListener, MessengerService)> {
    let listener = listen(&arguments.listen).await?;
    // Before the store, which may hold on to its measurements.
    let mut config = service_config()?;
    config.max_in_flight = arguments.max_in_flight;
    let messenger = Messenger::new(arguments.store.open().await?);
    if arguments.demo {
        fill(&messenger).await.context("no test data")?;
    }
    let service = MessengerService::with_config(messenger, config);
    Ok((listener, service))
}

impl Arguments {
    fn server_config(&self) -> ServerConfig {
        let mut config = ServerConfig::default();
        config.max_connections = self.max_connections;
        config.shutdown_delay = self.shutdown_delay;
        config.shutdown_timeout = self.shutdown_timeout;
        config
    }
}

fn service_config() -> Result<ServiceConfig> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(LATENCY_BUCKETS)?
        .install_recorder()?;
    tokio::spawn(keep_up(recorder.clone()));
    Ok(ServiceConfig::default().with_metrics(move || recorder.render()))
}

/// Moves measurements into their buckets also while nobody asks for them; they would pile up.
async fn keep_up(recorder: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        recorder.run_upkeep();
    }
}

async fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "; another program listens there: choose another port with --listen, or 0 for any"
            }
            _ => "",
        };
        anyhow!("cannot listen on {address}: {error}{advice}")
    })
}

/// Says where the server is: on the standard output, or in the log where that is JSON.
fn announce(address: SocketAddr, arguments: &Arguments) {
    let url = format!("http://{address}");
    let store = arguments.store.kind().name();
    match arguments.log_format {
        LogFormat::Text => {
            println!("messenger listening on {url} (docs: {url}/docs, store: {store})");
            if arguments.demo {
                println!("try: curl {url}/api/conversations/user/1");
            } else if arguments.store.kind() == StoreKind::Memory {
                println!("it is empty; --demo fills it with test data");
            }
        }
        LogFormat::Json => info!(url, docs = format!("{url}/docs"), store, "listening"),
    }
    if !address.ip().is_loopback() {
        warn!(%address, "no authentication: who reaches this address may read and write everything");
    }
}

/// Puts test data in.
async fn fill(messenger: &Messenger) -> Result<()> {
    let inbox = messenger.inbox(&UserId::from(1), InboxQuery::new()).await?;
    if !inbox.items.is_empty() {
        info!("user 1 has conversations already: no test data was added");
        return Ok(());
    }
    let plan = Plan::new(Sizes::default(), DEFAULT_SEED, Timestamp::now())?;
    generate(messenger, &plan, 16, || ()).await?;
    let Sizes {
        users,
        conversations,
        messages,
        ..
    } = plan.sizes();
    info!(users, conversations, messages, "test data is in");
    Ok(())
}

/// The first SIGTERM or Ctrl-C, which begins the shutdown, and the second one, which ends it.
fn stop_signals() -> Result<impl Stream<Item = ()> + Send> {
    let first = signalled()?;
    let second = async {
        // Supervisors may signal both a program and its process group. That counts once.
        tokio::time::sleep(Duration::from_millis(100)).await;
        match signalled() {
            Ok(signal) => signal.await,
            Err(_) => std::future::pending().await,
        }
    };
    Ok(stream::once(first).chain(stream::once(second)))
}

/// Is ready when a signal to stop comes after this call.
fn signalled() -> Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn start_log(arguments: &Arguments) {
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(EnvFilter::new(&arguments.log));
    match arguments.log_format {
        LogFormat::Text => log
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .init(),
        LogFormat::Json => log.json().init(),
    }
}

fn host_and_port(text: &str) -> Result<String> {
    let well_formed = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    ensure!(
        well_formed,
        "it must be a host and a port, such as 127.0.0.1:8000 or [::1]:8000"
    );
    Ok(text.to_owned())
}

fn log_filter(text: &str) -> Result<String> {
    EnvFilter::try_new(text)
        .context("it must be a level (error, warn, info, debug, trace) or such levels by module")?;
    Ok(text.to_owned())
}

fn at_least_one(text: &str) -> Result<usize> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.context("it must be a whole number, 1 or more")
}

fn seconds(text: &str) -> Result<Duration> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .context("it must be a number of seconds, such as 30 or 0.5")
}
