//! Mutexes around a number.

use super::Mutex;

impl Mutex for compio_sync::Mutex<u64> {
    type Guard<'a> = compio_sync::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> {
        self.lock()
    }
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }
}

impl Mutex for tokio::sync::Mutex<u64> {
    type Guard<'a> = tokio::sync::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> {
        self.lock()
    }
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock().ok()
    }
}

impl Mutex for async_lock::Mutex<u64> {
    type Guard<'a> = async_lock::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> {
        self.lock()
    }
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }
}

impl Mutex for asyncband::mutex::Mutex<u64> {
    type Guard<'a> = asyncband::mutex::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> {
        self.lock()
    }
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }
}

/// saa has no guards, and its lock no data.
pub(crate) struct SaaGuard<'a>(&'a saa::Lock);

impl Drop for SaaGuard<'_> {
    fn drop(&mut self) {
        self.0.release_lock();
    }
}

impl Mutex for saa::Lock {
    type Guard<'a> = SaaGuard<'a>;

    fn new() -> Self {
        Self::new()
    }
    async fn lock(&self) -> Self::Guard<'_> {
        self.lock_async().await;
        SaaGuard(self)
    }
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock().ok().map(|()| SaaGuard(self))
    }
}

impl Mutex for futures_intrusive::sync::Mutex<u64> {
    type Guard<'a> = futures_intrusive::sync::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0, true)
    }
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> {
        self.lock()
    }
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }
}

impl Mutex for maitake_sync::Mutex<u64> {
    type Guard<'a> = maitake_sync::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> {
        self.lock()
    }
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }
}

impl Mutex for synchrony::sync::mutex::Mutex<u64> {
    type Guard<'a> = synchrony::sync::mutex::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> {
        self.lock()
    }
    fn try_lock(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }
}
