//! A server on its own thread.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A thread whose runtime serves on a loopback address until it is dropped.
#[derive(Debug)]
pub(super) struct ServerThread {
    address: SocketAddr,
    /// The scheduler statistics of the thread, where the system has them.
    statistics: Option<PathBuf>,
    /// Dropping it is the signal to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ServerThread {
    /// Starts a thread that serves until the receiver is ready.
    pub(super) async fn spawn<S, F>(name: &str, serve: S) -> Result<Self>
    where
        S: FnOnce(TcpListener, oneshot::Receiver<()>) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (started, statistics) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // The receiver waits until it has this.
                    let _ = started.send(own_statistics());
                    // It fails only outside of a runtime with input and output.
                    let listener = TcpListener::from_std(listener).expect("a runtime");
                    serve(listener, stopped).await;
                });
            })?;
        Ok(Self {
            address,
            statistics: statistics.await?,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the CPU time of the thread so far.
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
            // A panic was already printed.
            let _ = thread.join();
        }
    }
}

/// Returns the calling thread's file of scheduler statistics, under a path that other threads can
/// read (Linux). Its first number is the time that the thread has run, in nanoseconds.
fn own_statistics() -> Option<PathBuf> {
    let own = fs::read_link("/proc/thread-self").ok()?;
    let statistics = Path::new("/proc").join(own).join("schedstat");
    statistics.exists().then_some(statistics)
}
