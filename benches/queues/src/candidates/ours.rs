//! This crate's, through its public door: a lock around a list through the futures, and a permit
//! that is handed to the first.

use super::Semaphore;

impl Semaphore for compio_sync::Semaphore {
    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    async fn acquire(&self) {
        self.acquire().await.forget();
    }

    fn add(&self, n: usize) {
        self.add_permits(n);
    }
}
