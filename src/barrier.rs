//! Where tasks wait for each other.
//!
//! # State
//!
//! | word | meaning |
//! | --- | --- |
//! | `arrived` | how many of the present generation wait |
//! | `generation` | how many generations have been completed, modulo the size of the word |
//!
//! Both change under the queue's lock only. A waiter's note is the generation that it came in.
//!
//! | who | from | to |
//! | --- | --- | --- |
//! | arrives | `arrived` + 1 < the parties | `arrived` + 1, last in the queue |
//! | arrives | `arrived` + 1 = the parties | `arrived` 0, `generation` + 1, and wakes all that wait |
//! | leaves the queue | of the present generation | `arrived` - 1 |
//! | leaves the queue | of an earlier one, which is being woken | the same |
//!
//! To wake many, the lock is let go of in between. So the queue may hold waiters of a
//! generation that is complete, and behind them newcomers, who are not woken with them and do
//! not count for them.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    sys::sync::{AtomicUsize, Ordering, const_fn, say},
    waiter_queue::{Locked, Phase, Place, Waiter, WaiterQueue, block_on},
};

/// Lets tasks wait until so many of them have come, and then lets all go on; again and again.
///
/// One of each generation, the leader, is told so by its [`BarrierWaitResult`].
///
/// # Fairness
///
/// All are woken, in the order in which they came. Who comes after that belongs to the next
/// generation, also if others of the one before have not run yet.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time:
///
/// - dropped before it was first polled: nothing has happened;
/// - dropped while it waits: it does not count any more, as if it had never come;
/// - dropped after its generation was completed, but before it was polled again: the generation
///   stands, and the others go on.
///
/// There is a leader in any case: it is the one that completes the generation, and its wait is
/// ready in the poll in which it comes, so it cannot be dropped in between.
///
/// # Examples
///
/// Two tasks, neither of which begins the second phase before the other has ended the first.
///
/// ```
/// use compio_sync::{Barrier, Mutex};
/// use std::sync::Arc;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let shared = Arc::new((Barrier::new(2), Mutex::new(Vec::new())));
/// let tasks: Vec<_> = (0..2)
///     .map(|_| {
///         let shared = shared.clone();
///         compio_runtime::spawn(async move {
///             let (barrier, log) = &*shared;
///             log.lock().await.push("first");
///             let is_leader = barrier.wait().await.is_leader();
///             log.lock().await.push("second");
///             is_leader
///         })
///     })
///     .collect();
/// let mut leaders = 0;
/// for task in tasks {
///     leaders += u32::from(task.await.unwrap());
/// }
/// assert_eq!(leaders, 1);
/// assert_eq!(*shared.1.lock().await, ["first", "first", "second", "second"]);
/// # })
/// ```
pub struct Barrier {
    parties: usize,
    arrived: AtomicUsize,
    generation: AtomicUsize,
    queue: WaiterQueue,
}

impl Barrier {
    const_fn! {
        /// A barrier for `n` tasks or threads. With 0 it is as with 1: nobody waits.
        ///
        /// # Examples
        ///
        /// ```
        /// static PHASE: compio_sync::Barrier = compio_sync::Barrier::new(4);
        /// assert_eq!(PHASE.waiter_count(), 0);
        /// ```
        #[must_use]
        pub fn new(n: usize) -> Self {
            Self {
                parties: if n == 0 { 1 } else { n },
                arrived: AtomicUsize::new(0),
                generation: AtomicUsize::new(0),
                queue: WaiterQueue::new(),
            }
        }
    }

