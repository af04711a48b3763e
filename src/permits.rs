//! The fair permit core: who gets how many, in which order. No data.
//!
//! # State
//!
//! One word: the permits that are free, and whether somebody may be waiting.
//!
//! | `QUEUED` | free permits | meaning | steps |
//! | --- | --- | --- | --- |
//! | no | n | nobody waits | take k <= n: n - k (one compare-exchange); give k: n + k (one add) |
//! | no | n < k | somebody asks for k | under the lock: `QUEUED` and 0; the n go to the new, first waiter, who still lacks k - n |
//! | yes | 0 | somebody waits, or has waited | ask: wait behind them. Give k: under the lock, straight to the first waiters; what they leave over: not `QUEUED`, the rest |
//! | yes | k | given by who had not seen `QUEUED` | under the lock, by who gave it: 0, and as above |
//!
//! Invariant: `QUEUED` changes only under the queue's lock, and is set whenever a
//! waiter is queued. So permits that are given while somebody waits always reach
//! the first of them, and nobody who comes later gets in between. It stays set when the
//! last waiter goes: nothing is free then, and the next who gives finds out. So waiters
//! that come and go one after another leave the word alone.
//!
//! The head of the queue collects permits as they come (its note says how many it
//! still lacks), so a large request is not starved by small ones. The idea is that
//! of tokio's `batch_semaphore`.

use std::{fmt, pin::Pin, task::Poll, task::Waker};

use crate::{
    sys::sync::{AtomicUsize, Ordering, const_fn},
    waiter_queue::{Locked, Phase, Place, Waiter, WaiterQueue},
};

const QUEUED: usize = 1;
const ONE: usize = 2;

/// The most permits that can be free at once.
pub(crate) const MAX: usize = usize::MAX >> 3;

pub(crate) struct Permits {
    state: AtomicUsize,
    queue: WaiterQueue,
}

/// Giving would have made more than [`MAX`] permits; nothing was given.
#[derive(Debug)]
pub(crate) struct Overflow;

impl Permits {
    const_fn! {
        /// At most `MAX` permits.
        pub(crate) fn new(permits: usize) -> Self {
            Self {
                state: AtomicUsize::new(permits * ONE),
                queue: WaiterQueue::new(),
            }
        }
    }

    pub(crate) fn available(&self) -> usize {
        // Relaxed: a number that may be old when it is read.
        self.state.load(Ordering::Relaxed) / ONE
    }

