//! What a reader has in its hands who may become the writer, with a share of the ownership of
//! the lock.
//!
//! `guard` states the invariant `HELD`.

use std::{fmt, ops::Deref, sync::Arc};

use super::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockUpgradeOwned, owned::Held,
    raw::Access,
};
use crate::waiter_queue::block_on;

/// The right to read the data of a [`RwLock`], and to become its writer, with a share of its
/// ownership; unlocks when it is dropped.
///
/// There is one at a time, beside any number of readers.
#[must_use = "dropping a guard unlocks at once"]
pub struct OwnedRwLockUpgradableReadGuard<T: ?Sized> {
    held: Held<T>,
}

impl<T: ?Sized> OwnedRwLockUpgradableReadGuard<T> {
    /// The caller has the lock and gives it to the guard.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            held: Held::new(lock, Access::Upgradable),
        }
    }

    /// The lock that it is the guard of.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockUpgradableReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.try_upgradable_read_owned().unwrap();
    /// assert!(Arc::ptr_eq(OwnedRwLockUpgradableReadGuard::rwlock(&guard), &lock));
    /// ```
    #[must_use]
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.held.lock
    }

    /// Waits until the other readers have gone, and becomes the writer; see
    /// [`RwLockUpgradableReadGuard::upgrade`](super::RwLockUpgradableReadGuard::upgrade), also
    /// for what a drop of the future does.
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockUpgradableReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.upgradable_read_owned().await;
    /// *OwnedRwLockUpgradableReadGuard::upgrade(guard).await += 1;
    /// assert_eq!(*lock.read().await, 2);
    /// # })
    /// ```
    pub fn upgrade(this: Self) -> RwLockUpgradeOwned<T> {
        RwLockUpgradeOwned::new(this.held.leave())
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
    /// use compio_sync::{OwnedRwLockUpgradableReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.try_upgradable_read_owned().unwrap();
    /// let reader = lock.try_read();
    /// let guard = OwnedRwLockUpgradableReadGuard::try_upgrade(guard).unwrap_err();
    /// drop(reader);
    /// assert!(OwnedRwLockUpgradableReadGuard::try_upgrade(guard).is_ok());
    /// ```
    pub fn try_upgrade(this: Self) -> Result<OwnedRwLockWriteGuard<T>, Self> {
        if this.held.lock.raw.try_upgrade() {
            Ok(OwnedRwLockWriteGuard::new(this.held.leave()))
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
    /// use compio_sync::{OwnedRwLockUpgradableReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.blocking_upgradable_read_owned();
    /// *OwnedRwLockUpgradableReadGuard::blocking_upgrade(guard) += 1;
    /// assert_eq!(*lock.try_read().unwrap(), 2);
    /// ```
    #[track_caller]
    pub fn blocking_upgrade(this: Self) -> OwnedRwLockWriteGuard<T> {
        block_on(Self::upgrade(this))
    }

    /// Becomes a reader like others, at once. Who waits to read with the right to upgrade
    /// may be let in then.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockUpgradableReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.try_upgradable_read_owned().unwrap();
    /// let guard = OwnedRwLockUpgradableReadGuard::downgrade(guard);
    /// assert!(lock.try_upgradable_read().is_some());
    /// # drop(guard);
    /// ```
    pub fn downgrade(this: Self) -> OwnedRwLockReadGuard<T> {
        let lock = this.held.leave();
        lock.raw.downgrade_upgradable();
        OwnedRwLockReadGuard::new(lock)
    }
}

impl<T: ?Sized> Deref for OwnedRwLockUpgradableReadGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: HELD.
        unsafe { &*self.held.lock.data.get() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockUpgradableReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockUpgradableReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
