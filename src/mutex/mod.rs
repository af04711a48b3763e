//! A mutual exclusion lock around data.

mod guard;
mod lock;
mod mapped;
mod raw;

use std::{cell::UnsafeCell, fmt, sync::Arc};

pub(crate) use self::raw::RawMutex;
pub use self::{
    guard::{MutexGuard, OwnedMutexGuard},
    lock::{Lock, LockOwned},
    mapped::{MappedMutexGuard, OwnedMappedMutexGuard},
};
use crate::{sys::sync::const_fn, waiter_queue::block_on};

/// Protects data that tasks and threads share, and lets one at a time at it.
///
/// It may be held across an `.await`; where it never is, a [`std::sync::Mutex`] does as
/// well. There is no poisoning: a panic while it is held unlocks it.
///
/// # Fairness
///
/// Bounded. Whoever asks for a free lock gets it, even if somebody has waited longer:
/// handing it over each time would cost every holder a task switch. But a waiter that has
/// been woken is overtaken at most 64 times before the lock is kept for it; if it comes
/// and finds the lock taken, and has been overtaken three times in all, the next unlock
/// hands it over. Waiters are woken in the order in which they came, so the one in place k
/// gets the lock after at most 65 × k others.
///
/// Between runtimes a wait may be a short one that blocks: on a thread where a task has been woken
/// for this mutex straight from another, a task that finds it locked looks again, for up to 100
/// pauses of the processor (3 us where one takes 30 ns), before it waits. In the second half of
/// that it asks: the next unlock hands the lock to it, however often it has been overtaken. In
/// vain, it waits as others do, and nobody looks there until a task has been woken so once more.
///
/// So a wait is to be polled or dropped, not kept aside: a lock that is kept for a wait that
/// a task does not poll any more is locked for all, also for another wait of the same task.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time; it loses its place and nothing else:
///
/// - dropped before it was first polled: nothing has happened;
/// - dropped while it waits: the others move up;
/// - dropped after it was woken, but before it was polled again: the next is woken, and gets
///   the lock if it had been kept.
///
/// # Examples
///
/// ```
/// use compio_sync::Mutex;
/// use std::sync::Arc;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let tasks: Vec<_> = (0..3)
///     .map(|n| {
///         let log = log.clone();
///         compio_runtime::spawn(async move { log.lock().await.push(n) })
///     })
///     .collect();
/// for task in tasks {
///     task.await.unwrap();
/// }
/// assert_eq!(log.lock().await.len(), 3);
/// # })
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    data: UnsafeCell<T>,
}

// SAFETY: LOCKED: the data is reached by the holder of `raw` alone, or through `&mut self`
// or `self`; so it moves between threads, and is never shared by two.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    const_fn! {
        /// A mutex around `data`, unlocked.
        ///
        /// # Examples
        ///
        /// ```
        /// use compio_sync::Mutex;
        ///
        /// static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
        /// assert!(NAMES.try_lock().unwrap().is_empty());
        /// ```
        #[must_use]
        pub fn new(data: T) -> Self {
            Self { raw: RawMutex::new(), data: UnsafeCell::new(data) }
        }
    }

    /// Takes the mutex apart and returns the data.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(compio_sync::Mutex::new(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, and waits until the lock is free.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// A task that locks a mutex that it holds already waits for ever.
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let count = compio_sync::Mutex::new(1);
    /// *count.lock().await += 1;
    /// assert_eq!(*count.lock().await, 2);
    /// # })
    /// ```
    #[inline]
    pub fn lock(&self) -> Lock<'_, T> {
        Lock::new(self)
    }

    /// Locks if the lock is free. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = compio_sync::Mutex::new(());
    /// let held = mutex.try_lock();
    /// assert!(held.is_some());
    /// assert!(mutex.try_lock().is_none());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.raw.try_lock().then(|| MutexGuard::new(self))
    }

    /// Like [`lock`](Self::lock), with a guard that shares ownership of the mutex.
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
    /// let mutex = Arc::new(compio_sync::Mutex::new(0));
    /// let mut guard = mutex.lock_owned().await;
    /// compio_runtime::spawn(async move { *guard += 1 }).await.unwrap();
    /// assert_eq!(*mutex.lock().await, 1);
    /// # })
    /// ```
    pub fn lock_owned(self: &Arc<Self>) -> LockOwned<T> {
        LockOwned::new(Arc::clone(self))
    }

    /// Like [`try_lock`](Self::try_lock), with a guard that shares ownership of the mutex.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(compio_sync::Mutex::new(()));
    /// let held = mutex.try_lock_owned();
    /// assert!(held.is_some());
    /// assert!(mutex.try_lock_owned().is_none());
    /// ```
    pub fn try_lock_owned(self: &Arc<Self>) -> Option<OwnedMutexGuard<T>> {
        self.raw
            .try_lock()
            .then(|| OwnedMutexGuard::new(Arc::clone(self)))
    }

    /// Locks from a plain thread, which is blocked until the lock is free. It waits in the
    /// same queue as the tasks.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop: use [`lock`](Self::lock)
    /// there.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread};
    ///
    /// let mutex = Arc::new(compio_sync::Mutex::new(0));
    /// thread::spawn({
    ///     let mutex = mutex.clone();
    ///     move || *mutex.blocking_lock() += 1
    /// })
    /// .join()
    /// .unwrap();
    /// assert_eq!(*mutex.blocking_lock(), 1);
    /// ```
    #[track_caller]
    pub fn blocking_lock(&self) -> MutexGuard<'_, T> {
        block_on(self.lock())
    }

    /// Locks from a plain thread, with a guard that shares ownership; see
    /// [`blocking_lock`](Self::blocking_lock).
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
    /// let mutex = Arc::new(compio_sync::Mutex::new(0));
    /// let mut guard = mutex.blocking_lock_owned();
    /// thread::spawn(move || *guard += 1).join().unwrap();
    /// assert_eq!(*mutex.blocking_lock(), 1);
    /// ```
    #[track_caller]
    pub fn blocking_lock_owned(self: &Arc<Self>) -> OwnedMutexGuard<T> {
        block_on(self.lock_owned())
    }

    /// The data, without locking: `&mut self` shows that nobody else is there.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut mutex = compio_sync::Mutex::new(1);
    /// *mutex.get_mut() = 2;
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Whether it is locked now. May be old by the time it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = compio_sync::Mutex::new(());
    /// let held = mutex.try_lock();
    /// assert!(mutex.is_locked());
    /// ```
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// How many wait in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// let mutex = compio_sync::Mutex::new(());
    /// assert_eq!(mutex.waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.raw.waiter_count()
    }

    pub(crate) fn raw(&self) -> &RawMutex {
        &self.raw
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(data: T) -> Self {
        Self::new(data)
    }
}

/// Shows the data if it is not locked, and how many wait.
impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(data) => f.field("data", &&*data),
            None => f.field("data", &format_args!("<locked>")),
        };
        f.field("waiter_count", &self.waiter_count()).finish()
    }
}