    /// Waits until as many have come as the barrier is for.
    ///
    /// What each of them did before is seen by all of them afterwards. It counts from its first
    /// poll on.
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
    /// let barrier = compio_sync::Barrier::new(1);
    /// assert!(barrier.wait().await.is_leader());
    /// assert!(barrier.wait().await.is_leader(), "of the next generation");
    /// # })
    /// ```
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait {
            barrier: self,
            done: false,
            waiter: Waiter::new(),
        }
    }

    /// Waits from a plain thread, which is blocked meanwhile, for others, threads or tasks.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    ///
    /// let barrier = compio_sync::Barrier::new(2);
    /// thread::scope(|scope| {
    ///     let other = scope.spawn(|| barrier.blocking_wait().is_leader());
    ///     assert!(barrier.blocking_wait().is_leader() != other.join().unwrap());
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_wait(&self) -> BarrierWaitResult {
        block_on(self.wait())
    }

    /// How many wait in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// let barrier = compio_sync::Barrier::new(2);
    /// assert_eq!(barrier.waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }

    /// Whether one more is all that is missing. For certain only under the queue's lock.
    fn lacks_one(&self) -> bool {
        // Relaxed: the lock orders what depends on it.
        self.arrived.load(Ordering::Relaxed) + 1 == self.parties
    }

    /// Completes the generation if the one who asks is the last of it.
    fn complete(&self, queue: &mut Locked<'_>) -> bool {
        let completes = self.lacks_one();
        if completes {
            // Relaxed, both: changed and used under the lock.
            self.arrived.store(0, Ordering::Relaxed);
            self.generation.fetch_add(1, Ordering::Relaxed);
            queue.wake_all();
        }
        completes
    }

    /// Whether the one who comes is the leader. It is queued if not.
    fn arrive(&self, mut waiter: Pin<&mut Waiter>, place: impl FnOnce() -> Place) -> bool {
        // The last one need not tell who is to be woken.
        if self.lacks_one() && self.complete(&mut self.queue.lock()) {
            return true;
        }
        waiter.as_mut().settle(place());
        let mut queue = self.queue.lock();
        let completes = self.complete(&mut queue);
        if !completes {
            // Relaxed, both: as in `complete`.
            let generation = self.generation.load(Ordering::Relaxed);
            queue.push_back(waiter, generation);
            self.arrived.fetch_add(1, Ordering::Relaxed);
        }
        completes
    }

    /// By one that will not come, wherever it stands.
    fn leave(&self, mut waiter: Pin<&mut Waiter>) {
        let mut queue = self.queue.lock();
        let came = queue.remove(waiter.as_mut());
        if let Some(came) = came {
            // Relaxed, both: as in `complete`.
            if came == self.generation.load(Ordering::Relaxed) {
                self.arrived.fetch_sub(1, Ordering::Relaxed);
            } else {
                say("leaves an earlier generation");
            }
            return;
        }
        drop(queue);
        waiter.give_up_wake();
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiter_count", &self.waiter_count())
            .finish()
    }
}

/// What a wait at a [`Barrier`] returns: whether it was the leader's.
#[derive(Clone, Debug)]
pub struct BarrierWaitResult {
    is_leader: bool,
}

impl BarrierWaitResult {
    /// Whether this one is the leader: of each generation one is, the one that came last.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let barrier = compio_sync::Barrier::new(1);
    /// if barrier.wait().await.is_leader() {
    ///     // Work that is to be done once.
    /// }
    /// # })
    /// ```
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

pin_project_lite::pin_project! {
    /// Waits for the others at a [`Barrier`]; made by [`Barrier::wait`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct BarrierWait<'a> {
        barrier: &'a Barrier,
        done: bool,
        #[pin]
        waiter: Waiter,
    }

    impl PinnedDrop for BarrierWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.waiter.phase() != Phase::Idle {
                this.barrier.leave(this.waiter);
            }
        }
    }
}

impl Future for BarrierWait<'_> {
    type Output = BarrierWaitResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BarrierWaitResult> {
        let this = self.project();
        assert!(!*this.done, "a future was polled after it was ready");
        let barrier = *this.barrier;
        // Ready at once, if so.
        let is_leader = this.waiter.phase() == Phase::Idle;
        let over = if is_leader {
            barrier.arrive(this.waiter, || Place::of(cx.waker()))
        } else {
            barrier.queue.poll(this.waiter, cx.waker()).is_ready()
        };
        *this.done = over;
        if over {
            Poll::Ready(BarrierWaitResult { is_leader })
        } else {
            Poll::Pending
        }
    }
}

impl fmt::Debug for BarrierWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWait")
            .field("queued", &(self.waiter.is_linked()))
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
