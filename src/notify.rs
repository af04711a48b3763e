//! Notifications without data.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    sys::sync::{AtomicUsize, Ordering, const_fn},
    waiter_queue::{Locked, Phase, Place, Waiter, WaiterQueue, block_on},
};

/// A notification is stored, for the next who asks.
const STORED: usize = 1;
/// The queue may hold somebody. Changes only under the queue's lock; set while somebody is
/// queued. Never together with `STORED`, since nothing is stored while somebody may wait.
const WAITING: usize = 2;
/// The rest of the state counts the calls of `notify_waiters`.
const CALL: usize = 4;

/// How a waiter was notified: its note.
const FIRST: usize = 1;
const LAST: usize = 2;
const ALL: usize = 3;

/// Tells a task that something has happened; what, it knows or finds out itself.
///
/// As tokio's `Notify`. It holds at most one notification:
/// [`notify_one`](Self::notify_one) wakes one waiter, or is stored for the next, so it may
/// come before the wait. [`notify_waiters`](Self::notify_waiters) reaches all that wait at
/// that moment and stores nothing. For something that stays true once it is, see
/// [`Event`](crate::Event).
///
/// # Fairness
///
/// First come, first served, by the order of first polls; [`notify_last`](Self::notify_last)
/// turns it around.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time:
///
/// - dropped before it was first polled: nothing has happened;
/// - dropped while it waits: it loses its place;
/// - dropped after it was notified, but before it was polled again: the notification of a
///   [`notify_one`](Self::notify_one) or [`notify_last`](Self::notify_last) goes to the next
///   or is stored; one of [`notify_waiters`](Self::notify_waiters) has reached the others too.
///
/// # Examples
///
/// ```
/// use compio_sync::Notify;
/// use std::sync::Arc;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let work = Arc::new(Notify::new());
/// let worker = compio_runtime::spawn({
///     let work = work.clone();
///     async move { work.notified().await }
/// });
/// work.notify_one();
/// worker.await.unwrap();
/// # })
/// ```
pub struct Notify {
    state: AtomicUsize,
    queue: WaiterQueue,
}

impl Notify {
    const_fn! {
        /// Nothing is stored, and nobody waits.
        ///
        /// # Examples
        ///
        /// ```
        /// static RELOAD: compio_sync::Notify = compio_sync::Notify::new();
        /// RELOAD.notify_one();
        /// ```
        #[must_use]
        pub fn new() -> Self {
            Self { state: AtomicUsize::new(0), queue: WaiterQueue::new() }
        }
    }

