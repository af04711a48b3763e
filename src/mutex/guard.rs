//! What a holder has in its hands.
//!
//! Invariant `LOCKED`: a guard exists only while its holder has the lock of its mutex,
//! and one for each time it was taken. So its data is reached by nobody else, and the
//! pointer of a mapped guard, which came from the holder's `&mut`, stays good until the
//! guard is dropped.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    sync::Arc,
};

use super::{Mutex, RawMutex};

/// The right to use the data of a [`Mutex`]; unlocks when it is dropped.
#[must_use = "dropping a guard unlocks the mutex at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// It gives out `&mut T`, so it is as invariant in `T` and as shareable as that.
    _data: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The caller has the lock and gives it to the guard.
    pub(crate) fn new(mutex: &'a Mutex<T>) -> Self {
        Self {
            mutex,
            _data: PhantomData,
        }
    }

    /// The mutex that it is the guard of.
    #[must_use]
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.mutex
    }

    /// Makes a guard of a part of the data.
    ///
    /// An associated function, so that it does not hide a method of the data.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new((1, "one"));
    /// let mut number = MutexGuard::map(mutex.try_lock().unwrap(), |pair| &mut pair.0);
    /// *number += 1;
    /// drop(number);
    /// assert_eq!(mutex.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        let data = NonNull::from(f(&mut *this));
        MappedMutexGuard::new(&ManuallyDrop::new(this).mutex.raw, data)
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
    /// use compio_sync::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(vec![1, 2, 3]);
    /// let first = MutexGuard::try_map(mutex.try_lock().unwrap(), |list| list.first_mut());
    /// assert_eq!(*first.unwrap(), 1);
    /// let tenth = MutexGuard::try_map(mutex.try_lock().unwrap(), |list| list.get_mut(10));
    /// assert_eq!(tenth.unwrap_err().len(), 3);
    /// ```
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        match f(&mut *this).map(NonNull::from) {
            Some(data) => Ok(MappedMutexGuard::new(
                &ManuallyDrop::new(this).mutex.raw,
                data,
            )),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: LOCKED.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: LOCKED, and `&mut self` shows that nobody uses this guard besides.
        unsafe { &mut *self.mutex.data.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock();
    }
}

/// The right to use the data of a [`Mutex`], with a share of its ownership; unlocks when
/// it is dropped.
#[must_use = "dropping a guard unlocks the mutex at once"]
pub struct OwnedMutexGuard<T: ?Sized> {
    mutex: Arc<Mutex<T>>,
    /// It gives out `&T`, so sharing it takes a `T` that may be shared.
    _data: PhantomData<T>,
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// The caller has the lock and gives it to the guard.
    pub(crate) fn new(mutex: Arc<Mutex<T>>) -> Self {
        Self {
            mutex,
            _data: PhantomData,
        }
    }

    /// The mutex that it is the guard of.
    #[must_use]
    pub fn mutex(this: &Self) -> &Arc<Mutex<T>> {
        &this.mutex
    }

    /// Makes a guard of a part of the data; see [`MutexGuard::map`].
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> OwnedMappedMutexGuard<T, U> {
        let data = NonNull::from(f(&mut *this));
        OwnedMappedMutexGuard {
            data,
            guard: this,
            _data: PhantomData,
        }
    }

    /// Makes a guard of a part of the data, if there is such a part; see
    /// [`MutexGuard::try_map`].
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<OwnedMappedMutexGuard<T, U>, Self> {
        match f(&mut *this).map(NonNull::from) {
            Some(data) => Ok(OwnedMappedMutexGuard {
                data,
                guard: this,
                _data: PhantomData,
            }),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: LOCKED.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: LOCKED, and `&mut self` shows that nobody uses this guard besides.
        unsafe { &mut *self.mutex.data.get() }
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.unlock();
    }
}

/// The right to use a part of the data of a [`Mutex`]; made by [`MutexGuard::map`].
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
    fn new(raw: &'a RawMutex, data: NonNull<T>) -> Self {
        Self {
            raw,
            data,
            _data: PhantomData,
        }
    }

    /// Makes a guard of a part of this part; see [`MutexGuard::map`].
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        let data = NonNull::from(f(&mut *this));
        MappedMutexGuard::new(ManuallyDrop::new(this).raw, data)
    }

    /// Makes a guard of a part of this part, if there is such a part; see
    /// [`MutexGuard::try_map`].
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
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

/// The right to use a part of the data of a [`Mutex`], with a share of its ownership; made
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
    /// Makes a guard of a part of this part; see [`MutexGuard::map`].
    pub fn map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> &mut V,
    ) -> OwnedMappedMutexGuard<T, V> {
        let data = NonNull::from(f(&mut *this));
        OwnedMappedMutexGuard {
            data,
            guard: this.guard,
            _data: PhantomData,
        }
    }

    /// Makes a guard of a part of this part, if there is such a part; see
    /// [`MutexGuard::try_map`].
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returns `None`.
    pub fn try_map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> Option<&mut V>,
    ) -> Result<OwnedMappedMutexGuard<T, V>, Self> {
        match f(&mut *this).map(NonNull::from) {
            Some(data) => Ok(OwnedMappedMutexGuard {
                data,
                guard: this.guard,
                _data: PhantomData,
            }),
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

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
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