    pub(crate) fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }

    /// Takes `n` permits if they are free and nobody waits. None at all is always
    /// free.
    #[inline]
    pub(crate) fn try_acquire(&self, n: usize) -> bool {
        if n == 0 {
            return true;
        }
        // Relaxed: the exchange decides.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if state & QUEUED != 0 || state / ONE < n {
                return false;
            }
            // Acquire: pairs with the release of whoever gave these permits; what
            // they did before lies before what we do now.
            match self.state.compare_exchange_weak(
                state,
                state - n * ONE,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
    }

    /// Gives `n` permits that had been taken.
    ///
    /// # Panics
    ///
    /// If more than `MAX` would be free: more were made than there can be.
    #[inline]
    pub(crate) fn release(&self, n: usize) {
        // Relaxed: a hint. Whoever waits has set it under the lock, which is taken next; if it is
        // not seen here, the addition sees it.
        if self.state.load(Ordering::Relaxed) & QUEUED != 0 {
            return self.release_to_queue(n);
        }
        // Release: pairs with the acquire of whoever takes them, in `try_acquire`,
        // `enqueue` or `distribute`.
        let before = self.state.fetch_add(n * ONE, Ordering::Release);
        if before & QUEUED != 0 || before / ONE > MAX - n {
            self.release_late(n, before);
        }
    }

    /// The end of a permit: `release`, unless it is worth nothing.
    #[inline]
    pub(crate) fn give_back(&self, n: usize) {
        if n > 0 {
            self.release(n);
        }
    }

    #[inline(never)]
    fn release_to_queue(&self, n: usize) {
        let fits = self.distribute(&mut self.queue.lock(), n);
        assert!(fits, "a semaphore cannot hold more than {MAX} permits");
    }

    #[cold]
    fn release_late(&self, n: usize, before: usize) {
        if before / ONE > MAX - n {
            // Relaxed: takes back what nobody can have needed.
            self.state.fetch_sub(n * ONE, Ordering::Relaxed);
            panic!("a semaphore cannot hold more than {MAX} permits");
        }
        self.release_to_queue(0);
    }

    /// Makes `n` new permits.
    pub(crate) fn add(&self, n: usize) -> Result<(), Overflow> {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & QUEUED == 0 {
            if n > MAX || state / ONE > MAX - n {
                return Err(Overflow);
            }
            // Release: as in `release`.
            match self.state.compare_exchange_weak(
                state,
                state + n * ONE,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(now) => state = now,
            }
        }
        let mut queue = self.queue.lock();
        // Relaxed: a bound, which guards no data.
        let free = self.state.load(Ordering::Relaxed) / ONE;
        if n <= MAX && free <= MAX - n && self.distribute(&mut queue, n) {
            Ok(())
        } else {
            Err(Overflow)
        }
    }

    /// Takes up to `n` free permits for good, and returns how many. Those that are
    /// promised to waiters are not free.
    pub(crate) fn forget(&self, n: usize) -> usize {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let free = if state & QUEUED == 0 { state / ONE } else { 0 };
            let take = free.min(n);
            if take == 0 {
                return 0;
            }
            // Acquire: as in `try_acquire`: who sees the limit lowered sees what the
            // last holders did.
            match self.state.compare_exchange_weak(
                state,
                state - take * ONE,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return take,
                Err(now) => state = now,
            }
        }
    }

    /// Hands what is free, and `given` besides, to those who wait, first come first served.
    /// Returns false if more than `MAX` would be left over; `MAX` are then.
    ///
    /// Under the lock nobody else takes while `QUEUED` is set; permits may be given at any time.
    fn distribute(&self, queue: &mut Locked<'_>, mut given: usize) -> bool {
        loop {
            queue.make_room();
            // Acquire: pairs with the release of those who gave; the waiters get it through
            // their phase, as they do what was done before we were given ours.
            let state = self.state.load(Ordering::Acquire);
            if state & QUEUED == 0 {
                return self.put(given);
            }
            let free = state / ONE;
            let mut rest = free + given;
            while rest > 0
                && let Some(lacks) = queue.first()
            {
                if lacks > rest {
                    queue.note_first(lacks - rest);
                    rest = 0;
                } else if queue.has_room() {
                    rest -= lacks;
                    queue.wake_first();
                } else {
                    break;
                }
            }
            if rest > 0 && queue.is_empty() {
                let fits = rest <= MAX;
                let more = (rest.min(MAX) * ONE).wrapping_sub(free * ONE + QUEUED);
                // What has been given meanwhile stays, free for all: whoever gave it comes here
                // next in vain. Release: passes on what we acquired and were given.
                self.state.fetch_add(more, Ordering::Release);
                return fits;
            }
            if free > 0 {
                // Relaxed: nothing is passed on through the word.
                self.state.fetch_sub(free * ONE, Ordering::Relaxed);
            }
            if rest == 0 {
                return true;
            }
            given = rest;
        }
    }

    /// Under the lock, when nobody waits: makes `n` permits free, or returns false if these are
    /// too many.
    fn put(&self, n: usize) -> bool {
        // Release: as in `release`.
        let before = self.state.fetch_add(n * ONE, Ordering::Release);
        let fits = before / ONE <= MAX - n;
        if !fits {
            // Relaxed: takes back what nobody can have needed.
            self.state.fetch_sub(n * ONE, Ordering::Relaxed);
        }
        fits
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permits")
            .field("available", &self.available())
            .field("waiters", &self.waiter_count())
            .finish()
    }
}

