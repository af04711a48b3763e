//! What a holder has in its hands who needs but a part of the data, with a share of the
//! ownership of the lock.
//!
//! `guard` states the invariant `HELD`.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

/// The right to read a part of the data of a [`RwLock`](super::RwLock), with a share of its ownership;
/// made by [`OwnedRwLockReadGuard::map`]. Unlocks when it is dropped.
#[must_use = "dropping a guard unlocks at once"]
pub struct OwnedMappedRwLockReadGuard<T: ?Sized, U: ?Sized = T> {
    data: NonNull<U>,
    /// Unlocks.
    guard: OwnedRwLockReadGuard<T>,
    _data: PhantomData<fn() -> *const U>,
}

// SAFETY: HELD: the pointer stands for the `&U` that it was made from.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Sync> Send for OwnedMappedRwLockReadGuard<T, U> {}
// SAFETY: as above; a shared guard gives out `&U`.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Sync> Sync for OwnedMappedRwLockReadGuard<T, U> {}

impl<T: ?Sized, U: ?Sized> OwnedMappedRwLockReadGuard<T, U> {
    /// `data` comes from the guard's reference.
    pub(super) fn new(guard: OwnedRwLockReadGuard<T>, data: NonNull<U>) -> Self {
        Self {
            data,
            guard,
            _data: PhantomData,
        }
    }

    /// Makes a guard of a part of this part; see [`OwnedRwLockReadGuard::map`].
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedMappedRwLockReadGuard, OwnedRwLockReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(((1, 2), 3)));
    /// let pair = OwnedRwLockReadGuard::map(lock.try_read_owned().unwrap(), |all| &all.0);
    /// let second = OwnedMappedRwLockReadGuard::map(pair, |pair| &pair.1);
    /// assert_eq!(*second, 2);
    /// ```
    pub fn map<V: ?Sized>(
        this: Self,
        f: impl FnOnce(&U) -> &V,
    ) -> OwnedMappedRwLockReadGuard<T, V> {
        let data = NonNull::from(f(&*this));
        OwnedMappedRwLockReadGuard::new(this.guard, data)
    }

    /// Makes a guard of a part of this part, if there is such a part; see
    /// [`OwnedRwLockReadGuard::try_map`].
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedMappedRwLockReadGuard, OwnedRwLockReadGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new((vec![1, 2, 3], "numbers")));
    /// let list = OwnedRwLockReadGuard::map(lock.try_read_owned().unwrap(), |all| &all.0);
    /// let tenth = OwnedMappedRwLockReadGuard::try_map(list, |list| list.get(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<V: ?Sized>(
        this: Self,
        f: impl FnOnce(&U) -> Option<&V>,
    ) -> Result<OwnedMappedRwLockReadGuard<T, V>, Self> {
        match f(&*this).map(NonNull::from) {
            Some(data) => Ok(OwnedMappedRwLockReadGuard::new(this.guard, data)),
            None => Err(this),
        }
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedMappedRwLockReadGuard<T, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: HELD.
        unsafe { self.data.as_ref() }
    }
}

/// The right to use a part of the data of a [`RwLock`](super::RwLock), with a share of its ownership;
/// made by [`OwnedRwLockWriteGuard::map`]. Unlocks when it is dropped.
#[must_use = "dropping a guard unlocks at once"]
pub struct OwnedMappedRwLockWriteGuard<T: ?Sized, U: ?Sized = T> {
    data: NonNull<U>,
    /// Unlocks.
    guard: OwnedRwLockWriteGuard<T>,
    _data: PhantomData<fn(&mut U) -> &mut U>,
}

// SAFETY: HELD: the pointer stands for the `&mut U` that it was made from.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Send + Sync> Send
    for OwnedMappedRwLockWriteGuard<T, U>
{
}
// SAFETY: as above; a shared guard gives out `&U`.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Send + Sync> Sync
    for OwnedMappedRwLockWriteGuard<T, U>
{
}

impl<T: ?Sized, U: ?Sized> OwnedMappedRwLockWriteGuard<T, U> {
    /// `data` comes from the guard's reference.
    pub(super) fn new(guard: OwnedRwLockWriteGuard<T>, data: NonNull<U>) -> Self {
        Self {
            data,
            guard,
            _data: PhantomData,
        }
    }

    /// Makes a guard of a part of this part; see [`OwnedRwLockWriteGuard::map`].
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedMappedRwLockWriteGuard, OwnedRwLockWriteGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new(((1, 2), 3)));
    /// let pair = OwnedRwLockWriteGuard::map(lock.try_write_owned().unwrap(), |all| &mut all.0);
    /// *OwnedMappedRwLockWriteGuard::map(pair, |pair| &mut pair.1) += 5;
    /// assert_eq!(*lock.try_read().unwrap(), ((1, 7), 3));
    /// ```
    pub fn map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> &mut V,
    ) -> OwnedMappedRwLockWriteGuard<T, V> {
        let data = NonNull::from(f(&mut *this));
        OwnedMappedRwLockWriteGuard::new(this.guard, data)
    }

    /// Makes a guard of a part of this part, if there is such a part; see
    /// [`OwnedRwLockWriteGuard::try_map`].
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OwnedMappedRwLockWriteGuard, OwnedRwLockWriteGuard, RwLock};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(RwLock::new((vec![1, 2, 3], "numbers")));
    /// let list = OwnedRwLockWriteGuard::map(lock.try_write_owned().unwrap(), |all| &mut all.0);
    /// let tenth = OwnedMappedRwLockWriteGuard::try_map(list, |list| list.get_mut(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> Option<&mut V>,
    ) -> Result<OwnedMappedRwLockWriteGuard<T, V>, Self> {
        match f(&mut *this).map(NonNull::from) {
            Some(data) => Ok(OwnedMappedRwLockWriteGuard::new(this.guard, data)),
            None => Err(this),
        }
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedMappedRwLockWriteGuard<T, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: HELD.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized, U: ?Sized> DerefMut for OwnedMappedRwLockWriteGuard<T, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: HELD, and `&mut self` shows that nobody uses this guard besides.
        unsafe { self.data.as_mut() }
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Debug> fmt::Debug for OwnedMappedRwLockReadGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Display> fmt::Display for OwnedMappedRwLockReadGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Debug> fmt::Debug for OwnedMappedRwLockWriteGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Display> fmt::Display for OwnedMappedRwLockWriteGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