    /// Waits for a notification.
    ///
    /// It takes its place in the queue when it is first polled or
    /// [enabled](Notified::enable). A [`notify_waiters`](Self::notify_waiters) reaches it from
    /// the moment that it is made, polled or not.
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
    /// let notify = compio_sync::Notify::new();
    /// notify.notify_one();
    /// notify.notified().await;
    /// # })
    /// ```
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            wait: Wait::new(self),
        }
    }

    /// Like [`notified`](Self::notified), with a share of the ownership.
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
    /// use std::sync::Arc;
    ///
    /// let notify = Arc::new(compio_sync::Notify::new());
    /// let task = compio_runtime::spawn(notify.notified_owned());
    /// notify.notify_waiters();
    /// task.await.unwrap();
    /// # })
    /// ```
    pub fn notified_owned(self: &Arc<Self>) -> OwnedNotified {
        OwnedNotified {
            wait: Wait::new(self),
            notify: Arc::clone(self),
        }
    }

    /// Waits for a notification from a plain thread, which is blocked meanwhile.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::Arc, thread};
    ///
    /// let notify = Arc::new(compio_sync::Notify::new());
    /// let waiting = thread::spawn({
    ///     let notify = notify.clone();
    ///     move || notify.blocking_notified()
    /// });
    /// notify.notify_one();
    /// waiting.join().unwrap();
    /// ```
    #[track_caller]
    pub fn blocking_notified(&self) {
        block_on(self.notified());
    }

    /// Notifies the one that has waited longest, or stores the notification if nobody waits.
    /// Stored notifications do not add up.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let notify = compio_sync::Notify::new();
    /// notify.notify_one();
    /// notify.notify_one();
    /// notify.notified().await; // both have become one
    /// assert!(!std::pin::pin!(notify.notified()).enable());
    /// # })
    /// ```
    pub fn notify_one(&self) {
        self.notify(FIRST);
    }

    /// Notifies the one that began to wait last, or stores the notification if nobody waits.
    ///
    /// Its task is the one whose memory is most likely still in the cache.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    ///
    /// let notify = compio_sync::Notify::new();
    /// let (mut first, mut last) = (pin!(notify.notified()), pin!(notify.notified()));
    /// assert!(!first.as_mut().enable());
    /// assert!(!last.as_mut().enable());
    /// notify.notify_last();
    /// assert!(last.as_mut().enable());
    /// assert!(!first.as_mut().enable());
    /// ```
    pub fn notify_last(&self) {
        self.notify(LAST);
    }

    fn notify(&self, note: usize) {
        // Release: pairs with the acquire in `Wait::step`, for who finds it stored.
        let stored = self
            .state
            .fetch_update(Ordering::Release, Ordering::Relaxed, |state| {
                (state & WAITING == 0).then_some(state | STORED)
            });
        if stored.is_ok() {
            return;
        }
        let mut queue = self.queue.lock();
        let woken = if note == LAST {
            queue.wake_last(note)
        } else {
            queue.note_first(note) && queue.wake_first()
        };
        if woken {
            self.vacate(&queue);
        } else {
            // Gone meanwhile. Release: as above. Never declined.
            let _ = self
                .state
                .fetch_update(Ordering::Release, Ordering::Relaxed, |state| {
                    Some(state & !WAITING | STORED)
                });
        }
    }

    /// Notifies all that wait now, and all futures that have been made before. Stores nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let notify = compio_sync::Notify::new();
    /// let (before, also_before) = (notify.notified(), notify.notified());
    /// notify.notify_waiters();
    /// before.await;
    /// also_before.await;
    /// assert!(!std::pin::pin!(notify.notified()).enable());
    /// # })
    /// ```
    pub fn notify_waiters(&self) {
        // Release: pairs with the acquire in `Wait`, for who sees the call counted.
        let counted = self
            .state
            .fetch_update(Ordering::Release, Ordering::Relaxed, |state| {
                (state & WAITING == 0).then_some(state.wrapping_add(CALL))
            });
        if counted.is_err() {
            // Under the lock, so that no later wait is reached. Release: as above.
            self.queue.wake_all(ALL, || {
                self.state.fetch_add(CALL, Ordering::Release);
            });
            self.vacate(&self.queue.lock());
        }
    }

    /// Under the lock, after waiters have left.
    fn vacate(&self, queue: &Locked<'_>) {
        if queue.is_empty() {
            // Relaxed: tells that there is nothing.
            self.state.fetch_and(!WAITING, Ordering::Relaxed);
        }
    }

    /// How many wait in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = compio_sync::Notify::new();
    /// assert_eq!(notify.waiter_count(), 0);
    /// ```
    pub fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: may be old when it is read.
        let stored = self.state.load(Ordering::Relaxed) & STORED != 0;
        f.debug_struct("Notify")
            .field("stored", &stored)
            .field("waiter_count", &self.waiter_count())
            .finish()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Made when so many calls of `notify_waiters` had been counted.
    New(usize),
    Waiting,
    /// Notified in that way, and `enable` has told so.
    Notified(usize),
    Done,
}

pin_project_lite::pin_project! {
    /// One wait, from asking to being notified.
    ///
    /// | stage | waiter | dropping (`abandon`) |
    /// | --- | --- | --- |
    /// | `New` | idle | does nothing |
    /// | `Waiting` | queued | leaves the queue |
    /// | `Waiting` | posted, woken, counted | passes the notification on |
    /// | `Notified` | idle | passes the notification on |
    /// | `Done` | idle | does nothing |
    struct Wait {
        stage: Stage,
        #[pin]
        waiter: Waiter,
    }
}

impl Wait {
    fn new(notify: &Notify) -> Self {
        Self {
            // Acquire: pairs with the release in `notify_waiters`. Who counts a call sees
            // what was done before it: a look at the data that follows is not older.
            stage: Stage::New(calls(notify.state.load(Ordering::Acquire))),
            waiter: Waiter::new(),
        }
    }