/// What a request that is over writes down.
const DONE: u16 = 1;

pin_project_lite::pin_project! {
    /// A request for permits, on its way from asking to having.
    ///
    /// | stage | waiter | dropping (`abandon`) |
    /// | --- | --- | --- |
    /// | new | idle | does nothing |
    /// | waiting | queued | leaves the queue, hands on what it had collected |
    /// | granted | posted, woken, counted | gives all `n` back |
    /// | done | idle, `DONE` | does nothing: the permits are the caller's |
    pub(crate) struct Request {
        n: usize,
        #[pin]
        waiter: Waiter,
    }
}

impl Request {
    const_fn! {
        #[inline]
        pub(crate) fn new(n: usize) -> Self {
            Self { n, waiter: Waiter::new() }
        }
    }

    #[inline]
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// How a future that consists of this request shows itself.
    pub(crate) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("permits", &self.n)
            .field("queued", &(self.waiter.is_linked()))
            .field("done", &(self.waiter.memo() == DONE))
            .finish_non_exhaustive()
    }

    /// # Panics
    ///
    /// When polled after it was ready.
    #[inline]
    pub(crate) fn poll(self: Pin<&mut Self>, permits: &Permits, waker: &Waker) -> Poll<()> {
        let mut this = self.project();
        let ready = this.waiter.is_new() && permits.try_acquire(*this.n)
            || proceed(permits, this.waiter.as_mut(), *this.n, waker);
        if ready {
            this.waiter.set_memo(DONE);
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Gives up, wherever the request stands. To be called when its future is dropped.
    #[inline]
    pub(crate) fn abandon(self: Pin<&mut Self>, permits: &Permits) {
        let this = self.project();
        if this.waiter.phase() != Phase::Idle {
            abandon(permits, this.waiter, *this.n);
        }
    }
}

/// The next step of a request that does not get its permits at once.
#[inline(never)]
fn proceed(permits: &Permits, waiter: Pin<&mut Waiter>, n: usize, waker: &Waker) -> bool {
    if waiter.phase() != Phase::Idle {
        return permits.queue.poll(waiter, waker).is_ready();
    }
    assert!(
        waiter.memo() != DONE,
        "a future was polled after it was ready"
    );
    enqueue(permits, waiter, n, waker)
}

/// Returns whether the permits were got after all, and waits for them otherwise.
fn enqueue(permits: &Permits, mut waiter: Pin<&mut Waiter>, n: usize, waker: &Waker) -> bool {
    waiter.as_mut().settle(Place::of(waker));
    let mut queue = permits.queue.lock();
    // Relaxed: the exchange decides.
    let mut state = permits.state.load(Ordering::Relaxed);
    let lacks = loop {
        if state & QUEUED != 0 {
            break n;
        }
        let free = state / ONE;
        let (next, lacks) = match free.checked_sub(n) {
            Some(rest) => (rest * ONE, 0),
            None => (QUEUED, n - free),
        };
        // Acquire: as in `try_acquire`, for the permits we get or collect.
        match permits
            .state
            .compare_exchange_weak(state, next, Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) if lacks == 0 => return true,
            Ok(_) => break lacks,
            Err(now) => state = now,
        }
    };
    queue.push_back(waiter, lacks);
    false
}

#[inline(never)]
fn abandon(permits: &Permits, mut waiter: Pin<&mut Waiter>, n: usize) {
    {
        let mut queue = permits.queue.lock();
        if let Some(lacks) = queue.remove(waiter.as_mut()) {
            if lacks < n {
                // They were free once, so they fit.
                permits.distribute(&mut queue, n - lacks);
            }
            return;
        }
    }
    if waiter.give_up_wake().is_some() {
        permits.release(n);
    }
}
