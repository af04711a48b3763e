//! A condition variable.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    mutex::{Mutex, MutexGuard, RawMutex},
    sys::sync::{AtomicBool, AtomicPtr, Ordering, const_fn},
    waiter_queue::{Locked, Phase, Place, Waiter, WaiterQueue, block_on},
};

/// How a waiter was notified; its note once it has left the condition variable.
const ONE: usize = 1;
const ALL: usize = 2;

/// How many waiters are moved under one lock.
#[cfg(not(loom))]
const CHUNK: usize = 128;
/// Small, so that models see more than one.
#[cfg(loom)]
const CHUNK: usize = 1;

/// Lets tasks and threads wait until data behind a [`Mutex`] has changed.
///
/// As [`std::sync::Condvar`], for our [`Mutex`] and in `async` code:
/// [`wait`](Self::wait) unlocks the mutex and waits for a notification, as one step, and
/// locks it again. Use it with a condition, which is checked under the lock before and
/// after each wait: [`wait_while`](Self::wait_while) does.
///
/// # Fairness
///
/// Notifications go to waiters in the order in which they began to wait. A notified waiter
/// is not woken to fight for the mutex: it is moved into the queue of the mutex, and woken
/// when it is its turn there. So [`notify_all`](Self::notify_all) of a thousand waiters
/// wakes one at a time, not all at once.
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
    /// The mutex of those in the queue. Changed under the queue's lock.
    mutex: AtomicPtr<RawMutex>,
}

impl Condvar {
    const_fn! {
        /// A condition variable that nobody waits for.
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
    pub fn wait<'a, T: ?Sized>(&'a self, guard: MutexGuard<'a, T>) -> CondvarWait<'a, T> {
        CondvarWait {
            condvar: self,
            mutex: MutexGuard::mutex(&guard),
            guard: Some(guard),
            done: false,
            waiter: Waiter::new(),
        }
    }

    /// Waits as long as `condition` is true of the data; not at all if it is false now.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait). If `condition` panics, so does the future; the mutex is
    /// unlocked when it is dropped.
    pub fn wait_while<'a, T: ?Sized, F>(
        &'a self,
        guard: MutexGuard<'a, T>,
        condition: F,
    ) -> CondvarWaitWhile<'a, T, F>
    where
        F: FnMut(&mut T) -> bool,
    {
        CondvarWaitWhile {
            condition,
            wait: self.wait(guard),
        }
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
    #[track_caller]
    pub fn blocking_wait<'a, T: ?Sized>(&'a self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        block_on(self.wait(guard))
    }

    /// As [`wait_while`](Self::wait_while), from a plain thread, which is blocked meanwhile.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, and as [`wait`](Self::wait).
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
    /// Whether the mutex is locked meanwhile makes no difference to correctness, and hardly
    /// any to cost.
    pub fn notify_one(&self) {
        // Acquire: pairs with the release in `enter`. Who notifies after having had the
        // mutex after the waiter is sure to see it.
        if self.occupied.load(Ordering::Acquire) {
            self.requeue(ONE, 1, |_| true);
        }
    }

    /// Notifies all that wait now.
    pub fn notify_all(&self) {
        // Acquire: as in `notify_one`.
        if !self.occupied.load(Ordering::Acquire) {
            return;
        }
        let round = self.queue.lock().new_round();
        while self.requeue(ALL, CHUNK, |queue| queue.first_is_before(round)) {}
    }

