//! What a reader has in its hands who may become the writer.
//!
//! `guard` states the invariant `HELD`.

use std::{fmt, mem::ManuallyDrop, ops::Deref};

use super::{RwLock, RwLockReadGuard, RwLockUpgrade, RwLockWriteGuard, raw::Access};
use crate::waiter_queue::block_on;

/// The right to read the data of a [`RwLock`], and to become its writer; unlocks when it is
/// dropped.
///
/// There is one at a time, beside any number of readers. So two that would upgrade never wait
/// for each other.
#[must_use = "dropping a guard unlocks at once"]
pub struct RwLockUpgradableReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
}

impl<'a, T: ?Sized> RwLockUpgradableReadGuard<'a, T> {
    /// The caller has the lock and gives it to the guard.
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self { lock }
    }

    /// The lock that it is the guard of.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.try_upgradable_read().unwrap();
    /// assert!(RwLockUpgradableReadGuard::rwlock(&guard).is_locked());
    /// ```
    #[must_use]
    pub fn rwlock(this: &Self) -> &'a RwLock<T> {
        this.lock
    }

    /// Waits until the other readers have gone, and becomes the writer. Nobody writes in
    /// between: what was read holds.
    ///
    /// It goes before all that wait; readers that come meanwhile wait behind it.
    ///
    /// # Cancel safety
    ///
    /// The future has the upgradable lock, and gives it up when it is dropped: before it was
    /// first polled and while it waits, as the guard would; after it was given the write lock
    /// but before it was polled again, it unlocks that. Whoever it kept out is let in. To keep
    /// reading, ask with [`try_upgrade`](Self::try_upgrade), which gives the guard back.
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let names = RwLock::new(vec!["one"]);
    /// let guard = names.upgradable_read().await;
    /// if !guard.contains(&"two") {
    ///     RwLockUpgradableReadGuard::upgrade(guard).await.push("two");
    /// }
    /// assert_eq!(names.read().await.len(), 2);
    /// # })
    /// ```
    pub fn upgrade(this: Self) -> RwLockUpgrade<'a, T> {
        RwLockUpgrade::new(ManuallyDrop::new(this).lock)
    }

    /// Becomes the writer, if there are no other readers. Never waits.
    ///
    /// # Errors
    ///
    /// The guard itself, if others read.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.try_upgradable_read().unwrap();
    /// let reader = lock.try_read();
    /// let guard = RwLockUpgradableReadGuard::try_upgrade(guard).unwrap_err();
    /// drop(reader);
    /// *RwLockUpgradableReadGuard::try_upgrade(guard).unwrap() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn try_upgrade(this: Self) -> Result<RwLockWriteGuard<'a, T>, Self> {
        if this.lock.raw.try_upgrade() {
            Ok(RwLockWriteGuard::new(ManuallyDrop::new(this).lock))
        } else {
            Err(this)
        }
    }

    /// Like [`upgrade`](Self::upgrade), from a plain thread, which is blocked until the other
    /// readers have gone.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime; the lock is given up then.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.blocking_upgradable_read();
    /// *RwLockUpgradableReadGuard::blocking_upgrade(guard) += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    #[track_caller]
    pub fn blocking_upgrade(this: Self) -> RwLockWriteGuard<'a, T> {
        block_on(Self::upgrade(this))
    }

    /// Becomes a reader like others, at once. Who waits to read with the right to upgrade
    /// may be let in then.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.try_upgradable_read().unwrap();
    /// assert!(lock.try_upgradable_read().is_none());
    /// let guard = RwLockUpgradableReadGuard::downgrade(guard);
    /// assert!(lock.try_upgradable_read().is_some());
    /// # drop(guard);
    /// ```
    pub fn downgrade(this: Self) -> RwLockReadGuard<'a, T> {
        let lock = ManuallyDrop::new(this).lock;
        lock.raw.downgrade_upgradable();
        RwLockReadGuard::new(lock)
    }
}

impl<T: ?Sized> Deref for RwLockUpgradableReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: HELD.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for RwLockUpgradableReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.release(Access::Upgradable);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockUpgradableReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockUpgradableReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
