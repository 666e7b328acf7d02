//! A server on a thread of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A thread whose runtime serves on a loopback address until this is dropped.
#[derive(Debug)]
pub(super) struct ServerThread {
    address: SocketAddr,
    /// Where the system says what the thread has done; `None` where it does not say it.
    statistics: Option<PathBuf>,
    /// Dropping it is the signal to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ServerThread {
    /// Starts a thread that serves until the receiver is ready.
    pub(super) fn spawn<S, F>(name: &str, serve: S) -> Result<Self>
    where
        S: FnOnce(TcpListener, oneshot::Receiver<()>) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let (started, at) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
                let address = listener.as_ref().map(TcpListener::local_addr);
                // Whoever waits for it is there, or will not need the server either.
                let _ = started.send((address.map_err(|e| e.kind()), own_statistics()));
                if let Ok(listener) = listener {
                    serve(listener, stopped).await;
                }
            });
        })?;
        let (address, statistics) = at.recv().context("the server's thread panicked")?;
        Ok(Self {
            address: address.map_err(std::io::Error::from)??,
            statistics,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much CPU time the thread has taken so far.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let statistics = fs::read_to_string(self.statistics.as_ref()?).ok()?;
        let nanos = statistics.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was printed when it came.
            let _ = thread.join();
        }
    }
}

/// The calling thread's file of scheduler statistics, by which other threads can read it (Linux).
/// Its first number is how long the thread has run, in nanoseconds.
fn own_statistics() -> Option<PathBuf> {
    let own = fs::read_link("/proc/thread-self").ok()?;
    let statistics = Path::new("/proc").join(own).join("schedstat");
    statistics.exists().then_some(statistics)
}
