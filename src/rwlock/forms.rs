//! The forms of asking besides the plain ones: with a share of the ownership, and from plain
//! threads.

use std::sync::Arc;

use super::{
    OwnedRwLockReadGuard, OwnedRwLockUpgradableReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockReadGuard, RwLockReadOwned, RwLockUpgradableReadGuard, RwLockUpgradableReadOwned,
    RwLockWriteGuard, RwLockWriteOwned, raw::Access,
};
use crate::waiter_queue::block_on;

impl<T: ?Sized> RwLock<T> {
    /// Like [`read`](Self::read), with a guard that shares ownership of the lock.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let lock = Arc::new(compio_sync::RwLock::new(0));
    /// let guard = lock.read_owned().await;
    /// compio_runtime::spawn(async move { assert_eq!(*guard, 0) }).await.unwrap();
    /// assert_eq!(*lock.read().await, 0);
    /// # })
    /// ```
    pub fn read_owned(self: &Arc<Self>) -> RwLockReadOwned<T> {
        RwLockReadOwned::new(Arc::clone(self))
    }

    /// Like [`try_read`](Self::try_read), with a guard that shares ownership of the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(compio_sync::RwLock::new(()));
    /// let held = lock.try_read_owned();
    /// assert!(held.is_some());
    /// assert!(lock.try_write_owned().is_none());
    /// ```
    #[inline]
    pub fn try_read_owned(self: &Arc<Self>) -> Option<OwnedRwLockReadGuard<T>> {
        self.raw
            .try_acquire(Access::Read)
            .then(|| OwnedRwLockReadGuard::new(Arc::clone(self)))
    }

    /// Locks to read from a plain thread, which is blocked until then. It waits in the same queue
    /// as the tasks.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop: use [`read`](Self::read) there.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread};
    ///
    /// let lock = Arc::new(compio_sync::RwLock::new(0));
    /// thread::spawn({
    ///     let lock = lock.clone();
    ///     move || assert_eq!(*lock.blocking_read(), 0)
    /// })
    /// .join()
    /// .unwrap();
    /// assert_eq!(*lock.blocking_read(), 0);
    /// ```
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        block_on(self.read())
    }

    /// Locks to read from a plain thread, with a guard that shares ownership of the lock; see
    /// [`blocking_read`](Self::blocking_read).
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread};
    ///
    /// let lock = Arc::new(compio_sync::RwLock::new(0));
    /// let guard = lock.blocking_read_owned();
    /// thread::spawn(move || assert_eq!(*guard, 0)).join().unwrap();
    /// assert_eq!(*lock.blocking_read(), 0);
    /// ```
    #[track_caller]
    pub fn blocking_read_owned(self: &Arc<Self>) -> OwnedRwLockReadGuard<T> {
        block_on(self.read_owned())
    }

    /// Like [`write`](Self::write), with a guard that shares ownership of the lock.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let lock = Arc::new(compio_sync::RwLock::new(0));
    /// let mut guard = lock.write_owned().await;
    /// compio_runtime::spawn(async move { *guard += 1 }).await.unwrap();
    /// assert_eq!(*lock.read().await, 1);
    /// # })
    /// ```
    pub fn write_owned(self: &Arc<Self>) -> RwLockWriteOwned<T> {
        RwLockWriteOwned::new(Arc::clone(self))
    }

    /// Like [`try_write`](Self::try_write), with a guard that shares ownership of the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(compio_sync::RwLock::new(()));
    /// let held = lock.try_write_owned();
    /// assert!(held.is_some());
    /// assert!(lock.try_write_owned().is_none());
    /// ```
    #[inline]
    pub fn try_write_owned(self: &Arc<Self>) -> Option<OwnedRwLockWriteGuard<T>> {
        self.raw
            .try_acquire(Access::Write)
            .then(|| OwnedRwLockWriteGuard::new(Arc::clone(self)))
    }

    /// Locks to write from a plain thread, which is blocked until then. It waits in the same queue
    /// as the tasks.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop: use [`write`](Self::write) there.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread};
    ///
    /// let lock = Arc::new(compio_sync::RwLock::new(0));
    /// thread::spawn({
    ///     let lock = lock.clone();
    ///     move || *lock.blocking_write() += 1
    /// })
    /// .join()
    /// .unwrap();
    /// assert_eq!(*lock.blocking_read(), 1);
    /// ```
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        block_on(self.write())
    }

    /// Locks to write from a plain thread, with a guard that shares ownership of the lock; see
    /// [`blocking_write`](Self::blocking_write).
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread};
    ///
    /// let lock = Arc::new(compio_sync::RwLock::new(0));
    /// let mut guard = lock.blocking_write_owned();
    /// thread::spawn(move || *guard += 1).join().unwrap();
    /// assert_eq!(*lock.blocking_read(), 1);
    /// ```
    #[track_caller]
    pub fn blocking_write_owned(self: &Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        block_on(self.write_owned())
    }

    /// Like [`upgradable_read`](Self::upgradable_read), with a guard that shares ownership of the lock.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let lock = Arc::new(compio_sync::RwLock::new(0));
    /// let guard = lock.upgradable_read_owned().await;
    /// compio_runtime::spawn(async move { assert_eq!(*guard, 0) }).await.unwrap();
    /// assert_eq!(*lock.read().await, 0);
    /// # })
    /// ```
    pub fn upgradable_read_owned(self: &Arc<Self>) -> RwLockUpgradableReadOwned<T> {
        RwLockUpgradableReadOwned::new(Arc::clone(self))
    }

    /// Like [`try_upgradable_read`](Self::try_upgradable_read), with a guard that shares ownership of the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(compio_sync::RwLock::new(()));
    /// let held = lock.try_upgradable_read_owned();
    /// assert!(held.is_some());
    /// assert!(lock.try_write_owned().is_none());
    /// ```
    #[inline]
    pub fn try_upgradable_read_owned(
        self: &Arc<Self>,
    ) -> Option<OwnedRwLockUpgradableReadGuard<T>> {
        self.raw
            .try_acquire(Access::Upgradable)
            .then(|| OwnedRwLockUpgradableReadGuard::new(Arc::clone(self)))
    }

    /// Locks to read with the right to upgrade from a plain thread, which is blocked until then. It waits in the same queue
    /// as the tasks.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop: use [`upgradable_read`](Self::upgradable_read) there.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread};
    ///
    /// let lock = Arc::new(compio_sync::RwLock::new(0));
    /// thread::spawn({
    ///     let lock = lock.clone();
    ///     move || assert_eq!(*lock.blocking_upgradable_read(), 0)
    /// })
    /// .join()
    /// .unwrap();
    /// assert_eq!(*lock.blocking_read(), 0);
    /// ```
    #[track_caller]
    pub fn blocking_upgradable_read(&self) -> RwLockUpgradableReadGuard<'_, T> {
        block_on(self.upgradable_read())
    }

    /// Locks to read with the right to upgrade from a plain thread, with a guard that shares ownership of the lock; see
    /// [`blocking_upgradable_read`](Self::blocking_upgradable_read).
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread};
    ///
    /// let lock = Arc::new(compio_sync::RwLock::new(0));
    /// let guard = lock.blocking_upgradable_read_owned();
    /// thread::spawn(move || assert_eq!(*guard, 0)).join().unwrap();
    /// assert_eq!(*lock.blocking_read(), 0);
    /// ```
    #[track_caller]
    pub fn blocking_upgradable_read_owned(self: &Arc<Self>) -> OwnedRwLockUpgradableReadGuard<T> {
        block_on(self.upgradable_read_owned())
    }
}
