//! The command line.
//!
//! Every setting is a flag and an environment variable. The doc comments of the fields are the help
//! texts.

mod ignored;
mod parse;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use messenger_http::{ServerConfig, ServiceConfig};

use crate::auth::AuthArguments;
use crate::logging::DEFAULT_FILTER;
use crate::store::StoreArguments;
use crate::{backup, copy, generate, values};

pub(crate) use parse::parse;

/// A messenger over HTTP: one-to-one messages, conversations and inboxes.
///
/// By default, it listens on the loopback address, and anyone who can reach it can read every
/// conversation and send as any user. To listen elsewhere, choose an authentication with --auth.
///
/// Every flag can also be set by its environment variable. An empty variable counts as unset.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) serve: ServeArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Generate(generate::Arguments),
    Backup(backup::Arguments),
    Copy(copy::Arguments),
    /// Asks a running server whether it is ready, and exits with 0 if it is.
    ///
    /// For containers that hold no other program to ask with.
    HealthCheck(ListenArguments),
    #[cfg(feature = "jwt")]
    Token(crate::auth::token::Arguments),
}

/// The flags of the server.
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// Fills the store with test data, unless it has been filled before.
    #[arg(long, env = "MESSENGER_DEMO")]
    pub(crate) demo: bool,

    #[command(flatten)]
    pub(crate) network: NetworkArguments,

    #[command(flatten)]
    pub(crate) auth: AuthArguments,

    #[command(flatten)]
    pub(crate) store: StoreArguments,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,

    #[command(flatten)]
    pub(crate) log: LogArguments,

    #[command(flatten)]
    pub(crate) shutdown: ShutdownArguments,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct ListenArguments {
    /// Address to listen on. Port 0 takes any free port.
    #[arg(
        long = "listen",
        env = "MESSENGER_LISTEN",
        default_value = "127.0.0.1:8000",
        value_name = "HOST:PORT",
        value_parser = values::host_and_port
    )]
    pub(crate) address: String,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArguments,

    /// Second address to listen on, for /health and /metrics only. Clients of the first address
    /// cannot use up its connections.
    #[arg(
        long,
        env = "MESSENGER_OPERATIONS_LISTEN",
        value_name = "HOST:PORT",
        value_parser = values::host_and_port
    )]
    pub(crate) operations_listen: Option<String>,

    /// Hosts that requests may name, separated by commas, such as chat.example. On a loopback
    /// address, localhost, 127.0.0.1 and [::1] are always allowed, and nothing else by default. On
    /// other addresses, all hosts are allowed by default.
    #[arg(
        long,
        env = "MESSENGER_ALLOWED_HOSTS",
        value_name = "HOST,…",
        value_delimiter = ','
    )]
    allowed_hosts: Vec<String>,

    /// Origins of web pages that may call the server (CORS), separated by commas, such as
    /// https://chat.example, or * for all. None by default.
    #[arg(
        long,
        env = "MESSENGER_CORS_ORIGINS",
        value_name = "ORIGIN,…",
        value_delimiter = ','
    )]
    cors_origins: Vec<String>,

    /// Path under which clients reach the server if a proxy mounts it there, such as /chat.
    #[arg(
        long,
        env = "MESSENGER_BASE_PATH",
        value_name = "PATH",
        default_value = "/",
        value_parser = values::base_path
    )]
    base_path: String,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArguments {
    /// Maximum number of requests in flight. Further ones are answered 503.
    #[arg(
        long,
        env = "MESSENGER_MAX_IN_FLIGHT",
        default_value_t = ServiceConfig::default().max_in_flight,
        value_name = "NUMBER",
        value_parser = values::at_least_one
    )]
    pub(crate) max_in_flight: usize,

    /// Maximum memory of responses that clients have not received yet, in bytes. Beyond it, requests
    /// are answered 503.
    #[arg(
        long,
        env = "MESSENGER_MAX_RESPONSE_BYTES",
        default_value_t = ServiceConfig::default().max_response_bytes,
        value_name = "BYTES",
        value_parser = values::at_least_one
    )]
    pub(crate) max_response_bytes: usize,

    /// Maximum number of open connections. Each is an open file, so `ulimit -n` must be greater.
    #[arg(
        long,
        env = "MESSENGER_MAX_CONNECTIONS",
        default_value_t = ServerConfig::default().max_connections,
        value_name = "NUMBER",
        value_parser = values::at_least_one
    )]
    pub(crate) max_connections: usize,

    /// Seconds that a connection may stay open without a request. It must be longer than the idle
    /// timeout of a load balancer in front, which is 60 seconds for most of them.
    #[arg(
        long,
        env = "MESSENGER_IDLE_TIMEOUT",
        default_value = "75",
        value_name = "SECONDS",
        value_parser = values::seconds,
        allow_negative_numbers = true
    )]
    pub(crate) idle_timeout: Duration,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArguments {
    /// Format of the log on standard error.
    #[arg(
        id = "log-format",
        long,
        env = "MESSENGER_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub(crate) format: LogFormat,

    /// Level to log, or levels by module, such as info,messenger_http=debug.
    #[arg(
        id = "log",
        long,
        env = "MESSENGER_LOG",
        default_value = DEFAULT_FILTER,
        value_name = "FILTER",
        value_parser = values::log_filter
    )]
    pub(crate) filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Shutdown")]
