//! A counting semaphore.

mod acquire;
mod permit;

use std::{fmt, sync::Arc};

pub use self::{
    acquire::{Acquire, AcquireOwned},
    permit::{OwnedSemaphorePermit, SemaphorePermit},
};
use crate::{
    permits::{self, Permits},
    sys::sync::const_fn,
    waiter_queue::block_on,
};

/// Limits how many may do something at the same time, strictly first come, first
/// served.
///
/// A semaphore holds a number of permits. [`acquire`](Self::acquire) takes one, or
/// waits until one is there; dropping the permit gives it back. It may be shared by
/// tasks of one runtime, of many runtimes, and by plain threads: all wait in the same
/// queue.
///
/// # Fairness
///
/// Permits go to those who wait in the order in which they were first polled, also
/// when a permit is free for a moment: nobody overtakes, [`try_acquire`](Self::try_acquire)
/// neither. The first in the queue collects permits as they are given back, so a request
/// for many is not starved by requests for few.
///
/// So a wait that is first is to be polled or dropped, not kept aside: a task that waits for
/// the semaphore again while it keeps such a wait waits for itself, and for ever.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time, for example by a timeout; it loses its place
/// and nothing else:
///
/// - dropped before it was first polled: nothing has happened;
/// - dropped while it waits: the permits that it has collected go to the next;
/// - dropped after it was granted its permits, but before it was polled again: the
///   permits go to the next.
///
/// # Closing
///
/// There is no `close`. To end what waits, wait for that as well: race the
/// [`acquire`](Self::acquire) against an [`Event`](crate::Event) that says that it is over.
/// To refuse from now on, [`forget_permits`](Self::forget_permits) takes what is free, and
/// holders [`forget`](SemaphorePermit::forget) theirs.
///
/// # Examples
///
/// At most three at a time:
///
/// ```
/// use compio_sync::Semaphore;
/// use std::sync::Arc;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let slots = Arc::new(Semaphore::new(3));
/// let tasks: Vec<_> = (0..10)
///     .map(|n| {
///         let slots = slots.clone();
///         compio_runtime::spawn(async move {
///             let _slot = slots.acquire().await;
///             n * n
///         })
///     })
///     .collect();
/// for (n, task) in tasks.into_iter().enumerate() {
///     assert_eq!(task.await.unwrap(), n * n);
/// }
/// assert_eq!(slots.available_permits(), 3);
/// # })
/// ```
///
/// With a time limit, which any timer can give:
///
/// ```
/// use compio_sync::Semaphore;
/// use std::time::Duration;
///
/// # compio::runtime::Runtime::new().unwrap().block_on(async {
/// let slots = Semaphore::new(0);
/// let late = compio::time::timeout(Duration::from_millis(5), slots.acquire()).await;
/// assert!(late.is_err());
/// assert_eq!(slots.waiter_count(), 0);
/// # })
/// ```
pub struct Semaphore {
    permits: Permits,
}

impl Semaphore {
    /// The most permits that a semaphore can hold: `usize::MAX >> 3`.
    pub const MAX_PERMITS: usize = permits::MAX;

    const_fn! {
        /// A semaphore with `permits` permits; none is fine.
        ///
        /// # Panics
        ///
        /// If that is more than [`MAX_PERMITS`](Self::MAX_PERMITS); in a constant, at
        /// compile time.
        ///
        /// # Examples
        ///
        /// ```
        /// static CONNECTIONS: compio_sync::Semaphore = compio_sync::Semaphore::new(100);
        /// assert_eq!(CONNECTIONS.available_permits(), 100);
        /// ```
        #[must_use]
        pub fn new(permits: usize) -> Self {
            assert!(
                permits <= permits::MAX,
                "a semaphore cannot hold more than Semaphore::MAX_PERMITS permits"
            );
            Self { permits: Permits::new(permits) }
        }
    }

