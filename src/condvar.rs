//! A condition variable.

mod wait;

use std::{fmt, pin::Pin};

pub use self::wait::{CondvarWait, CondvarWaitWhile};
use crate::{
    mutex::{MutexGuard, RawMutex},
    sys::sync::{AtomicBool, AtomicPtr, Ordering, const_fn, say},
    waiter_queue::{Locked, Waiter, WaiterQueue, block_on},
};

/// How a waiter was notified: its note.
const ONE: usize = 1;
const ALL: usize = 2;

/// Lets tasks and threads wait until data behind a [`Mutex`](crate::Mutex) has changed.
///
/// As [`std::sync::Condvar`], for our [`Mutex`](crate::Mutex) and in `async` code:
/// [`wait`](Self::wait) unlocks the mutex and waits for a notification, as one step, and
/// locks it again. Use it with a condition, which is checked under the lock before and
/// after each wait: [`wait_while`](Self::wait_while) does.
///
/// # Fairness
///
/// Notifications go to waiters in the order in which they began to wait. Who is notified is woken
/// and locks the mutex as anybody else does: at once if it is free; else it waits in the queue of
/// the mutex, where it is overtaken [no more than others](crate::Mutex#fairness).
///
/// [`notify_all`](Self::notify_all) wakes all at once, in that order. The tasks of a runtime run one
/// after another, so they lock the mutex in that order, too, if nobody else uses it; and each finds
/// it free, unless one keeps it across an `.await`.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time. It does not lock the mutex again then:
///
/// - dropped before it was first polled: the guard in it is dropped, which unlocks;
/// - dropped while it waits: it loses its place, and nothing else;
/// - dropped after it was notified, but before it was ready: a
///   [`notify_one`](Self::notify_one) goes to the next waiter, and the mutex likewise, if it
///   was this one's turn.
///
/// A wait that was notified and is leaked ([`std::mem::forget`]) takes with it what it was
/// to hand on: its notification, or the mutex.
///
/// # Examples
///
/// ```
/// use compio_sync::{Condvar, Mutex};
/// use std::sync::Arc;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
/// let consumer = compio_runtime::spawn({
///     let shared = shared.clone();
///     async move {
///         let (queue, filled) = &*shared;
///         let guard = queue.lock().await;
///         filled.wait_while(guard, |queue| queue.is_empty()).await.pop()
///     }
/// });
/// let (queue, filled) = &*shared;
/// queue.lock().await.push("work");
/// filled.notify_one();
/// assert_eq!(consumer.await.unwrap(), Some("work"));
/// # })
/// ```
pub struct Condvar {
    queue: WaiterQueue,
    /// Whether the queue may hold somebody. Set before the waiter unlocks its mutex and
    /// cleared under the queue's lock.
    occupied: AtomicBool,
    /// The mutex of those in the queue, to compare: a wait may be leaked, so nothing
    /// keeps the mutex where it is. Changed under the queue's lock while it is empty.
    mutex: AtomicPtr<RawMutex>,
}

impl Condvar {
    const_fn! {
        /// A condition variable that nobody waits for.
        ///
        /// # Examples
        ///
        /// ```
        /// static FILLED: compio_sync::Condvar = compio_sync::Condvar::new();
        /// FILLED.notify_one(); // nobody waits: nothing happens
        /// ```
        #[must_use]
        pub fn new() -> Self {
            Self {
                queue: WaiterQueue::new(),
                occupied: AtomicBool::new(false),
                mutex: AtomicPtr::new(std::ptr::null_mut()),
            }
        }
    }

    /// Unlocks the mutex, waits until it is notified, and locks the mutex again.
    ///
    /// It is in the queue before it unlocks, so no notification is lost that follows from
    /// the next change of the data. It begins when it is first polled; until then the guard
    /// stays locked.
    ///
    /// It never wakes without a notification. Still check the condition again: another
    /// task may have had the mutex in between.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// The future panics if others wait for this condition variable with another mutex, and
    /// when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// use compio_sync::{Condvar, Mutex};
    /// use std::sync::Arc;
    ///
    /// let shared = Arc::new((Mutex::new(false), Condvar::new()));
    /// let task = compio_runtime::spawn({
    ///     let shared = shared.clone();
    ///     async move {
    ///         let (ready, changed) = &*shared;
    ///         let mut guard = ready.lock().await;
    ///         while !*guard {
    ///             guard = changed.wait(guard).await;
    ///         }
    ///     }
    /// });
    /// let (ready, changed) = &*shared;
    /// *ready.lock().await = true;
    /// changed.notify_one();
    /// task.await.unwrap();
    /// # })
    /// ```
    pub fn wait<'a, T: ?Sized>(&'a self, guard: MutexGuard<'a, T>) -> CondvarWait<'a, T> {
        CondvarWait::new(self, guard)
    }

