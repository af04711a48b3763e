//! A condition variable.

mod wait;

use std::{fmt, pin::Pin};

pub use self::wait::{CondvarWait, CondvarWaitWhile};
use crate::{
    mutex::{MutexGuard, RawMutex},
    sys::sync::{AtomicBool, AtomicPtr, Ordering, const_fn},
    waiter_queue::{Locked, Waiter, WaiterQueue, block_on},
};

/// The levels of the queues that a waiter goes through before that of the mutex.
const WAITING: u8 = 0;
const CALLED: u8 = 1;

/// How a waiter was notified: its note.
const ONE: usize = 1;
const ALL: usize = 2;
/// As `ALL`, and it is woken, to lead the others to the mutex.
const LEAD: usize = 3;

/// How many waiters are moved under one lock.
#[cfg(not(loom))]
const CHUNK: usize = 128;
/// Small, so that models see more than one.
#[cfg(loom)]
const CHUNK: usize = 1;

/// Lets tasks and threads wait until data behind a [`Mutex`](crate::Mutex) has changed.
///
/// As [`std::sync::Condvar`], for our [`Mutex`](crate::Mutex) and in `async` code:
/// [`wait`](Self::wait) unlocks the mutex and waits for a notification, as one step, and
/// locks it again. Use it with a condition, which is checked under the lock before and
/// after each wait: [`wait_while`](Self::wait_while) does.
///
/// # Fairness
///
/// Notifications go to waiters in the order in which they began to wait.
/// [`notify_all`](Self::notify_all) of a thousand waiters does not wake them all to fight
/// for the mutex: it wakes the first, which leads the others into the queue of the mutex,
/// where each is woken when it is its turn.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time. It does not lock the mutex again then:
///
/// - dropped before it was first polled: the guard in it is dropped, which unlocks;
/// - dropped while it waits: it loses its place, and nothing else;
/// - dropped after it was notified, but before it was ready: a
///   [`notify_one`](Self::notify_one) goes to the next waiter, and the mutex likewise.
///
/// A wait that was notified and is leaked ([`std::mem::forget`]) takes with it what it was
/// to hand on: its notification, or the turn of those that it would have led.
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
    /// Those that wait for a notification.
    waiting: WaiterQueue,
    /// Those that `notify_all` has notified, until one of them leads them to their mutex.
    /// Locked after `waiting`, before a mutex's queue.
    called: WaiterQueue,
    /// Whether `waiting` may hold somebody. Set before the waiter unlocks its mutex and
    /// cleared under that queue's lock.
    occupied: AtomicBool,
    /// The mutex of those in the two queues, to compare: a wait may be leaked, so nothing
    /// keeps the mutex where it is. Changed while both are locked and empty.
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
                waiting: WaiterQueue::at(WAITING),
                called: WaiterQueue::at(CALLED),
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
    ///         changed.notify_all();
    ///     });
    ///     let guard = changed.blocking_wait_while(ready.blocking_lock(), |ready| !*ready);
    ///     assert!(*guard);
    /// });
    /// ```
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
            let mut waiting = self.waiting.lock();
            if waiting.note_first(ONE) && waiting.wake_first() {
                self.vacate(&waiting);
            }
        }
    }

    /// Notifies all that wait now.
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
        if !self.occupied.load(Ordering::Relaxed) {
            return;
        }
        let mut most = self.waiting.lock().new_round();
        while self.call(&mut most) {}
        // After all are called, so that none is without a leader: whoever is called is
        // behind one that was woken to lead, or will be by its notifier.
        let mut called = self.called.lock();
        if called.note_first(LEAD) {
            called.wake_first();
        }
    }

    /// Calls some of those that waited when the last round began, at most so many. Returns whether
    /// there may be more.
    fn call(&self, most: &mut usize) -> bool {
        let mut waiting = self.waiting.lock();
        let mut called = self.called.lock();
        let more = (0..CHUNK).all(|_| {
            let is_next = *most > 0 && waiting.first_is_old();
            *most -= usize::from(is_next);
            is_next && waiting.note_first(ALL) && waiting.move_first(&mut called)
        });
        self.vacate(&waiting);
        more
    }

    /// By a waiter, which lends its mutex: moves those that are called into the queue of
    /// the mutex, if it is theirs, too.
    fn lead(&self, raw: &RawMutex) {
        loop {
            let mut called = self.called.lock();
            // Relaxed: changes under the lock that we hold. Theirs is another mutex only if
            // those that we were to lead have all gone.
            if called.is_empty() || !std::ptr::eq(self.mutex.load(Ordering::Relaxed), raw) {
                return;
            }
            let mut to = raw.queue().lock();
            let more = (0..CHUNK).all(|_| called.move_first(&mut to));
            raw.adopt(&mut to);
            let wakeups = to.unlock_quietly();
            drop(called);
            drop(wakeups);
            if !more {
                return;
            }
        }
    }

    /// Under the lock, after waiters have left.
    fn vacate(&self, waiting: &Locked<'_>) {
        if waiting.is_empty() {
            // Relaxed: changes under the lock that we hold; see `notify_one`.
            self.occupied.store(false, Ordering::Relaxed);
        }
    }

    /// Queues a waiter whose mutex is locked.
    fn enter(&self, waiter: Pin<&mut Waiter>, raw: &RawMutex) {
        let mut waiting = self.waiting.lock();
        // Relaxed: changes under the lock that we hold.
        if !std::ptr::eq(self.mutex.load(Ordering::Relaxed), raw) {
            let called = self.called.lock();
            assert!(
                waiting.is_empty() && called.is_empty(),
                "a condition variable is waited for with two mutexes at a time"
            );
            self.mutex
                .store(std::ptr::from_ref(raw).cast_mut(), Ordering::Relaxed);
        }
        waiting.push_back(waiter, 0);
        // Relaxed: seen by `notify_one` and `notify_all`, since the mutex is unlocked after this.
        self.occupied.store(true, Ordering::Relaxed);
    }

    /// Takes a waiter out again. False if it has been woken or led to the mutex.
    fn leave(&self, mut waiter: Pin<&mut Waiter>) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.remove(waiter.as_mut()).is_some() {
            self.vacate(&waiting);
            return true;
        }
        drop(waiting);
        // It never moves back, so it is there by now if it ever is.
        self.called.lock().remove(waiter).is_some()
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
        self.waiting.waiter_count()
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