    /// Moves up to `most` waiters that `belongs` allows into the queue of their mutex.
    /// Returns whether there may be more of them.
    fn requeue(&self, note: usize, most: usize, belongs: impl Fn(&Locked<'_>) -> bool) -> bool {
        let mut queue = self.queue.lock();
        if queue.is_empty() || !belongs(&queue) {
            return false;
        }
        // Relaxed: changes under the lock that we hold.
        let raw = self.mutex.load(Ordering::Relaxed);
        // SAFETY: BOUND: somebody is queued, so the mutex is alive until we unlock.
        let raw = unsafe { &*raw };
        let mut to = raw.queue().lock();
        let mut more = true;
        for _ in 0..most {
            more = belongs(&queue) && queue.note_first(note) && queue.move_first(&mut to);
            if !more {
                break;
            }
        }
        raw.adopt(&mut to);
        // The mutex may go once a waiter has run, and that one may run as of now; but it
        // does not end before it has had our lock, so we are done with the mutex first.
        let wakeups = to.unlock_quietly();
        self.vacate(&queue);
        drop(queue);
        drop(wakeups);
        more
    }

    /// Under the lock, after waiters have left.
    fn vacate(&self, queue: &Locked<'_>) {
        if queue.is_empty() {
            // Relaxed: tells that there is nothing; who has something to tell releases.
            self.occupied.store(false, Ordering::Relaxed);
        }
    }

    /// Queues a waiter whose mutex is locked.
    ///
    /// Invariant `BOUND`: `mutex` is the mutex of all in the queue, and their futures
    /// borrow it. A future that has been queued here ends only after it has had this lock
    /// once more, by `leave` or `see_off`. So while somebody is queued, and until whoever
    /// took the last one out unlocks, the mutex is alive.
    fn enter(&self, waiter: Pin<&mut Waiter>, raw: &RawMutex) {
        let mut queue = self.queue.lock();
        let raw = std::ptr::from_ref(raw).cast_mut();
        if queue.is_empty() {
            // Relaxed: changes under the lock that we hold.
            self.mutex.store(raw, Ordering::Relaxed);
        }
        assert!(
            std::ptr::eq(self.mutex.load(Ordering::Relaxed), raw),
            "a condition variable is waited for with two mutexes at a time"
        );
        queue.push_back(waiter, 0);
        // Release: pairs with the acquire in `notify_one` and `notify_all`.
        self.occupied.store(true, Ordering::Release);
    }

    /// Takes a waiter out again. False if it was notified before.
    fn leave(&self, waiter: Pin<&mut Waiter>) -> bool {
        let mut queue = self.queue.lock();
        let left = queue.remove(waiter).is_some();
        self.vacate(&queue);
        left
    }

    /// Waits until the notifier of a waiter of ours has unlocked.
    fn see_off(&self) {
        drop(self.queue.lock());
    }

    /// How many wait for a notification. Those that wait for the mutex after it are in the
    /// [count of the mutex](Mutex::waiter_count).
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

pin_project_lite::pin_project! {
    /// Waits for a notification; made by [`Condvar::wait`].
    ///
    /// | stage | `guard` | waiter | dropping |
    /// | --- | --- | --- | --- |
    /// | new | the guard | idle | unlocks |
    /// | waiting | none | in the condition variable's queue | leaves it |
    /// | notified | none | in the mutex's queue, or woken | leaves the mutex; notifies another |
    /// | done | none | idle | does nothing |
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct CondvarWait<'a, T: ?Sized> {
        condvar: &'a Condvar,
        mutex: &'a Mutex<T>,
        guard: Option<MutexGuard<'a, T>>,
        done: bool,
        #[pin]
        waiter: Waiter,
    }

    impl<T: ?Sized> PinnedDrop for CondvarWait<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.waiter.phase() == Phase::Idle || this.condvar.leave(this.waiter.as_mut()) {
                return;
            }
            if this.mutex.raw().abandon(this.waiter) == Some(ONE) {
                this.condvar.notify_one();
            }
        }
    }
}

impl<'a, T: ?Sized> CondvarWait<'a, T> {
    /// Makes a future that is done new again.
    fn again(self: Pin<&mut Self>, guard: MutexGuard<'a, T>) {
        let this = self.project();
        *this.guard = Some(guard);
        *this.done = false;
    }
}

impl<'a, T: ?Sized> Future for CondvarWait<'a, T> {
    type Output = MutexGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        assert!(!*this.done, "a future was polled after it was ready");
        let raw = this.mutex.raw();
        if let Some(guard) = this.guard.take() {
            this.waiter.as_mut().settle(Place::of(cx.waker()));
            this.condvar.enter(this.waiter.as_mut(), raw);
            drop(guard);
            return Poll::Pending;
        }
        while this.waiter.is_in(&this.condvar.queue) {
            if this.condvar.queue.refresh(this.waiter.as_mut(), cx.waker()) {
                return Poll::Pending;
            }
        }
        ready!(raw.poll_lock(this.waiter, cx.waker()));
        this.condvar.see_off();
        *this.done = true;
        Poll::Ready(MutexGuard::new(this.mutex))
    }
}

impl<T: ?Sized> fmt::Debug for CondvarWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarWait")
            .field("waiting", &self.waiter.is_in(&self.condvar.queue))
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// Waits until a condition is false; made by [`Condvar::wait_while`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct CondvarWaitWhile<'a, T: ?Sized, F> {
        condition: F,
        #[pin]
        wait: CondvarWait<'a, T>,
    }
}

impl<'a, T: ?Sized, F> Future for CondvarWaitWhile<'a, T, F>
where
    F: FnMut(&mut T) -> bool,
{
    type Output = MutexGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            // With a guard, the wait has not begun.
            let wait = this.wait.as_mut().project();
            if let Some(guard) = wait.guard
                && !(this.condition)(guard)
            {
                *wait.done = true;
                return wait.guard.take().map_or(Poll::Pending, Poll::Ready);
            }
            let guard = ready!(this.wait.as_mut().poll(cx));
            this.wait.as_mut().again(guard);
        }
    }
}

impl<T: ?Sized, F> fmt::Debug for CondvarWaitWhile<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarWaitWhile")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
