//! A writer that never blocks and never fails.
//!
//! `tracing_appender::non_blocking` does much the same, but it does not count lines that could not
//! be written, and when it ends it may print to standard output, which panics if that is closed.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Lines on their way to an output, through a bounded queue and a thread of their own. A line that
/// finds the queue full, or that the output refuses, is lost and counted.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    queue: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    /// A request to say when everything before it has been written.
    Flush(SyncSender<()>),
}

impl Lines {
    /// Starts the thread.
    pub(crate) fn to(output: impl Write + Send + 'static, capacity: usize) -> io::Result<Self> {
        let (queue, items) = sync_channel(capacity);
        let lines = Self {
            queue,
            lost: Arc::default(),
        };
        let lost = Arc::clone(&lines.lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(output, &items, &lost))?;
        Ok(lines)
    }

    /// Queues a line, which ends with a line break.
    pub(crate) fn push(&self, line: Vec<u8>) {
        if self.queue.try_send(Item::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the number of lines lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until the queued lines have been written, but no longer than `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) {
        let (done, written) = sync_channel(1);
        // A full queue means that the output does not take lines: there is nothing to wait for.
        if self.queue.try_send(Item::Flush(done)).is_ok() {
            let _ = written.recv_timeout(timeout);
        }
    }
}

fn write_all(mut output: impl Write, items: &Receiver<Item>, lost: &AtomicU64) {
    for item in items {
        match item {
            Item::Line(line) => {
                if output.write_all(&line).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Item::Flush(done) => {
                let _ = output.flush();
                let _ = done.send(());
            }
        }
    }
}

/// The log writes one line per call.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    #[test]
    fn lines_arrive_in_order() {
        #[derive(Clone, Default)]
        struct Shared(Arc<Mutex<Vec<u8>>>);
        impl Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let output = Shared::default();
        let lines = Lines::to(output.clone(), 100).unwrap();
        for line in ["one\n", "two\n", "three\n"] {
            lines.push(line.into());
        }
        lines.flush(SOON);
        assert_eq!(*output.0.lock().unwrap(), b"one\ntwo\nthree\n");
        assert_eq!(lines.lost(), 0);
    }

    #[test]
    fn an_output_that_fails_loses_lines_and_nothing_else() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::StorageFull.into())
            }
        }
        let lines = Lines::to(Full, 100).unwrap();
        for _ in 0..3 {
            lines.push(b"line\n".to_vec());
        }
        lines.flush(SOON);
        assert_eq!(lines.lost(), 3);
    }

    #[test]
    fn an_output_that_blocks_holds_nobody_up() {
        struct Stuck(mpsc::Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (_stuck_while_held, receiver) = mpsc::channel();
        let lines = Lines::to(Stuck(receiver), 2).unwrap();
        for _ in 0..10 {
            lines.push(b"line\n".to_vec());
        }
        lines.flush(Duration::from_millis(1));
        // Two lines are queued, and the thread may have taken one more.
        assert!((7..=8).contains(&lines.lost()), "{}", lines.lost());
    }
}