    /// Takes a permit, and waits until there is one.
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
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let semaphore = compio_sync::Semaphore::new(1);
    /// let permit = semaphore.acquire().await;
    /// assert_eq!(semaphore.available_permits(), 0);
    /// drop(permit);
    /// assert_eq!(semaphore.available_permits(), 1);
    /// # })
    /// ```
    #[inline]
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire::new(self, 1)
    }

    /// Takes `n` permits at once, and waits until it has them.
    ///
    /// While it is first in the queue it collects permits as they come. `n` may be 0,
    /// which never waits. More permits than there will ever be at once are waited for
    /// for ever, and so does everybody behind.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// If `n` is more than [`MAX_PERMITS`](Self::MAX_PERMITS). The future panics when it is
    /// polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let megabytes = compio_sync::Semaphore::new(512);
    /// let large = megabytes.acquire_many(400).await;
    /// assert_eq!(megabytes.available_permits(), 112);
    /// # drop(large);
    /// # })
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, n: usize) -> Acquire<'_> {
        Acquire::new(self, n)
    }

    /// Takes a permit if one is free and nobody waits. Never waits itself.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = compio_sync::Semaphore::new(1);
    /// let permit = semaphore.try_acquire();
    /// assert!(permit.is_some());
    /// assert!(semaphore.try_acquire().is_none());
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits at once if they are free and nobody waits. Never waits itself.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = compio_sync::Semaphore::new(3);
    /// assert!(semaphore.try_acquire_many(4).is_none());
    /// assert_eq!(semaphore.try_acquire_many(2).unwrap().num_permits(), 2);
    /// ```
    #[inline]
    pub fn try_acquire_many(&self, n: usize) -> Option<SemaphorePermit<'_>> {
        // More than there can be are never free.
        self.permits
            .try_acquire(n)
            .then(|| SemaphorePermit::new(self, n))
    }

    /// Like [`acquire`](Self::acquire), with a permit that shares ownership of the
    /// semaphore, for a task of its own.
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
    /// let semaphore = Arc::new(compio_sync::Semaphore::new(1));
    /// let permit = semaphore.acquire_owned().await;
    /// let task = compio_runtime::spawn(async move {
    ///     let _while_this_runs = permit;
    /// });
    /// task.await.unwrap();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// # })
    /// ```
    #[inline]
    pub fn acquire_owned(self: &Arc<Self>) -> AcquireOwned {
        AcquireOwned::new(Arc::clone(self), 1)
    }

    /// Like [`acquire_many`](Self::acquire_many), with permits that share ownership of the
    /// semaphore.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// As [`acquire_many`](Self::acquire_many).
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// use std::sync::Arc;
    ///
    /// let megabytes = Arc::new(compio_sync::Semaphore::new(512));
    /// let mut large = megabytes.acquire_many_owned(400).await;
    /// let task = compio_runtime::spawn(async move { large.split(100).map(drop) });
    /// assert!(task.await.unwrap().is_some());
    /// assert_eq!(megabytes.available_permits(), 512);
    /// # })
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire_many_owned(self: &Arc<Self>, n: usize) -> AcquireOwned {
        AcquireOwned::new(Arc::clone(self), n)
    }

    /// Like [`try_acquire`](Self::try_acquire), with a permit that shares ownership of the
    /// semaphore.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let semaphore = Arc::new(compio_sync::Semaphore::new(1));
    /// let permit = semaphore.try_acquire_owned();
    /// assert!(permit.is_some());
    /// assert!(semaphore.try_acquire_owned().is_none());
    /// ```
    #[inline]
    pub fn try_acquire_owned(self: &Arc<Self>) -> Option<OwnedSemaphorePermit> {
        self.try_acquire_many_owned(1)
    }

    /// Like [`try_acquire_many`](Self::try_acquire_many), with permits that share ownership
    /// of the semaphore.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let semaphore = Arc::new(compio_sync::Semaphore::new(3));
    /// assert!(semaphore.try_acquire_many_owned(4).is_none());
    /// assert_eq!(semaphore.try_acquire_many_owned(2).unwrap().num_permits(), 2);
    /// ```
    #[inline]
    pub fn try_acquire_many_owned(self: &Arc<Self>, n: usize) -> Option<OwnedSemaphorePermit> {
        self.permits
            .try_acquire(n)
            .then(|| OwnedSemaphorePermit::new(Arc::clone(self), n))
    }

    /// Takes a permit from a plain thread, which is blocked until there is one. It
    /// waits in the same queue as the tasks.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop: use
    /// [`acquire`](Self::acquire) there.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread};
    ///
    /// let semaphore = Arc::new(compio_sync::Semaphore::new(0));
    /// let waiting = thread::spawn({
    ///     let semaphore = semaphore.clone();
    ///     move || semaphore.blocking_acquire().forget()
    /// });
    /// semaphore.add_permits(1);
    /// waiting.join().unwrap();
    /// ```
    #[track_caller]
    pub fn blocking_acquire(&self) -> SemaphorePermit<'_> {
        block_on(self.acquire())
    }

    /// Takes `n` permits from a plain thread; see
    /// [`blocking_acquire`](Self::blocking_acquire).
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, and if `n` is more than
    /// [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = compio_sync::Semaphore::new(3);
    /// assert_eq!(semaphore.blocking_acquire_many(2).num_permits(), 2);
    /// ```
    #[track_caller]
    pub fn blocking_acquire_many(&self, n: usize) -> SemaphorePermit<'_> {
        block_on(self.acquire_many(n))
    }

    /// Takes a permit that shares ownership from a plain thread; see
    /// [`blocking_acquire`](Self::blocking_acquire).
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
    /// let semaphore = Arc::new(compio_sync::Semaphore::new(1));
    /// let permit = semaphore.blocking_acquire_owned();
    /// thread::spawn(move || drop(permit)).join().unwrap();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    #[track_caller]
    pub fn blocking_acquire_owned(self: &Arc<Self>) -> OwnedSemaphorePermit {
        block_on(self.acquire_owned())
    }

    /// Takes `n` permits that share ownership from a plain thread; see
    /// [`blocking_acquire`](Self::blocking_acquire).
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, and if `n` is more than
    /// [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let semaphore = Arc::new(compio_sync::Semaphore::new(3));
    /// assert_eq!(semaphore.blocking_acquire_many_owned(2).num_permits(), 2);
    /// ```
    #[track_caller]
    pub fn blocking_acquire_many_owned(self: &Arc<Self>, n: usize) -> OwnedSemaphorePermit {
        block_on(self.acquire_many_owned(n))
    }

    /// How many permits are free. May be old by the time it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = compio_sync::Semaphore::new(2);
    /// let _permit = semaphore.try_acquire();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.permits.available()
    }

    /// How many wait in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = compio_sync::Semaphore::new(1);
    /// assert_eq!(semaphore.waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.permits.waiter_count()
    }

    /// Makes `n` new permits, which go to those who wait, if any.
    ///
    /// # Panics
    ///
    /// If more than [`MAX_PERMITS`](Self::MAX_PERMITS) would be free; then nothing has
    /// changed.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = compio_sync::Semaphore::new(1);
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available_permits(), 3);
    /// ```
    #[track_caller]
    pub fn add_permits(&self, n: usize) {
        if self.permits.add(n).is_err() {
            panic!("a semaphore cannot hold more than Semaphore::MAX_PERMITS permits");
        }
    }

    /// Takes up to `n` free permits out of use for good, and returns how many: with
    /// [`add_permits`](Self::add_permits), a limit that follows the load.
    ///
    /// Permits that somebody holds are not free, and while somebody waits none is: to lower
    /// the limit by the rest, [`forget`](SemaphorePermit::forget) permits as they are done
    /// with.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = compio_sync::Semaphore::new(5);
    /// assert_eq!(semaphore.forget_permits(2), 2);
    /// assert_eq!(semaphore.forget_permits(10), 3);
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    pub fn forget_permits(&self, n: usize) -> usize {
        self.permits.forget(n)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available_permits", &self.available_permits())
            .field("waiter_count", &self.waiter_count())
            .finish()
    }
}
