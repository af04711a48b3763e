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
    waiter_queue::{Place, Waiter, WaiterQueue, block_on},
};

/// A notification is stored, for the next who asks.
const STORED: usize = 1;
/// The queue may hold somebody. Changes only under the queue's lock; set while somebody is
/// queued, and until a notifier finds that nobody is. Never together with `STORED`, since
/// nothing is stored while somebody may wait.
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
        if !woken {
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
            self.queue.wake_all(|| {
                self.state.fetch_add(CALL, Ordering::Release);
            });
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
    #[must_use]
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

/// How far a wait has got: what its waiter keeps for it.
///
/// | stage | waiter | dropping (`abandon`) |
/// | --- | --- | --- |
/// | `NEW` | idle; notes the calls counted before | does nothing |
/// | `ENTERED` | queued, posted, woken, counted | leaves the queue; or passes the notification on |
/// | `ENABLED` and how it was notified | idle | passes the notification on |
/// | `OVER` | idle | does nothing |
const NEW: u16 = 0;
const ENTERED: u16 = 1;
const OVER: u16 = 2;
const ENABLED: u16 = 4;

pin_project_lite::pin_project! {
    /// A wait, without the notifier that it waits for.
    struct Wait {
        #[pin]
        waiter: Waiter,
    }
}

impl Wait {
    #[inline]
    fn new(notify: &Notify) -> Self {
        // Acquire: pairs with the release in `notify_waiters`. Who counts a call sees
        // what was done before it: a look at the data that follows is not older.
        let state = notify.state.load(Ordering::Acquire);
        Self {
            waiter: Waiter::with_note(calls(state)),
        }
    }

    /// The next step. Returns whether it was notified; with a waker that ends the wait, without
    /// one it is kept for the next step.
    ///
    /// # Panics
    ///
    /// When the wait is over.
    fn step(self: Pin<&mut Self>, notify: &Notify, waker: Option<&Waker>) -> bool {
        let mut waiter = self.project().waiter;
        let stage = waiter.memo();
        let note = match (stage, waker) {
            (OVER, _) => panic!("a future was polled after it was ready"),
            (NEW, _) => {
                let note = enter(notify, waiter.as_mut(), waker);
                waiter.as_mut().set_memo(ENTERED);
                note
            }
            (ENTERED, Some(waker)) => match notify.queue.poll(waiter.as_mut(), waker) {
                Poll::Ready(note) => Some(note),
                Poll::Pending => None,
            },
            (ENTERED, None) => notify.queue.try_take(waiter.as_mut()),
            (enabled, _) => Some((enabled - ENABLED) as usize),
        };
        if let Some(note) = note {
            waiter.set_memo(if waker.is_some() {
                OVER
            } else {
                ENABLED + note as u16
            });
        }
        note.is_some()
    }

    /// Gives up, wherever the wait stands. To be called when its future is dropped.
    #[inline]
    fn abandon(self: Pin<&mut Self>, notify: &Notify) {
        let waiter = self.project().waiter;
        if !matches!(waiter.memo(), NEW | OVER) {
            abandon(notify, waiter);
        }
    }

    fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("queued", &(self.waiter.is_linked()))
            .field("done", &(self.waiter.memo() == OVER))
            .finish_non_exhaustive()
    }
}

#[inline(never)]
fn abandon(notify: &Notify, mut waiter: Pin<&mut Waiter>) {
    let note = match waiter.memo() {
        ENTERED => {
            if notify.queue.lock().remove(waiter.as_mut()).is_some() {
                return;
            }
            waiter.give_up_wake()
        }
        enabled => Some((enabled - ENABLED) as usize),
    };
    if let Some(note @ (FIRST | LAST)) = note {
        notify.notify(note);
    }
}

fn calls(state: usize) -> usize {
    state / CALL
}

/// Takes what is stored, or finds that all were notified since the wait was made; else queues it,
/// without a waker if there is none yet. Returns how it was notified.
fn enter(notify: &Notify, mut waiter: Pin<&mut Waiter>, waker: Option<&Waker>) -> Option<usize> {
    let since = waiter.first_note();
    let notified = |wait: usize| {
        // Acquire: pairs with the release of whoever notified.
        let mut state = notify.state.load(Ordering::Acquire);
        loop {
            if Some(calls(state)) != since {
                return Some(ALL);
            }
            let next = if state & STORED != 0 {
                state & !STORED
            } else {
                state | wait
            };
            if next == state {
                return None;
            }
            // Acquire: as above.
            match notify.state.compare_exchange_weak(
                state,
                next,
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return (state & STORED != 0).then_some(FIRST),
                Err(now) => state = now,
            }
        }
    };
    if let Some(note) = notified(0) {
        return Some(note);
    }
    waiter
        .as_mut()
        .settle(waker.map_or_else(Place::nowhere, Place::of));
    let mut queue = notify.queue.lock();
    let note = notified(WAITING);
    if note.is_none() {
        queue.push_back(waiter, ALL);
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