pub(crate) struct ShutdownArguments {
    /// Seconds between SIGTERM or Ctrl-C and the end of the listener. Meanwhile requests are served
    /// and /health/ready answers 503, so that load balancers notice.
    #[arg(
        id = "shutdown-delay",
        long,
        env = "MESSENGER_SHUTDOWN_DELAY",
        default_value = "0",
        value_name = "SECONDS",
        value_parser = values::seconds,
        allow_negative_numbers = true
    )]
    pub(crate) delay: Duration,

    /// Seconds that requests in flight may take after that. They are then cut off. A second signal
    /// cuts them off at once.
    #[arg(
        id = "shutdown-timeout",
        long,
        env = "MESSENGER_SHUTDOWN_TIMEOUT",
        default_value = "30",
        value_name = "SECONDS",
        value_parser = values::seconds,
        allow_negative_numbers = true
    )]
    pub(crate) timeout: Duration,
}

impl ServeArguments {
    /// Returns the settings of the service on this address. The caller adds the metrics.
    pub(crate) fn service_config(&self, address: SocketAddr) -> Result<ServiceConfig> {
        let mut config = ServiceConfig::default().with_base_path(&self.network.base_path)?;
        config.max_in_flight = self.limits.max_in_flight;
        config.max_response_bytes = self.limits.max_response_bytes;
        config.allowed_hosts = self.network.allowed_hosts(address);
        config.cors_origins = self.network.cors_origins.clone();
        Ok(config)
    }

    /// Returns the limits of connections, and how the server stops.
    pub(crate) fn server_config(&self) -> ServerConfig {
        let mut config = ServerConfig::default();
        config.max_connections = self.limits.max_connections;
        config.idle_timeout = self.limits.idle_timeout;
        config.shutdown_delay = self.shutdown.delay;
        config.shutdown_timeout = self.shutdown.timeout;
        config
    }
}

impl NetworkArguments {
    /// Returns the hosts that requests may name, or `None` if they may name any.
    ///
    /// A web page on another host can make a browser send requests to a loopback address (DNS
    /// rebinding), but they name the page's host.
    fn allowed_hosts(&self, address: SocketAddr) -> Option<Vec<String>> {
        const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
        let mut hosts = self.allowed_hosts.clone();
        if address.ip().is_loopback() {
            hosts.extend(LOOPBACK.map(str::to_owned));
            hosts.push(address.ip().to_string());
        }
        (!hosts.is_empty()).then_some(hosts)
    }
}
