//! Where connections get the requests that they start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, mpsc};

use super::pace::Arrivals;
use super::window::{Start, Window};

/// Hands out requests until the window is over.
#[derive(Debug)]
pub(super) struct Starts {
    window: Arc<Window>,
    /// What is due and waits, in an open loop.
    queue: Option<Queue>,
}

#[derive(Debug)]
struct Queue {
    waiting: Mutex<mpsc::Receiver<Start>>,
    /// A request that is due for longer is not worth starting.
    timeout: Duration,
    not_started: Arc<AtomicU64>,
}

impl Starts {
    /// Those of a closed loop: whoever is free starts one.
    pub(super) fn closed(window: Arc<Window>) -> Self {
        Self {
            window,
            queue: None,
        }
    }

    /// Those of an open loop: whoever is free starts the one that has waited longest. At most
    /// `max_waiting` wait, none for longer than the timeout.
    pub(super) fn open(
        window: Arc<Window>,
        arrivals: Arrivals,
        max_waiting: usize,
        timeout: Duration,
    ) -> Self {
        let (due, waiting) = mpsc::channel(max_waiting);
        let not_started = Arc::new(AtomicU64::new(0));
        let pacer = Pacer {
            window: Arc::clone(&window),
            due,
            not_started: Arc::clone(&not_started),
        };
        // It ends with the window, or when the queue is dropped.
        tokio::task::spawn_blocking(move || pacer.run(arrivals));
        let queue = Queue {
            waiting: Mutex::new(waiting),
            timeout,
            not_started,
        };
        Self {
            window,
            queue: Some(queue),
        }
    }

    /// The next request to start, once there is one; `None` when the window is over.
    pub(super) async fn next(&self) -> Option<Start> {
        match &self.queue {
            None => self.window.admit(Instant::now()),
            Some(queue) => tokio::select! {
                biased;
                () = self.window.stop().cancelled() => None,
                start = queue.next() => start,
            },
        }
    }

    /// How many measured requests were due and were not started. To be asked when all connections
    /// have ended: what still waits then is counted too.
    pub(super) async fn not_started(&self) -> u64 {
        let Some(queue) = &self.queue else { return 0 };
        let mut waiting = queue.waiting.lock().await;
        waiting.close();
        while let Some(start) = waiting.recv().await {
            give_up(&queue.not_started, start);
        }
        queue.not_started.load(Ordering::Relaxed)
    }
}

impl Queue {
    async fn next(&self) -> Option<Start> {
        let mut waiting = self.waiting.lock().await;
        loop {
            let start = waiting.recv().await?;
            if start.at.elapsed() < self.timeout {
                return Some(start);
            }
            give_up(&self.not_started, start);
        }
    }
}

fn give_up(not_started: &AtomicU64, start: Start) {
    not_started.fetch_add(start.measured.into(), Ordering::Relaxed);
}

/// Puts requests into the queue when they are due.
///
/// It has a thread, which sleeps by the microsecond: the timers of tokio tick by the millisecond,
/// and that would be on the latency of every request.
struct Pacer {
    window: Arc<Window>,
    due: mpsc::Sender<Start>,
    not_started: Arc<AtomicU64>,
}

impl Pacer {
    fn run(self, arrivals: Arrivals) {
        for after in arrivals {
            let Some(start) = self.window.admit(self.window.begun() + after) else {
                return;
            };
            self.sleep_until(start.at);
            match self.due.try_send(start) {
                Ok(()) => {}
                Err(TrySendError::Full(start)) => give_up(&self.not_started, start),
                Err(TrySendError::Closed(_)) => return,
            }
        }
    }

    /// Sleeps until then, or until the window is told to stop.
    fn sleep_until(&self, at: Instant) {
        const LOOK_UP: Duration = Duration::from_millis(50);
        while !self.window.stop().is_cancelled() && !self.due.is_closed() {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK_UP));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    const RATE: f64 = 10_000.0;

    fn window(requests: u64) -> Arc<Window> {
        let long = Duration::from_secs(60);
        let stop = CancellationToken::new();
        Arc::new(Window::new(Duration::ZERO, long, Some(requests), stop))
    }

    fn open(requests: u64, max_waiting: usize, timeout: Duration) -> Starts {
        let arrivals = Arrivals::new(RATE, 1);
        Starts::open(window(requests), arrivals, max_waiting, timeout)
    }

    #[tokio::test]
    async fn requests_start_when_they_are_due_and_not_before() {
        let starts = open(100, 100, Duration::from_secs(60));
        let due = Arrivals::new(RATE, 1);
        for after in due.take(100) {
            let start = starts.next().await.unwrap();
            assert_eq!(start.at, starts.window.begun() + after);
            assert!(start.at <= Instant::now());
        }
        assert!(starts.next().await.is_none(), "a hundred were enough");
        assert_eq!(starts.not_started().await, 0);
    }

    #[tokio::test]
    async fn what_cannot_wait_or_waited_too_long_is_counted() {
        let starts = open(1_000, 10, Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(300)).await;
        for _ in 0..10 {
            assert!(starts.next().await.is_some(), "ten could wait");
        }
        assert!(starts.next().await.is_none());
        assert_eq!(starts.not_started().await, 990);

        let starts = open(1_000, 1_000, Duration::from_millis(1));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(starts.next().await.is_none(), "all are late");
        assert_eq!(starts.not_started().await, 1_000);
    }

    #[tokio::test]
    async fn what_waits_when_it_is_stopped_is_counted() {
        let starts = open(100, 100, Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(100)).await;
        starts.window.stop().cancel();
        assert!(starts.next().await.is_none());
        assert_eq!(starts.not_started().await, 100);
    }
}
