//! What a holder has in its hands, with a share of the ownership of the lock.
//!
//! `guard` states the invariant `HELD`.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    sync::Arc,
};

use super::{
    OwnedMappedRwLockReadGuard, OwnedMappedRwLockWriteGuard, OwnedRwLockUpgradableReadGuard,
    RwLock, raw::Access,
};

/// The lock, held, and a share of its ownership.
pub(super) struct Held<T: ?Sized> {
    pub(super) lock: Arc<RwLock<T>>,
    /// What is to be given back.
    access: Option<Access>,
}

impl<T: ?Sized> Held<T> {
    /// The caller has the lock.
    pub(super) fn new(lock: Arc<RwLock<T>>, access: Access) -> Self {
        Self {
            lock,
            access: Some(access),
        }
    }

    /// Leaves it to the caller to unlock.
    pub(super) fn leave(mut self) -> Arc<RwLock<T>> {
        self.access = None;
        Arc::clone(&self.lock)
    }
}

impl<T: ?Sized> Drop for Held<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(access) = self.access {
            self.lock.raw.release(access);
        }
    }
}

/// The right to read the data of a [`RwLock`], with a share of its ownership; unlocks when
/// it is dropped.
#[must_use = "dropping a guard unlocks at once"]
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    held: Held<T>,
}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// The caller has the lock and gives it to the guard.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            held: Held::new(lock, Access::Read),
        }
    }

    /// The lock that it is the guard of.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.try_read_owned().unwrap();
    /// assert!(Arc::ptr_eq(OwnedRwLockReadGuard::rwlock(&guard), &lock));
    /// ```
    #[must_use]
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.held.lock
    }

    /// Makes a guard of a part of the data; see
    /// [`RwLockReadGuard::map`](super::RwLockReadGuard::map).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new((1, "one")));
    /// let number = OwnedRwLockReadGuard::map(lock.try_read_owned().unwrap(), |pair| &pair.0);
    /// assert_eq!(*number, 1);
    /// ```
    pub fn map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&T) -> &U,
    ) -> OwnedMappedRwLockReadGuard<T, U> {
        let data = NonNull::from(f(&*this));
        OwnedMappedRwLockReadGuard::new(this, data)
    }

    /// Makes a guard of a part of the data, if there is such a part; see
    /// [`RwLockReadGuard::try_map`](super::RwLockReadGuard::try_map).
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(vec![1, 2, 3]));
    /// let guard = lock.try_read_owned().unwrap();
    /// let tenth = OwnedRwLockReadGuard::try_map(guard, |list| list.get(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<OwnedMappedRwLockReadGuard<T, U>, Self> {
        match f(&*this).map(NonNull::from) {
            Some(data) => Ok(OwnedMappedRwLockReadGuard::new(this, data)),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for OwnedRwLockReadGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: HELD.
        unsafe { &*self.held.lock.data.get() }
    }
}

/// The right to use the data of a [`RwLock`], alone, with a share of its ownership; unlocks
/// when it is dropped.
#[must_use = "dropping a guard unlocks at once"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    held: Held<T>,
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// The caller has the lock and gives it to the guard.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            held: Held::new(lock, Access::Write),
        }
    }

    /// The lock that it is the guard of.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockWriteGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.try_write_owned().unwrap();
    /// assert!(Arc::ptr_eq(OwnedRwLockWriteGuard::rwlock(&guard), &lock));
    /// ```
    #[must_use]
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.held.lock
    }

    /// Makes a guard of a part of the data; see
    /// [`RwLockWriteGuard::map`](super::RwLockWriteGuard::map).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockWriteGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new((1, "one")));
    /// let guard = lock.try_write_owned().unwrap();
    /// *OwnedRwLockWriteGuard::map(guard, |pair| &mut pair.0) += 1;
    /// assert_eq!(*lock.try_read().unwrap(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> OwnedMappedRwLockWriteGuard<T, U> {
        let data = NonNull::from(f(&mut *this));
        OwnedMappedRwLockWriteGuard::new(this, data)
    }

    /// Makes a guard of a part of the data, if there is such a part; see
    /// [`RwLockWriteGuard::try_map`](super::RwLockWriteGuard::try_map).
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockWriteGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(vec![1, 2, 3]));
    /// let guard = lock.try_write_owned().unwrap();
    /// let tenth = OwnedRwLockWriteGuard::try_map(guard, |list| list.get_mut(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<OwnedMappedRwLockWriteGuard<T, U>, Self> {
        match f(&mut *this).map(NonNull::from) {
            Some(data) => Ok(OwnedMappedRwLockWriteGuard::new(this, data)),
            None => Err(this),
        }
    }

    /// Becomes a reader, at once; see
    /// [`RwLockWriteGuard::downgrade`](super::RwLockWriteGuard::downgrade).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockWriteGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = OwnedRwLockWriteGuard::downgrade(lock.try_write_owned().unwrap());
    /// assert_eq!(*lock.try_read().unwrap(), *guard);
    /// ```
    pub fn downgrade(this: Self) -> OwnedRwLockReadGuard<T> {
        let lock = this.held.leave();
        lock.raw.downgrade();
        OwnedRwLockReadGuard::new(lock)
    }

    /// Becomes a reader that may upgrade, at once; see
    /// [`RwLockWriteGuard::downgrade_to_upgradable`](super::RwLockWriteGuard::downgrade_to_upgradable).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedRwLockUpgradableReadGuard, OwnedRwLockWriteGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.try_write_owned().unwrap();
    /// let guard = OwnedRwLockWriteGuard::downgrade_to_upgradable(guard);
    /// *OwnedRwLockUpgradableReadGuard::try_upgrade(guard).unwrap() = 2;
    /// assert_eq!(*lock.try_read().unwrap(), 2);
    /// ```
    pub fn downgrade_to_upgradable(this: Self) -> OwnedRwLockUpgradableReadGuard<T> {
        let lock = this.held.leave();
        lock.raw.downgrade_to_upgradable();
        OwnedRwLockUpgradableReadGuard::new(lock)
    }
}

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: HELD.
        unsafe { &*self.held.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: HELD, and `&mut self` shows that nobody uses this guard besides.
        unsafe { &mut *self.held.lock.data.get() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
