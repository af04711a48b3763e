//! A count that is counted down, and those who wait for its end.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    gate::{self, Gate, Wait},
    sys::sync::const_fn,
    waiter_queue::block_on,
};

/// A gate that opens when it has been counted down to zero, and stays open.
///
/// The count is known when the latch is made and never rises. For tasks whose number is not known
/// beforehand there is [`WaitGroup`](crate::WaitGroup).
///
/// # Below zero
///
/// A count stops at zero: counting down a latch that is open does nothing, and counting down by
/// more than is left opens it.
///
/// # Fairness
///
/// All are woken, in the order in which they came.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time: it does not count, so there is nothing that it could
/// lose or keep from others.
///
/// # Examples
///
/// ```
/// use compio_sync::Latch;
/// use std::sync::Arc;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let ready = Arc::new(Latch::new(3));
/// for _ in 0..3 {
///     let ready = ready.clone();
///     compio_runtime::spawn(async move { ready.count_down() }).detach();
/// }
/// ready.wait().await;
/// assert!(ready.is_done());
/// # })
/// ```
pub struct Latch {
    gate: Gate,
}

impl Latch {
    /// The most that a latch can have to count down.
    pub const MAX_COUNT: usize = gate::MAX;

    const_fn! {
        /// A latch to be counted down `count` times. With 0 it is open.
        ///
        /// # Panics
        ///
        /// If that is more than [`MAX_COUNT`](Self::MAX_COUNT); in a constant, at compile time.
        ///
        /// # Examples
        ///
        /// ```
        /// static READY: compio_sync::Latch = compio_sync::Latch::new(2);
        /// assert_eq!(READY.count(), 2);
        /// ```
        #[must_use]
        pub fn new(count: usize) -> Self {
            assert!(
                count <= Self::MAX_COUNT,
                "a latch cannot have more than Latch::MAX_COUNT to count down"
            );
            Self { gate: Gate::new(count) }
        }
    }

    /// Counts down by one, and lets all through who wait if that was the last. Returns whether it
    /// was: true is returned by one call only.
    ///
    /// # Examples
    ///
    /// ```
    /// let latch = compio_sync::Latch::new(2);
    /// assert!(!latch.count_down());
    /// assert!(latch.count_down());
    /// assert!(!latch.count_down(), "it was open already");
    /// ```
    pub fn count_down(&self) -> bool {
        self.gate.take(1)
    }

    /// Counts down by `n` in one step, otherwise like [`count_down`](Self::count_down).
    ///
    /// # Examples
    ///
    /// ```
    /// let latch = compio_sync::Latch::new(5);
    /// latch.count_down_by(3);
    /// assert_eq!(latch.count(), 2);
    /// assert!(latch.count_down_by(3), "it stops at zero");
    /// ```
    pub fn count_down_by(&self, n: usize) -> bool {
        self.gate.take(n)
    }

    /// Counts down by one when the guard is dropped: also if its task panics or is cancelled, after
    /// which nobody else would.
    ///
    /// More guards than the count do no harm: it stops at zero.
    ///
    /// # Examples
    ///
    /// ```
    /// let latch = compio_sync::Latch::new(1);
    /// let guard = latch.guard();
    /// assert!(!latch.is_done());
    /// drop(guard);
    /// assert!(latch.is_done());
    /// ```
    pub fn guard(&self) -> LatchGuard<'_> {
        LatchGuard { latch: self }
    }

    /// Like [`guard`](Self::guard), with a share of the ownership: for tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// let latch = std::sync::Arc::new(compio_sync::Latch::new(1));
    /// let guard = latch.guard_owned();
    /// std::thread::spawn(move || drop(guard));
    /// latch.blocking_wait();
    /// ```
    pub fn guard_owned(self: &Arc<Self>) -> OwnedLatchGuard {
        OwnedLatchGuard {
            latch: self.clone(),
        }
    }

    /// How often it has still to be counted down.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(compio_sync::Latch::new(2).count(), 2);
    /// ```
    #[must_use]
    pub fn count(&self) -> usize {
        self.gate.left()
    }

    /// Whether it is open.
    ///
    /// # Examples
    ///
    /// ```
    /// let latch = compio_sync::Latch::new(1);
    /// assert!(!latch.is_done());
    /// latch.count_down();
    /// assert!(latch.is_done());
    /// ```
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.count() == 0
    }

    /// Waits until it is open. What was done before each of the calls that counted it down has
    /// happened then.
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
    /// let latch = compio_sync::Latch::new(1);
    /// latch.count_down();
    /// latch.wait().await;
    /// latch.wait().await; // it stays open
    /// # })
    /// ```
    pub fn wait(&self) -> LatchWait<'_> {
        LatchWait {
            latch: self,
            wait: Wait::new(),
        }
    }

    /// Waits until it is open from a plain thread, which is blocked meanwhile.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop.
    ///
    /// # Examples
    ///
    /// ```
    /// let latch = compio_sync::Latch::new(2);
    /// std::thread::scope(|scope| {
    ///     for _ in 0..2 {
    ///         scope.spawn(|| latch.count_down());
    ///     }
    ///     latch.blocking_wait();
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_wait(&self) {
        block_on(self.wait());
    }

    /// How many wait in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(compio_sync::Latch::new(1).waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.gate.waiter_count()
    }
}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latch")
            .field("count", &self.count())
            .field("waiter_count", &self.waiter_count())
            .finish()
    }
}

/// Counts a [`Latch`] down when it is dropped; made by [`Latch::guard`].
#[must_use = "it counts down when it is dropped, which would be at once"]
pub struct LatchGuard<'a> {
    latch: &'a Latch,
}

impl LatchGuard<'_> {
    /// The latch that it counts down.
    ///
    /// # Examples
    ///
    /// ```
    /// let latch = compio_sync::Latch::new(3);
    /// assert_eq!(latch.guard().latch().count(), 3);
    /// ```
    #[must_use]
    pub fn latch(&self) -> &Latch {
        self.latch
    }
}

impl Drop for LatchGuard<'_> {
    fn drop(&mut self) {
        self.latch.count_down();
    }
}

impl fmt::Debug for LatchGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatchGuard").finish_non_exhaustive()
    }
}

/// Counts a [`Latch`] down when it is dropped, and keeps it alive; made by
/// [`Latch::guard_owned`].
#[must_use = "it counts down when it is dropped, which would be at once"]
pub struct OwnedLatchGuard {
    latch: Arc<Latch>,
}

impl OwnedLatchGuard {
    /// The latch that it counts down.
    ///
    /// # Examples
    ///
    /// ```
    /// let latch = std::sync::Arc::new(compio_sync::Latch::new(3));
    /// assert_eq!(latch.guard_owned().latch().count(), 3);
    /// ```
    #[must_use]
    pub fn latch(&self) -> &Arc<Latch> {
        &self.latch
    }
}

impl Drop for OwnedLatchGuard {
    fn drop(&mut self) {
        self.latch.count_down();
    }
}

impl fmt::Debug for OwnedLatchGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedLatchGuard").finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// Waits until a [`Latch`] is open; made by [`Latch::wait`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct LatchWait<'a> {
        latch: &'a Latch,
        #[pin]
        wait: Wait,
    }

    impl PinnedDrop for LatchWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.leave(&this.latch.gate);
        }
    }
}

impl Future for LatchWait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.wait.poll(&this.latch.gate, cx)
    }
}

impl fmt::Debug for LatchWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatchWait")
            .field("queued", &self.wait.is_queued())
            .field("done", &self.wait.is_done())
            .finish_non_exhaustive()
    }
}