    /// The next step, and whether the wait is over. Without a waker the wait only keeps its
    /// place, and stays to be polled.
    fn step(self: Pin<&mut Self>, notify: &Notify, waker: Option<&Waker>) -> bool {
        let mut this = self.project();
        let note = match *this.stage {
            Stage::Done => panic!("a future was polled after it was ready"),
            Stage::Notified(note) => Some(note),
            Stage::New(calls) => {
                let note = enter(notify, this.waiter.as_mut(), calls, waker);
                *this.stage = Stage::Waiting;
                note
            }
            Stage::Waiting => match waker {
                Some(waker) => match notify.queue.poll(this.waiter.as_mut(), waker) {
                    Poll::Ready(note) => Some(note),
                    Poll::Pending => None,
                },
                None => this.waiter.as_mut().take_wake(),
            },
        };
        if let Some(note) = note {
            *this.stage = if waker.is_some() {
                Stage::Done
            } else {
                Stage::Notified(note)
            };
        }
        note.is_some()
    }

    fn abandon(self: Pin<&mut Self>, notify: &Notify) {
        let mut this = self.project();
        let note = match *this.stage {
            Stage::New(_) | Stage::Done => return,
            Stage::Notified(note) => Some(note),
            Stage::Waiting => {
                {
                    let mut queue = notify.queue.lock();
                    if queue.remove(this.waiter.as_mut()).is_some() {
                        notify.vacate(&queue);
                        return;
                    }
                }
                this.waiter.give_up_wake()
            }
        };
        if let Some(note @ (FIRST | LAST)) = note {
            notify.notify(note);
        }
    }

    fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("queued", &(self.waiter.phase() == Phase::Queued))
            .field("done", &(self.stage == Stage::Done))
            .finish_non_exhaustive()
    }
}

/// The calls of `notify_waiters` that a state counts.
fn calls(state: usize) -> usize {
    state / CALL
}

/// Takes a stored notification or queues the waiter. Returns the note of a wait that is
/// over at once.
fn enter(
    notify: &Notify,
    mut waiter: Pin<&mut Waiter>,
    since: usize,
    waker: Option<&Waker>,
) -> Option<usize> {
    // Acquire: pairs with the release of whoever notified.
    let take = |wait: usize| {
        notify
            .state
            .fetch_update(Ordering::Acquire, Ordering::Acquire, |state| {
                if calls(state) != since {
                    None
                } else if state & STORED != 0 {
                    Some(state & !STORED)
                } else {
                    Some(state | wait)
                }
            })
    };
    let over = |taken: Result<usize, usize>| match taken {
        Err(_) => Some(ALL),
        Ok(state) if state & STORED != 0 => Some(FIRST),
        Ok(_) => None,
    };
    if let Some(note) = over(take(0)) {
        return Some(note);
    }
    waiter
        .as_mut()
        .settle(waker.map_or_else(Place::nowhere, Place::of));
    let mut queue = notify.queue.lock();
    let note = over(take(WAITING));
    if note.is_none() {
        queue.push_back(waiter, 0);
    }
    note
}

pin_project_lite::pin_project! {
    /// Waits for a notification; made by [`Notify::notified`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Notified<'a> {
        notify: &'a Notify,
        #[pin]
        wait: Wait,
    }

    impl PinnedDrop for Notified<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.abandon(this.notify);
        }
    }
}

impl Notified<'_> {
    /// Takes a place in the queue now, before the first poll, so that a
    /// [`notify_one`](Notify::notify_one) from now on can reach it.
    ///
    /// Returns whether it is notified already; the next poll is ready then.
    ///
    /// # Panics
    ///
    /// After it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = compio_sync::Notify::new();
    /// let mut notified = std::pin::pin!(notify.notified());
    /// assert!(!notified.as_mut().enable());
    /// notify.notify_one();
    /// assert!(notified.as_mut().enable());
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        this.wait.step(this.notify, None)
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.wait.step(this.notify, Some(cx.waker())) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wait.debug("Notified", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits for a notification, with a share of the ownership; made by
    /// [`Notify::notified_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct OwnedNotified {
        notify: Arc<Notify>,
        #[pin]
        wait: Wait,
    }

    impl PinnedDrop for OwnedNotified {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.abandon(this.notify);
        }
    }
}

impl OwnedNotified {
    /// Takes a place in the queue now; see [`Notified::enable`].
    ///
    /// # Panics
    ///
    /// After it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = std::sync::Arc::new(compio_sync::Notify::new());
    /// let mut notified = Box::pin(notify.notified_owned());
    /// assert!(!notified.as_mut().enable());
    /// notify.notify_one();
    /// assert!(notified.as_mut().enable());
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        this.wait.step(this.notify, None)
    }
}

impl Future for OwnedNotified {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.wait.step(this.notify, Some(cx.waker())) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl fmt::Debug for OwnedNotified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wait.debug("OwnedNotified", f)
    }
}
