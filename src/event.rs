//! A flag that can be waited for.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    sys::sync::{AtomicUsize, Ordering, const_fn},
    waiter_queue::{Locked, Phase, Place, Waiter, WaiterQueue, block_on},
};

const SET: usize = 1;
/// The queue may hold somebody. Changes only under the queue's lock; set while somebody is
/// queued.
const WAITING: usize = 2;

/// What a wait that is over writes down.
const DONE: u16 = 1;

/// A flag that stays up once it is set, and lets through all who wait for it.
///
/// While it is set nobody waits. [`reset`](Self::reset) makes it block again; who waited
/// when it was set gets through all the same.
///
/// # Fairness
///
/// All are woken, in the order in which they came.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time: there is nothing that it could lose or keep from
/// others.
///
/// # Examples
///
/// ```
/// use compio_sync::Event;
/// use std::sync::Arc;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let stop = Arc::new(Event::new());
/// let tasks: Vec<_> = (0..3)
///     .map(|_| {
///         let stop = stop.clone();
///         compio_runtime::spawn(async move { stop.wait().await })
///     })
///     .collect();
/// stop.set();
/// for task in tasks {
///     task.await.unwrap();
/// }
/// assert!(stop.is_set());
/// # })
/// ```
pub struct Event {
    state: AtomicUsize,
    queue: WaiterQueue,
}

impl Event {
    const_fn! {
        /// An event that is not set.
        ///
        /// # Examples
        ///
        /// ```
        /// static STOP: compio_sync::Event = compio_sync::Event::new();
        /// assert!(!STOP.is_set());
        /// ```
        #[must_use]
        pub fn new() -> Self {
            Self { state: AtomicUsize::new(0), queue: WaiterQueue::new() }
        }
    }

    /// Sets the flag, and lets all through who wait. Returns whether it was set before.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = compio_sync::Event::new();
    /// assert!(!event.set());
    /// assert!(event.set());
    /// ```
    pub fn set(&self) -> bool {
        // Release: pairs with the acquire of whoever sees it set.
        let set = self
            .state
            .fetch_update(Ordering::Release, Ordering::Relaxed, |state| {
                (state & WAITING == 0).then_some(state | SET)
            });
        if let Ok(before) = set {
            return before & SET != 0;
        }
        // Under the lock, so that who comes after a `reset` is not let through by us.
        let mut before = 0;
        // Release: as above.
        self.queue
            .wake_all(|| before = self.state.fetch_or(SET, Ordering::Release));
        self.vacate(&self.queue.lock());
        before & SET != 0
    }

    /// Takes the flag down again. Returns whether it was set.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = compio_sync::Event::new();
    /// event.set();
    /// assert!(event.reset());
    /// assert!(!event.is_set());
    /// ```
    pub fn reset(&self) -> bool {
        // Acquire: who takes it down sees what was done before it was set.
        self.state.fetch_and(!SET, Ordering::Acquire) & SET != 0
    }

    /// Whether the flag is set.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = compio_sync::Event::new();
    /// assert!(!event.is_set());
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    #[must_use]
    pub fn is_set(&self) -> bool {
        // Acquire: pairs with the release in `set`.
        self.state.load(Ordering::Acquire) & SET != 0
    }

    /// Waits until the flag is set.
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
    /// let event = compio_sync::Event::new();
    /// event.set();
    /// event.wait().await;
    /// event.wait().await; // it stays set
    /// # })
    /// ```
    pub fn wait(&self) -> EventWait<'_> {
        EventWait {
            event: self,
            waiter: Waiter::new(),
        }
    }

    /// Waits until the flag is set from a plain thread, which is blocked meanwhile.
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
    /// let event = compio_sync::Event::new();
    /// thread::scope(|scope| {
    ///     scope.spawn(|| event.blocking_wait());
    ///     event.set();
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
    /// let event = compio_sync::Event::new();
    /// assert_eq!(event.waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }

    /// Under the lock, after waiters have left.
    fn vacate(&self, queue: &Locked<'_>) {
        if queue.is_empty() {
            // Relaxed: tells that there is nothing.
            self.state.fetch_and(!WAITING, Ordering::Relaxed);
        }
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set())
            .field("waiter_count", &self.waiter_count())
            .finish()
    }
}

pin_project_lite::pin_project! {
    /// Waits until an [`Event`] is set; made by [`Event::wait`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct EventWait<'a> {
        event: &'a Event,
        #[pin]
        waiter: Waiter,
    }

    impl PinnedDrop for EventWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.waiter.phase() == Phase::Idle {
                return;
            }
            let mut queue = this.event.queue.lock();
            let left = queue.remove(this.waiter.as_mut()).is_some();
            if left {
                this.event.vacate(&queue);
            }
            drop(queue);
            if !left {
                this.waiter.give_up_wake();
            }
        }
    }
}

impl Future for EventWait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        assert!(
            this.waiter.memo() != DONE,
            "a future was polled after it was ready"
        );
        let event = *this.event;
        let over = if this.waiter.phase() == Phase::Idle {
            event.is_set()
                || !event.queue.add_waiter_if(
                    this.waiter.as_mut(),
                    Place::of(cx.waker()),
                    0,
                    || {
                        // Acquire: pairs with the release in `set`.
                        event
                            .state
                            .fetch_update(Ordering::Acquire, Ordering::Acquire, |state| {
                                (state & SET == 0).then_some(state | WAITING)
                            })
                            .is_ok()
                    },
                )
        } else {
            event
                .queue
                .poll(this.waiter.as_mut(), cx.waker())
                .is_ready()
        };
        if over {
            this.waiter.set_memo(DONE);
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait")
            .field("queued", &(self.waiter.is_linked()))
            .field("done", &(self.waiter.memo() == DONE))
            .finish_non_exhaustive()
    }
}
