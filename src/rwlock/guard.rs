//! What a holder has in its hands.
//!
//! Invariant `HELD`: a guard exists only while its holder has the lock of its kind, and one
//! for each time it was taken; a step from one kind to another uses the guard up. So while a
//! write guard exists no other does, and nobody else reaches the data; while others exist
//! nobody changes it. The pointer of a mapped guard, which came from its holder's reference,
//! stays good until the guard is dropped.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, RwLock, RwLockUpgradableReadGuard, raw::Access,
};

/// The right to read the data of a [`RwLock`]; unlocks when it is dropped.
#[must_use = "dropping a guard unlocks at once"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// The caller has the lock and gives it to the guard.
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self { lock }
    }

    /// The lock that it is the guard of.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.try_read().unwrap();
    /// assert!(RwLockReadGuard::rwlock(&guard).is_locked());
    /// ```
    #[must_use]
    pub fn rwlock(this: &Self) -> &'a RwLock<T> {
        this.lock
    }

    /// Makes a guard of a part of the data.
    ///
    /// An associated function, so that it does not hide a method of the data.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(lock.try_read().unwrap(), |pair| pair.1);
    /// assert_eq!(&*name, "one");
    /// assert!(lock.try_write().is_none());
    /// ```
    pub fn map<U: ?Sized>(this: Self, f: impl FnOnce(&T) -> &U) -> MappedRwLockReadGuard<'a, U> {
        let data = NonNull::from(f(&*this));
        MappedRwLockReadGuard::new(&ManuallyDrop::new(this).lock.raw, data)
    }

    /// Makes a guard of a part of the data, if there is such a part.
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new(vec![1, 2, 3]);
    /// let first = RwLockReadGuard::try_map(lock.try_read().unwrap(), |list| list.first());
    /// assert_eq!(*first.unwrap(), 1);
    /// let tenth = RwLockReadGuard::try_map(lock.try_read().unwrap(), |list| list.get(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<MappedRwLockReadGuard<'a, U>, Self> {
        match f(&*this).map(NonNull::from) {
            Some(data) => Ok(MappedRwLockReadGuard::new(
                &ManuallyDrop::new(this).lock.raw,
                data,
            )),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: HELD.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.release(Access::Read);
    }
}

/// The right to use the data of a [`RwLock`], alone; unlocks when it is dropped.
#[must_use = "dropping a guard unlocks at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    /// It gives out `&mut T`, so it is as invariant in `T` and as shareable as that.
    _data: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// The caller has the lock and gives it to the guard.
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            lock,
            _data: PhantomData,
        }
    }

    /// The lock that it is the guard of.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = lock.try_write().unwrap();
    /// assert!(RwLockWriteGuard::rwlock(&guard).is_locked());
    /// ```
    #[must_use]
    pub fn rwlock(this: &Self) -> &'a RwLock<T> {
        this.lock
    }

    /// Makes a guard of a part of the data.
    ///
    /// An associated function, so that it does not hide a method of the data.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new((1, "one"));
    /// let mut number = RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.0);
    /// *number += 1;
    /// drop(number);
    /// assert_eq!(lock.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedRwLockWriteGuard<'a, U> {
        let data = NonNull::from(f(&mut *this));
        MappedRwLockWriteGuard::new(&ManuallyDrop::new(this).lock.raw, data)
    }

    /// Makes a guard of a part of the data, if there is such a part.
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(vec![1, 2, 3]);
    /// let tenth = RwLockWriteGuard::try_map(lock.try_write().unwrap(), |list| list.get_mut(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, Self> {
        match f(&mut *this).map(NonNull::from) {
            Some(data) => Ok(MappedRwLockWriteGuard::new(
                &ManuallyDrop::new(this).lock.raw,
                data,
            )),
            None => Err(this),
        }
    }

    /// Becomes a reader, at once: no writer gets in between. The readers that stand first in
    /// the queue are let in.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut guard = lock.try_write().unwrap();
    /// *guard += 1;
    /// let guard = RwLockWriteGuard::downgrade(guard);
    /// assert_eq!(*lock.try_read().unwrap(), *guard);
    /// ```
    pub fn downgrade(this: Self) -> RwLockReadGuard<'a, T> {
        let lock = ManuallyDrop::new(this).lock;
        lock.raw.downgrade();
        RwLockReadGuard::new(lock)
    }

    /// Becomes a reader that may upgrade, at once: no writer gets in between. The readers
    /// that stand first in the queue are let in.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let guard = RwLockWriteGuard::downgrade_to_upgradable(lock.try_write().unwrap());
    /// assert_eq!(*lock.try_read().unwrap(), 1);
    /// *RwLockUpgradableReadGuard::try_upgrade(guard).unwrap() = 2;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn downgrade_to_upgradable(this: Self) -> RwLockUpgradableReadGuard<'a, T> {
        let lock = ManuallyDrop::new(this).lock;
        lock.raw.downgrade_to_upgradable();
        RwLockUpgradableReadGuard::new(lock)
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: HELD.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: HELD, and `&mut self` shows that nobody uses this guard besides.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.release(Access::Write);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
