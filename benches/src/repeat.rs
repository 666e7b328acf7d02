//! The workload that makes the same calls in a cycle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use async_trait::async_trait;

use crate::operation::Target;
use crate::pair::Workload;

/// Makes the same calls in a cycle. Both workloads of a pair share the operations, so they do the
/// same work in the same order.
#[derive(Debug)]
pub(crate) struct Repeat<T, O> {
    target: T,
    operations: Arc<[O]>,
    next: AtomicUsize,
}

impl<T, O> Repeat<T, O> {
    /// Creates a workload from these operations.
    pub(crate) fn new(target: T, operations: Arc<[O]>) -> Self {
        assert!(!operations.is_empty(), "no operations to repeat");
        Self {
            target,
            operations,
            next: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl<T, O> Workload for Repeat<T, O>
where
    T: Target<O>,
    O: Send + Sync + 'static,
{
    async fn run(&self, times: u64) -> Result<()> {
        // Concurrent runs begin at different places.
        let mut at = self.next.fetch_add(times as usize, Ordering::Relaxed) % self.operations.len();
        for _ in 0..times {
            self.target.call(&self.operations[at]).await?;
            at += 1;
            if at == self.operations.len() {
                at = 0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    struct Recorder(Arc<Mutex<Vec<u8>>>);

    impl Target<u8> for Recorder {
        async fn call(&self, operation: &u8) -> Result<()> {
            self.0.lock().push(*operation);
            Ok(())
        }
    }

    #[tokio::test]
    async fn operations_repeat_in_their_order() {
        let recorded = Arc::default();
        let workload = Repeat::new(Recorder(Arc::clone(&recorded)), Arc::from([1, 2, 3]));
        workload.run(2).await.unwrap();
        workload.run(5).await.unwrap();
        assert_eq!(*recorded.lock(), [1, 2, 3, 1, 2, 3, 1]);
    }
}
