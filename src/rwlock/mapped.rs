//! What a holder has in its hands who needs but a part of the data.
//!
//! `guard` states the invariant `HELD`.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::raw::{Access, RawRwLock};

/// The right to read a part of the data of a [`RwLock`](super::RwLock); made by
/// [`RwLockReadGuard::map`](super::RwLockReadGuard::map). Unlocks when it is dropped.
#[must_use = "dropping a guard unlocks at once"]
pub struct MappedRwLockReadGuard<'a, T: ?Sized> {
    raw: &'a RawRwLock,
    data: NonNull<T>,
    _data: PhantomData<&'a T>,
}

// SAFETY: HELD: the pointer stands for the `&T` that it was made from.
unsafe impl<T: ?Sized + Sync> Send for MappedRwLockReadGuard<'_, T> {}
// SAFETY: as above; a shared guard gives out `&T`.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> MappedRwLockReadGuard<'a, T> {
    /// The caller gives its lock to the guard.
    pub(super) fn new(raw: &'a RawRwLock, data: NonNull<T>) -> Self {
        Self {
            raw,
            data,
            _data: PhantomData,
        }
    }

    /// Makes a guard of a part of this part; see [`RwLockReadGuard::map`](super::RwLockReadGuard::map).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new(((1, 2), 3));
    /// let pair = RwLockReadGuard::map(lock.try_read().unwrap(), |all| &all.0);
    /// let second = MappedRwLockReadGuard::map(pair, |pair| &pair.1);
    /// assert_eq!(*second, 2);
    /// ```
    pub fn map<U: ?Sized>(this: Self, f: impl FnOnce(&T) -> &U) -> MappedRwLockReadGuard<'a, U> {
        let data = NonNull::from(f(&*this));
        MappedRwLockReadGuard::new(ManuallyDrop::new(this).raw, data)
    }

    /// Makes a guard of a part of this part, if there is such a part; see
    /// [`RwLockReadGuard::try_map`](super::RwLockReadGuard::try_map).
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new((vec![1, 2, 3], "numbers"));
    /// let list = RwLockReadGuard::map(lock.try_read().unwrap(), |all| &all.0);
    /// let tenth = MappedRwLockReadGuard::try_map(list, |list| list.get(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<MappedRwLockReadGuard<'a, U>, Self> {
        match f(&*this).map(NonNull::from) {
            Some(data) => Ok(MappedRwLockReadGuard::new(
                ManuallyDrop::new(this).raw,
                data,
            )),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for MappedRwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: HELD.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> Drop for MappedRwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.raw.release(Access::Read);
    }
}

/// The right to use a part of the data of a [`RwLock`](super::RwLock); made by
/// [`RwLockWriteGuard::map`](super::RwLockWriteGuard::map). Unlocks when it is dropped.
#[must_use = "dropping a guard unlocks at once"]
pub struct MappedRwLockWriteGuard<'a, T: ?Sized> {
    raw: &'a RawRwLock,
    data: NonNull<T>,
    _data: PhantomData<&'a mut T>,
}

// SAFETY: HELD: the pointer stands for the `&mut T` that it was made from.
unsafe impl<T: ?Sized + Send + Sync> Send for MappedRwLockWriteGuard<'_, T> {}
// SAFETY: as above; a shared guard gives out `&T`.
unsafe impl<T: ?Sized + Send + Sync> Sync for MappedRwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> MappedRwLockWriteGuard<'a, T> {
    /// The caller gives its lock to the guard.
    pub(super) fn new(raw: &'a RawRwLock, data: NonNull<T>) -> Self {
        Self {
            raw,
            data,
            _data: PhantomData,
        }
    }

    /// Makes a guard of a part of this part; see [`RwLockWriteGuard::map`](super::RwLockWriteGuard::map).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(((1, 2), 3));
    /// let pair = RwLockWriteGuard::map(lock.try_write().unwrap(), |all| &mut all.0);
    /// *MappedRwLockWriteGuard::map(pair, |pair| &mut pair.1) += 5;
    /// assert_eq!(*lock.try_read().unwrap(), ((1, 7), 3));
    /// ```
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedRwLockWriteGuard<'a, U> {
        let data = NonNull::from(f(&mut *this));
        MappedRwLockWriteGuard::new(ManuallyDrop::new(this).raw, data)
    }

    /// Makes a guard of a part of this part, if there is such a part; see
    /// [`RwLockWriteGuard::try_map`](super::RwLockWriteGuard::try_map).
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new((vec![1, 2, 3], "numbers"));
    /// let list = RwLockWriteGuard::map(lock.try_write().unwrap(), |all| &mut all.0);
    /// let tenth = MappedRwLockWriteGuard::try_map(list, |list| list.get_mut(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, Self> {
        match f(&mut *this).map(NonNull::from) {
            Some(data) => Ok(MappedRwLockWriteGuard::new(
                ManuallyDrop::new(this).raw,
                data,
            )),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for MappedRwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: HELD.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedRwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: HELD, and `&mut self` shows that nobody uses this guard besides.
        unsafe { self.data.as_mut() }
    }
}

impl<T: ?Sized> Drop for MappedRwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.raw.release(Access::Write);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MappedRwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MappedRwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MappedRwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MappedRwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
