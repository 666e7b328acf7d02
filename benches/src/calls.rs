//! Calls with arguments: what most sides are made of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use async_trait::async_trait;

use crate::pair::Side;

/// Something that is called with arguments of one kind, and checks what comes back.
///
/// This is no [`Side`] of its own because a side's calls are boxed, and a page of a map in memory
/// takes no longer than a few boxes.
pub trait Calls<A>: Send + Sync + 'static {
    /// Calls it.
    fn call(&self, argument: &A) -> impl Future<Output = Result<()>> + Send;
}

impl<C: Calls<A>, A: Sync> Calls<A> for Arc<C> {
    async fn call(&self, argument: &A) -> Result<()> {
        C::call(self, argument).await
    }
}

/// A side that makes calls with the same arguments over and over, in a circle.
///
/// Both sides of a pair share the arguments, so they do the same work in the same order.
#[derive(Debug)]
pub struct Again<C, A> {
    callee: C,
    arguments: Arc<[A]>,
    next: AtomicUsize,
}

impl<C, A> Again<C, A> {
    /// Calls this with these.
    ///
    /// # Panics
    ///
    /// If there are no arguments.
    pub fn new(callee: C, arguments: Arc<[A]>) -> Self {
        assert!(!arguments.is_empty(), "a call needs an argument");
        Self {
            callee,
            arguments,
            next: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl<C, A> Side for Again<C, A>
where
    C: Calls<A>,
    A: Send + Sync + 'static,
{
    async fn run(&self, times: u64) -> Result<()> {
        // Runs at the same time begin at different places.
        let mut at = self.next.fetch_add(times as usize, Ordering::Relaxed) % self.arguments.len();
        for _ in 0..times {
            self.callee.call(&self.arguments[at]).await?;
            at += 1;
            if at == self.arguments.len() {
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

    struct Notes(Arc<Mutex<Vec<u8>>>);

    impl Calls<u8> for Notes {
        async fn call(&self, argument: &u8) -> Result<()> {
            self.0.lock().push(*argument);
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_arguments_come_round() {
        let notes = Arc::default();
        let side = Again::new(Notes(Arc::clone(&notes)), Arc::from([1, 2, 3]));
        side.run(2).await.unwrap();
        side.run(5).await.unwrap();
        assert_eq!(*notes.lock(), [1, 2, 3, 1, 2, 3, 1]);
    }
}
