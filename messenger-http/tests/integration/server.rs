//! A server on a port of its own, for one test.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use messenger_core::Messenger;
use messenger_http::{
    Drained, LATENCY_BUCKETS, MessengerService, ServerConfig, ServiceConfig, serve,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::client::Client;

/// The recorder of the whole test program.
static RECORDER: LazyLock<PrometheusHandle> = LazyLock::new(|| {
    let builder = PrometheusBuilder::new()
        .set_buckets(LATENCY_BUCKETS)
        .unwrap();
    builder.install_recorder().unwrap()
});

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    stop_again: Arc<Notify>,
    task: JoinHandle<Drained>,
}

/// Limits so short that a test can wait for them.
pub(crate) fn configs() -> (ServiceConfig, ServerConfig) {
    let mut service = ServiceConfig::default().with_metrics(|| RECORDER.render());
    service.body_timeout = Duration::from_millis(300);
    service.request_timeout = Duration::from_millis(500);
    let mut server = ServerConfig::default();
    server.header_timeout = Duration::from_millis(300);
    server.idle_timeout = Duration::from_millis(300);
    server.write_timeout = Duration::from_millis(300);
    server.shutdown_timeout = Duration::from_secs(5);
    (service, server)
}

impl Server {
    /// A server for calls that take what time they need.
    pub(crate) async fn new(messenger: Messenger) -> Self {
        let service = ServiceConfig::default().with_metrics(|| RECORDER.render());
        Self::with_configs(messenger, (service, ServerConfig::default())).await
    }

    pub(crate) async fn with_configs(
        messenger: Messenger,
        (service, server): (ServiceConfig, ServerConfig),
    ) -> Self {
        LazyLock::force(&RECORDER);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = MessengerService::with_config(messenger, service);
        let (stop, stopped) = oneshot::channel::<()>();
        let stop_again = Arc::new(Notify::new());
        let again = Arc::clone(&stop_again);
        // A test that drops the server stops it too.
        let first = stopped.map(|_| ()).into_stream();
        let second = async move { again.notified().await }.into_stream();
        let task = tokio::spawn(serve(listener, service, server, first.chain(second)));
        Self {
            address,
            stop,
            stop_again,
            task,
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Returns what sends the second signal, after [`Server::stop`] has sent the first.
    pub(crate) fn stop_again(&self) -> Arc<Notify> {
        Arc::clone(&self.stop_again)
    }

    /// Tells the server to stop; what it says at the end comes later.
    pub(crate) fn stop(self) -> JoinHandle<Drained> {
        let _ = self.stop.send(());
        self.task
    }
}
