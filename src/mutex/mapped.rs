//! What a holder has in its hands who needs but a part of the data.
//!
//! `guard` states the invariant `LOCKED`.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

use super::{OwnedMutexGuard, RawMutex};

/// The right to use a part of the data of a [`Mutex`](super::Mutex); made by
/// [`MutexGuard::map`](super::MutexGuard::map).
/// Unlocks when it is dropped.
#[must_use = "dropping a guard unlocks the mutex at once"]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    raw: &'a RawMutex,
    data: NonNull<T>,
    _data: PhantomData<&'a mut T>,
}

// SAFETY: LOCKED: the pointer stands for the `&mut T` that it was made from.
unsafe impl<T: ?Sized + Send> Send for MappedMutexGuard<'_, T> {}
// SAFETY: as above; a shared guard gives out `&T`.
unsafe impl<T: ?Sized + Send + Sync> Sync for MappedMutexGuard<'_, T> {}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    /// The caller gives its lock to the guard.
    pub(super) fn new(raw: &'a RawMutex, data: NonNull<T>) -> Self {
        Self {
            raw,
            data,
            _data: PhantomData,
        }
    }

    /// Makes a guard of a part of this part; see [`MutexGuard::map`](super::MutexGuard::map).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{MappedMutexGuard, Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(((1, 2), 3));
    /// let pair = MutexGuard::map(mutex.try_lock().unwrap(), |all| &mut all.0);
    /// let mut second = MappedMutexGuard::map(pair, |pair| &mut pair.1);
    /// *second += 5;
    /// drop(second);
    /// assert_eq!(mutex.into_inner(), ((1, 7), 3));
    /// ```
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        let data = NonNull::from(f(&mut *this));
        MappedMutexGuard::new(ManuallyDrop::new(this).raw, data)
    }

    /// Makes a guard of a part of this part, if there is such a part; see
    /// [`MutexGuard::try_map`](super::MutexGuard::try_map).
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{MappedMutexGuard, Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new((vec![1, 2, 3], "numbers"));
    /// let list = MutexGuard::map(mutex.try_lock().unwrap(), |all| &mut all.0);
    /// let tenth = MappedMutexGuard::try_map(list, |list| list.get_mut(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        match f(&mut *this).map(NonNull::from) {
            Some(data) => Ok(MappedMutexGuard::new(ManuallyDrop::new(this).raw, data)),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for MappedMutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: LOCKED.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedMutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: LOCKED, and `&mut self` shows that nobody uses this guard besides.
        unsafe { self.data.as_mut() }
    }
}

impl<T: ?Sized> Drop for MappedMutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.raw.unlock();
    }
}

/// The right to use a part of the data of a [`Mutex`](super::Mutex), with a share of its ownership; made
/// by [`OwnedMutexGuard::map`]. Unlocks when it is dropped.
#[must_use = "dropping a guard unlocks the mutex at once"]
pub struct OwnedMappedMutexGuard<T: ?Sized, U: ?Sized = T> {
    data: NonNull<U>,
    /// Unlocks.
    guard: OwnedMutexGuard<T>,
    _data: PhantomData<fn(&mut U) -> &mut U>,
}

// SAFETY: LOCKED: the pointer stands for the `&mut U` that it was made from.
unsafe impl<T: ?Sized + Send, U: ?Sized + Send> Send for OwnedMappedMutexGuard<T, U> {}
// SAFETY: as above; a shared guard gives out `&U`.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Send + Sync> Sync for OwnedMappedMutexGuard<T, U> {}

impl<T: ?Sized, U: ?Sized> OwnedMappedMutexGuard<T, U> {
    /// `data` comes from the guard's `&mut`.
    pub(super) fn new(guard: OwnedMutexGuard<T>, data: NonNull<U>) -> Self {
        Self {
            data,
            guard,
            _data: PhantomData,
        }
    }

    /// Makes a guard of a part of this part; see [`MutexGuard::map`](super::MutexGuard::map).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(Mutex::new(((1, 2), 3)));
    /// let pair = OwnedMutexGuard::map(mutex.try_lock_owned().unwrap(), |all| &mut all.0);
    /// let mut second = OwnedMappedMutexGuard::map(pair, |pair| &mut pair.1);
    /// *second += 5;
    /// drop(second);
    /// assert_eq!(*mutex.try_lock().unwrap(), ((1, 7), 3));
    /// ```
    pub fn map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> &mut V,
    ) -> OwnedMappedMutexGuard<T, V> {
        let data = NonNull::from(f(&mut *this));
        OwnedMappedMutexGuard::new(this.guard, data)
    }

    /// Makes a guard of a part of this part, if there is such a part; see
    /// [`MutexGuard::try_map`](super::MutexGuard::try_map).
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(Mutex::new((vec![1, 2, 3], "numbers")));
    /// let list = OwnedMutexGuard::map(mutex.try_lock_owned().unwrap(), |all| &mut all.0);
    /// let tenth = OwnedMappedMutexGuard::try_map(list, |list| list.get_mut(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> Option<&mut V>,
    ) -> Result<OwnedMappedMutexGuard<T, V>, Self> {
        match f(&mut *this).map(NonNull::from) {
            Some(data) => Ok(OwnedMappedMutexGuard::new(this.guard, data)),
            None => Err(this),
        }
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedMappedMutexGuard<T, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: LOCKED.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized, U: ?Sized> DerefMut for OwnedMappedMutexGuard<T, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: LOCKED, and `&mut self` shows that nobody uses this guard besides.
        unsafe { self.data.as_mut() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MappedMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MappedMutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Debug> fmt::Debug for OwnedMappedMutexGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Display> fmt::Display for OwnedMappedMutexGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