    /// Waits as long as `condition` is true of the data; not at all if it is false now.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait). If `condition` panics, so does the future; the mutex is
    /// unlocked when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// use compio_sync::{Condvar, Mutex};
    ///
    /// let (queue, filled) = (Mutex::new(vec![1]), Condvar::new());
    /// let guard = queue.lock().await;
    /// let mut guard = filled.wait_while(guard, |queue| queue.is_empty()).await;
    /// assert_eq!(guard.pop(), Some(1));
    /// # })
    /// ```
    pub fn wait_while<'a, T: ?Sized, F>(
        &'a self,
        guard: MutexGuard<'a, T>,
        condition: F,
    ) -> CondvarWaitWhile<'a, T, F>
    where
        F: FnMut(&mut T) -> bool,
    {
        CondvarWaitWhile::new(self.wait(guard), condition)
    }

    /// As [`wait`](Self::wait), from a plain thread, which is blocked meanwhile.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, and as [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{Condvar, Mutex};
    /// use std::thread;
    ///
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         *ready.blocking_lock() = true;
    ///         changed.notify_one();
    ///     });
    ///     let mut guard = ready.blocking_lock();
    ///     while !*guard {
    ///         guard = changed.blocking_wait(guard);
    ///     }
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_wait<'a, T: ?Sized>(&'a self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        block_on(self.wait(guard))
    }

    /// As [`wait_while`](Self::wait_while), from a plain thread, which is blocked meanwhile.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, and as [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{Condvar, Mutex};
    ///
    /// let (queue, filled) = (Mutex::new(vec![1]), Condvar::new());
    /// let mut guard = filled.blocking_wait_while(queue.blocking_lock(), |queue| queue.is_empty());
    /// assert_eq!(guard.pop(), Some(1));
    /// ```
    #[track_caller]
    pub fn blocking_wait_while<'a, T: ?Sized, F>(
        &'a self,
        guard: MutexGuard<'a, T>,
        condition: F,
    ) -> MutexGuard<'a, T>
    where
        F: FnMut(&mut T) -> bool,
    {
        block_on(self.wait_while(guard, condition))
    }

    /// Notifies the one that has waited longest. Nobody waits: nothing happens.
    ///
    /// It is woken at once. Unlocking the mutex first spares it a second wait, for the mutex.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// use compio_sync::{Condvar, Mutex};
    /// use std::sync::Arc;
    ///
    /// let shared = Arc::new((Mutex::new(0), Condvar::new()));
    /// let task = compio_runtime::spawn({
    ///     let shared = shared.clone();
    ///     async move {
    ///         let guard = shared.0.lock().await;
    ///         *shared.1.wait_while(guard, |count| *count == 0).await
    ///     }
    /// });
    /// *shared.0.lock().await = 7;
    /// shared.1.notify_one();
    /// assert_eq!(task.await.unwrap(), 7);
    /// # })
    /// ```
    pub fn notify_one(&self) {
        // Relaxed: who has had the mutex after the waiter is ordered by the mutex, and so sees
        // what `enter` stored, or something later. The queue's lock orders what follows.
        if self.occupied.load(Ordering::Relaxed) {
            let mut queue = self.queue.lock();
            if queue.note_first(ONE) && queue.wake_first() {
                self.vacate(&queue);
            }
        }
    }

    /// Notifies all that wait now. Nobody waits: nothing happens.
    ///
    /// They are woken at once, in the order in which they began to wait, and lock the mutex one
    /// after another. Unlocking the mutex first spares them a second wait, for the mutex.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// use compio_sync::{Condvar, Mutex};
    /// use std::sync::Arc;
    ///
    /// let shared = Arc::new((Mutex::new(false), Condvar::new()));
    /// let tasks: Vec<_> = (0..3)
    ///     .map(|_| {
    ///         let shared = shared.clone();
    ///         compio_runtime::spawn(async move {
    ///             let guard = shared.0.lock().await;
    ///             drop(shared.1.wait_while(guard, |open| !*open).await);
    ///         })
    ///     })
    ///     .collect();
    /// *shared.0.lock().await = true;
    /// shared.1.notify_all();
    /// for task in tasks {
    ///     task.await.unwrap();
    /// }
    /// # })
    /// ```
    pub fn notify_all(&self) {
        // Relaxed: as in `notify_one`.
        if self.occupied.load(Ordering::Relaxed) {
            let mut queue = self.queue.lock();
            queue.wake_all();
            self.vacate(&queue);
        }
    }

    /// Under the lock, after waiters have left.
    fn vacate(&self, queue: &Locked<'_>) {
        if queue.is_empty() {
            // Relaxed: changes under the lock that we hold; see `notify_one`.
            self.occupied.store(false, Ordering::Relaxed);
            say("the condition variable is vacated");
        }
    }

    /// Queues a waiter whose mutex is locked.
    fn enter(&self, waiter: Pin<&mut Waiter>, raw: &RawMutex) {
        let mut queue = self.queue.lock();
        // Relaxed: changes under the lock that we hold.
        if !std::ptr::eq(self.mutex.load(Ordering::Relaxed), raw) {
            assert!(
                queue.is_empty(),
                "a condition variable is waited for with two mutexes at a time"
            );
            self.mutex
                .store(std::ptr::from_ref(raw).cast_mut(), Ordering::Relaxed);
        }
        queue.push_back(waiter, ALL);
        // Relaxed: seen by `notify_one` and `notify_all`, since the mutex is unlocked after this.
        self.occupied.store(true, Ordering::Relaxed);
    }

    /// Takes a waiter out again. False if it has been woken.
    fn leave(&self, waiter: Pin<&mut Waiter>) -> bool {
        let mut queue = self.queue.lock();
        let left = queue.remove(waiter).is_some();
        if left {
            self.vacate(&queue);
        }
        left
    }

    /// How many wait for a notification. Those that wait for the mutex after it are in the
    /// [count of the mutex](crate::Mutex::waiter_count).
    ///
    /// # Examples
    ///
    /// ```
    /// let condvar = compio_sync::Condvar::new();
    /// assert_eq!(condvar.waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar")
            .field("waiter_count", &self.waiter_count())
            .finish()
    }
}
