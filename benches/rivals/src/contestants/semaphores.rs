//! Semaphores. That of synchrony is for threads, so it has none here.

use super::Semaphore;

impl Semaphore for compio_sync::Semaphore {
    type Permit<'a> = compio_sync::SemaphorePermit<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> {
        self.acquire()
    }
    fn try_acquire(&self) -> Option<Self::Permit<'_>> {
        self.try_acquire()
    }
    fn add(&self) {
        self.add_permits(1);
    }
    fn forget(permit: Self::Permit<'_>) {
        permit.forget();
    }
}

impl Semaphore for tokio::sync::Semaphore {
    type Permit<'a> = Result<tokio::sync::SemaphorePermit<'a>, tokio::sync::AcquireError>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> {
        self.acquire()
    }
    fn try_acquire(&self) -> Option<Self::Permit<'_>> {
        self.try_acquire().ok().map(Ok)
    }
    fn add(&self) {
        self.add_permits(1);
    }
    fn forget(permit: Self::Permit<'_>) {
        permit.expect("it is never closed").forget();
    }
}

impl Semaphore for async_lock::Semaphore {
    type Permit<'a> = async_lock::SemaphoreGuard<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> {
        self.acquire()
    }
    fn try_acquire(&self) -> Option<Self::Permit<'_>> {
        self.try_acquire()
    }
    fn add(&self) {
        self.add_permits(1);
    }
    fn forget(permit: Self::Permit<'_>) {
        permit.forget();
    }
}

impl Semaphore for asyncband::semaphore::Semaphore {
    type Permit<'a> = asyncband::semaphore::SemaphorePermit<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> {
        self.acquire(1)
    }
    fn try_acquire(&self) -> Option<Self::Permit<'_>> {
        self.try_acquire(1)
    }
    fn add(&self) {
        self.release(1);
    }
    fn forget(permit: Self::Permit<'_>) {
        permit.forget();
    }
}

/// saa has no guards.
pub(crate) struct SaaPermit<'a>(&'a saa::Semaphore);

impl Drop for SaaPermit<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Semaphore for saa::Semaphore {
    type Permit<'a> = SaaPermit<'a>;

    fn new(permits: usize) -> Self {
        Self::with_permits(permits)
    }
    async fn acquire(&self) -> Self::Permit<'_> {
        self.acquire_async().await;
        SaaPermit(self)
    }
    fn try_acquire(&self) -> Option<Self::Permit<'_>> {
        self.try_acquire().then_some(SaaPermit(self))
    }
    fn add(&self) {
        self.release();
    }
    fn forget(permit: Self::Permit<'_>) {
        std::mem::forget(permit);
    }
}

impl Semaphore for futures_intrusive::sync::Semaphore {
    type Permit<'a> = futures_intrusive::sync::SemaphoreReleaser<'a>;

    fn new(permits: usize) -> Self {
        Self::new(true, permits)
    }
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> {
        self.acquire(1)
    }
    fn try_acquire(&self) -> Option<Self::Permit<'_>> {
        self.try_acquire(1)
    }
    fn add(&self) {
        self.release(1);
    }
    fn forget(mut permit: Self::Permit<'_>) {
        permit.disarm();
    }
}

impl Semaphore for maitake_sync::Semaphore {
    type Permit<'a> = Result<maitake_sync::semaphore::Permit<'a>, maitake_sync::Closed>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>> {
        self.acquire(1)
    }
    fn try_acquire(&self) -> Option<Self::Permit<'_>> {
        self.try_acquire(1).ok().map(Ok)
    }
    fn add(&self) {
        self.add_permits(1);
    }
    fn forget(permit: Self::Permit<'_>) {
        permit.expect("it is never closed").forget();
    }
}
