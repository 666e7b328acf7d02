//! The server, from its first log line to its last.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, anyhow, ensure};
use futures_util::StreamExt as _;
use messenger_core::Messenger;
use messenger_http::{MessengerService, serve, serve_operations};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::arguments::{LogFormat, ServeArguments};
use crate::generate::user_id;
use crate::logging::Log;
use crate::signals::stop_signals;
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
    let server = tokio::select! {
        server = Server::start(arguments, log) => server?,
        _ = signals.next() => {
            info!("stopped before it was ready");
            return Ok(());
        }
    };
    server.announce(arguments)?;
    // The listener for operations stays open until everything else has ended.
    let operations = server.operations.map(|listener| {
        let serving = serve_operations(listener, server.service.clone());
        tokio::spawn(serving).abort_handle()
    });
    let config = arguments.server_config();
    let drained = serve(server.listener, server.service, config, signals).await;
    if let Some(operations) = operations {
        operations.abort();
    }
    ensure!(
        drained.is_complete(),
        "stopped with {} requests and {} sends in flight",
        drained.connections_cut,
        drained.sends_left,
    );
    info!("stopped");
    Ok(())
}

/// A server that is ready for its first request.
struct Server {
    listener: TcpListener,
    operations: Option<TcpListener>,
    service: MessengerService,
}

impl Server {
    /// Does everything that has to be done before the first request.
    async fn start(arguments: &ServeArguments, log: &Log) -> Result<Self> {
        for variable in arguments.store.ignored_variables() {
            warn!("{variable} is set, but has no effect without --store cassandra");
        }
        for variable in arguments.auth.ignored_variables() {
            warn!("{variable} is set, but has no effect without --auth jwt");
        }
        let listener = listen("--listen", &arguments.network.listen.address).await?;
        arguments.auth.check_address(listener.local_addr()?)?;
        let operations = match &arguments.network.operations_listen {
            Some(address) => Some(listen("--operations-listen", address).await?),
            None => None,
        };
        let mut config = arguments
            .service_config(listener.local_addr()?)?
            .with_metrics(metrics::install(log)?);
        arguments.auth.apply_to(&mut config).await?;
        let messenger = Messenger::new(arguments.store.open().await?);
        log.store_is_open()?;
        if arguments.demo {
            demo::fill(&messenger).await?;
        }
        Ok(Self {
            listener,
            operations,
            service: MessengerService::with_config(messenger, config),
        })
    }

    /// Says where the server is: on standard output, or in the log if that is JSON.
    fn announce(&self, arguments: &ServeArguments) -> Result<()> {
        let address = self.listener.local_addr()?;
        let url = format!("http://{address}");
        let store = arguments.store.kind;
        let hint = if arguments.demo {
            chat_hint(&url, arguments)
        } else if store == StoreKind::Memory {
            "it is empty, and ends with the program; --demo fills it with test data\n".to_owned()
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
        if let Some(operations) = &self.operations {
            let address = operations.local_addr()?;
            info!(%address, "listening for health checks and metrics");
        }
        if !arguments.auth.is_on() && !address.ip().is_loopback() {
            warn!(%address, "no authentication: anyone who reaches this address can read and write everything");
        }
        Ok(())
    }
}

/// Says where to chat as a user of the test data.
fn chat_hint(url: &str, arguments: &ServeArguments) -> String {
    let user = user_id(1);
    let credential = match arguments.auth.is_on() {
        false => Some(format!("user={user}")),
        true => (arguments.auth.demo_token(&user)).map(|token| format!("token={token}")),
    };
    match credential {
        Some(credential) => format!("chat as {user}: {url}/chat/#{credential}\n"),
        None => String::new(),
    }
}

async fn listen(flag: &str, address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "; another program listens there: choose another port with {flag}, or 0 for any"
            ),
            _ => String::new(),
        };
        anyhow!("cannot listen on {address}: {error}{advice}")
    })
}
