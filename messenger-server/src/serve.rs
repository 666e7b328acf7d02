//! The server, from its first log line to its last.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Result, anyhow, ensure};
use futures_util::StreamExt as _;
use messenger_core::Messenger;
use messenger_http::{MessengerService, serve};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::arguments::{LogFormat, ServeArguments};
use crate::generate::user_id;
use crate::logging::{Lines, Log};
use crate::signals::{StopSignals, stop_signals};
use crate::store::StoreKind;
use crate::{demo, metrics, report};

/// Runs the server until a signal stops it, and returns the exit code of the program.
pub(crate) async fn run(arguments: &ServeArguments) -> ExitCode {
    let log = match Log::start(&arguments.log) {
        Ok(log) => log,
        Err(error) => return report::exit_code(Err(error)),
    };
    let result = serve_until_stopped(arguments, &log).await;
    log.end(&result);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn serve_until_stopped(arguments: &ServeArguments, log: &Log) -> Result<()> {
    let mut signals = stop_signals()?;
    let (listener, service) = tokio::select! {
        started = start(arguments, log) => started?,
        _ = signals.next() => {
            info!("stopped before it was ready");
            return Ok(());
        }
    };
    announce(listener.local_addr()?, arguments);
    let drained = serve(
        listener,
        service,
        arguments.server_config(),
        stop(signals, log.lines()),
    )
    .await;
    ensure!(
        drained.is_complete(),
        "{} requests and {} sends were still in flight after --shutdown-timeout",
        drained.connections_cut,
        drained.sends_left,
    );
    info!("stopped");
    Ok(())
}

/// Does everything that has to be done before the first request.
async fn start(arguments: &ServeArguments, log: &Log) -> Result<(TcpListener, MessengerService)> {
    for variable in arguments.store.ignored_variables() {
        warn!("{variable} is set, but has no effect without --store cassandra");
    }
    let listener = listen(&arguments.listen.address).await?;
    let config = arguments
        .service_config()
        .with_metrics(metrics::install(log)?);
    let messenger = Messenger::new(arguments.store.open().await?);
    log.store_is_open()?;
    if arguments.demo {
        demo::fill(&messenger).await?;
    }
    let service = MessengerService::with_config(messenger, config);
    Ok((listener, service))
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

/// Says where the server is: on standard output, or in the log if that is JSON.
fn announce(address: SocketAddr, arguments: &ServeArguments) {
    let url = format!("http://{address}");
    let store = arguments.store.kind;
    let hint = if arguments.demo {
        format!("try: curl {url}/api/conversations/user/{}\n", user_id(1))
    } else if store == StoreKind::Memory {
        "it is empty; --demo fills it with test data\n".to_owned()
    } else {
        String::new()
    };
    let store = store.name();
    match arguments.log.format {
        LogFormat::Text => {
            let _ = write!(
                io::stdout(),
                "messenger listening on {url} (docs: {url}/docs, store: {store})\n{hint}"
            );
        }
        LogFormat::Json => info!(url, docs = format!("{url}/docs"), store, "listening"),
    }
    if !address.ip().is_loopback() {
        warn!(%address, "no authentication: anyone who reaches this address can read and write everything");
    }
}

/// Completes with the first signal. A second one ends the program at once.
async fn stop(mut signals: StopSignals, log: Lines) {
    signals.next().await;
    tokio::spawn(async move {
        signals.next().await;
        warn!("second signal: stopping at once");
        log.flush(Log::FLUSH_TIMEOUT);
        std::process::exit(1)
    });
}
