//! Read-write locks around a number.

use super::{Cells, cell};

pub(crate) trait RwLock: 'static {
    type Read<'a>;
    type Write<'a>;

    fn new() -> Self;
    fn read(&self) -> impl Future<Output = Self::Read<'_>>;
    fn write(&self) -> impl Future<Output = Self::Write<'_>>;
    fn try_read(&self) -> Option<Self::Read<'_>>;
}

/// Work that any read-write lock can do.
pub(crate) trait RwLockWork: Copy + 'static {
    fn run<L: RwLock + Send + Sync>(self, n: u64) -> Vec<f64>;

    fn cells(self) -> Cells {
        let all = vec![
            cell(move |n| self.run::<compio_sync::RwLock<u64>>(n)),
            cell(move |n| self.run::<tokio::sync::RwLock<u64>>(n)),
            cell(move |n| self.run::<async_lock::RwLock<u64>>(n)),
            cell(move |n| self.run::<asyncband::rwlock::RwLock<u64>>(n)),
            cell(move |n| self.run::<saa::Lock>(n)),
            None,
            cell(move |n| self.run::<maitake_sync::RwLock<u64>>(n)),
            None,
        ];
        Cells {
            all,
            unfair: &["async-lock"],
        }
    }
}

impl RwLock for compio_sync::RwLock<u64> {
    type Read<'a> = compio_sync::RwLockReadGuard<'a, u64>;
    type Write<'a> = compio_sync::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn read(&self) -> impl Future<Output = Self::Read<'_>> {
        self.read()
    }
    fn write(&self) -> impl Future<Output = Self::Write<'_>> {
        self.write()
    }
    fn try_read(&self) -> Option<Self::Read<'_>> {
        self.try_read()
    }
}

impl RwLock for tokio::sync::RwLock<u64> {
    type Read<'a> = tokio::sync::RwLockReadGuard<'a, u64>;
    type Write<'a> = tokio::sync::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn read(&self) -> impl Future<Output = Self::Read<'_>> {
        self.read()
    }
    fn write(&self) -> impl Future<Output = Self::Write<'_>> {
        self.write()
    }
    fn try_read(&self) -> Option<Self::Read<'_>> {
        self.try_read().ok()
    }
}

impl RwLock for async_lock::RwLock<u64> {
    type Read<'a> = async_lock::RwLockReadGuard<'a, u64>;
    type Write<'a> = async_lock::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn read(&self) -> impl Future<Output = Self::Read<'_>> {
        self.read()
    }
    fn write(&self) -> impl Future<Output = Self::Write<'_>> {
        self.write()
    }
    fn try_read(&self) -> Option<Self::Read<'_>> {
        self.try_read()
    }
}

impl RwLock for asyncband::rwlock::RwLock<u64> {
    type Read<'a> = asyncband::rwlock::RwLockReadGuard<'a, u64>;
    type Write<'a> = asyncband::rwlock::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn read(&self) -> impl Future<Output = Self::Read<'_>> {
        self.read()
    }
    fn write(&self) -> impl Future<Output = Self::Write<'_>> {
        self.write()
    }
    fn try_read(&self) -> Option<Self::Read<'_>> {
        self.try_read()
    }
}

/// saa has no guards, and its lock no data.
pub(crate) struct SaaRead<'a>(&'a saa::Lock);

impl Drop for SaaRead<'_> {
    fn drop(&mut self) {
        self.0.release_share();
    }
}

pub(crate) struct SaaWrite<'a>(&'a saa::Lock);

impl Drop for SaaWrite<'_> {
    fn drop(&mut self) {
        self.0.release_lock();
    }
}

impl RwLock for saa::Lock {
    type Read<'a> = SaaRead<'a>;
    type Write<'a> = SaaWrite<'a>;

    fn new() -> Self {
        Self::new()
    }
    async fn read(&self) -> Self::Read<'_> {
        self.share_async().await;
        SaaRead(self)
    }
    async fn write(&self) -> Self::Write<'_> {
        self.lock_async().await;
        SaaWrite(self)
    }
    fn try_read(&self) -> Option<Self::Read<'_>> {
        self.try_share().ok().map(|()| SaaRead(self))
    }
}

impl RwLock for maitake_sync::RwLock<u64> {
    type Read<'a> = maitake_sync::RwLockReadGuard<'a, u64>;
    type Write<'a> = maitake_sync::RwLockWriteGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }
    fn read(&self) -> impl Future<Output = Self::Read<'_>> {
        self.read()
    }
    fn write(&self) -> impl Future<Output = Self::Write<'_>> {
        self.write()
    }
    fn try_read(&self) -> Option<Self::Read<'_>> {
        self.try_read()
    }
}
