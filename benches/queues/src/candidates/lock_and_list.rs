//! `parking_lot`'s lock around a list through the futures, as futures-intrusive has it: what
//! this crate's queue is without the delivery to other runtimes.

use futures_intrusive::sync::Semaphore as LockAndList;

use super::Semaphore;

impl Semaphore for LockAndList {
    fn new(permits: usize) -> Self {
        Self::new(true, permits)
    }

    async fn acquire(&self) {
        self.acquire(1).await.disarm();
    }

    fn add(&self, n: usize) {
        self.release(n);
    }
}
