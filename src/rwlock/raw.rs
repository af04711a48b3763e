//! The lock of a read-write lock, without data: strictly first come, first served.
//!
//! # State
//!
//! One word: who has the lock, and whether somebody waits.
//!
//! | bit | meaning |
//! | --- | --- |
//! | `QUEUED` | somebody waits |
//! | `WRITER` | a writer has the lock; then nobody else has |
//! | `UPGRADABLE` | one reader has it who may become the writer; other readers may be there |
//! | the rest | how many other readers have it |
//!
//! # Steps
//!
//! | who | from | to |
//! | --- | --- | --- |
//! | reader comes | not `QUEUED`, not `WRITER`, fewer than `MAX_READERS` | one reader more |
//! | upgradable comes | not `QUEUED`, nor `WRITER`, nor `UPGRADABLE`, fewer than `MAX_READERS` | `UPGRADABLE` |
//! | writer comes | nothing | `WRITER` |
//! | upgradable upgrades | `UPGRADABLE` alone | `WRITER` |
//! | the same | with `QUEUED`, no readers | under the queue's lock: `WRITER` |
//! | any of them | otherwise | under the queue's lock: `QUEUED`, last in the queue; who upgrades is first |
//! | reader goes | readers | one less; with `QUEUED`, if it was the last or there were too many: `distribute` |
//! | writer or upgradable goes | `WRITER`, `UPGRADABLE` | without it; with `QUEUED`: `distribute` |
//! | writer steps down | `WRITER` | one reader, or `UPGRADABLE`; with `QUEUED`: `distribute` |
//! | upgradable steps down | `UPGRADABLE` | one reader more; with `QUEUED`: `distribute` |
//! | `distribute` | `QUEUED`, and the first may have the lock | it has it, and is woken; and so on |
//! | `distribute` | `QUEUED`, nobody is left | not `QUEUED` |
//!
//! Invariant `TURNS`: `QUEUED` changes only under the queue's lock, and is set if and only
//! if the queue is not empty, whenever that lock is free. While it is set, the lock is taken
//! and upgraded under the queue's lock alone; holders may go or step down at any time, and
//! that never takes from others what they could have. So what `distribute` finds allowed
//! stays allowed until it has done it, and nobody gets in between.
//!
//! Invariant `NOBODY SLEEPS`: whenever the queue's lock is free, the first waiter may not
//! have the lock, or somebody who has gone is about to call `distribute`.
//!
//! A waiter has the lock before it is woken: it may come, and go again, at once.

use std::{fmt, pin::Pin, task::Waker};

use crate::{
    sys::sync::{AtomicUsize, Ordering, const_fn},
    waiter_queue::{Locked, Phase, Place, Waiter, WaiterQueue},
};

const QUEUED: usize = 1;
const WRITER: usize = 2;
const UPGRADABLE: usize = 4;
const ONE: usize = 8;

/// How many readers there are at once. One more may come of an upgradable that steps down;
/// no upgradable is let in then.
#[cfg(not(loom))]
const MAX_READERS: usize = usize::MAX / ONE / 2;
/// Small, so that models reach it.
#[cfg(loom)]
const MAX_READERS: usize = 3;

/// More readers than these are told through their runtimes' mailboxes alone.
const FEW: usize = 4;

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Access {
    Read,
    Write,
    Upgradable,
    /// By who has `Upgradable`: to write.
    Upgrade,
}

impl Access {
    fn of(note: usize) -> Self {
        match note {
            0 => Self::Read,
            1 => Self::Write,
            2 => Self::Upgradable,
            3 => Self::Upgrade,
            _ => unreachable!("notes are only written by `enqueue`"),
        }
    }

    /// What the state has of one who was given this.
    fn share(self) -> usize {
        match self {
            Self::Read => ONE,
            Self::Write | Self::Upgrade => WRITER,
            Self::Upgradable => UPGRADABLE,
        }
    }

    /// The state when this is given to somebody, if it may be.
    #[inline]
    fn give(self, state: usize) -> Option<usize> {
        let has_room = state / ONE < MAX_READERS;
        let (may, next) = match self {
            Self::Read => (state & WRITER == 0 && has_room, state + ONE),
            Self::Write => (state & !QUEUED == 0, state | WRITER),
            Self::Upgradable => (
                state & (WRITER | UPGRADABLE) == 0 && has_room,
                state | UPGRADABLE,
            ),
            Self::Upgrade => (state / ONE == 0, state & !UPGRADABLE | WRITER),
        };
        may.then_some(next)
    }
}

pub(crate) struct RawRwLock {
    state: AtomicUsize,
    queue: WaiterQueue,
}

impl RawRwLock {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { state: AtomicUsize::new(0), queue: WaiterQueue::new() }
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        // Relaxed: may be old when it is read.
        self.state.load(Ordering::Relaxed) & !QUEUED != 0
    }

    pub(crate) fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }

    /// Takes the lock if it may be had and nobody waits.
    #[inline]
    pub(crate) fn try_acquire(&self, access: Access) -> bool {
        // Relaxed: the exchange decides.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if state & QUEUED != 0 {
                return false;
            }
            let Some(next) = access.give(state) else {
                return false;
            };
            // Acquire: pairs with the release of those who went or stepped down: what they
            // did with the data lies before what we do.
            match self.state.compare_exchange_weak(
                state,
                next,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
    }

    /// By an upgradable: becomes the writer if there are no other readers, whoever waits.
    pub(crate) fn try_upgrade(&self) -> bool {
        self.try_acquire(Access::Upgrade) || {
            let _queue = self.queue.lock();
            self.give_to_newcomer(Access::Upgrade, false)
        }
    }

    #[inline]
    pub(crate) fn release(&self, access: Access) {
        match access {
            Access::Read => self.release_read(),
            Access::Write | Access::Upgrade | Access::Upgradable => {
                self.step_down(access.share(), 0);
            }
        }
    }

    #[inline]
    fn release_read(&self) {
        // Release: pairs with the acquire of the next writer, in `try_acquire`,
        // `give_to_newcomer` or `distribute`.
        let before = self.state.fetch_sub(ONE, Ordering::Release);
        let readers = before / ONE;
        debug_assert!(readers > 0, "a reader goes that never came");
        if before & QUEUED != 0 && (readers == 1 || readers >= MAX_READERS) {
            self.distribute_cold();
        }
    }

    /// By the writer, who stays as a reader.
    pub(crate) fn downgrade(&self) {
        self.step_down(WRITER, ONE);
    }

    /// By the writer, who stays as an upgradable.
    pub(crate) fn downgrade_to_upgradable(&self) {
        self.step_down(WRITER, UPGRADABLE);
    }

    /// By the upgradable, who stays as another reader.
    pub(crate) fn downgrade_upgradable(&self) {
        self.step_down(UPGRADABLE, ONE);
    }

    #[inline]
    fn step_down(&self, from: usize, to: usize) {
        // Release: as in `release_read`, and for readers too.
        let before = self
            .state
            .fetch_add(to.wrapping_sub(from), Ordering::Release);
        debug_assert!(before & from != 0, "somebody goes who never came");
        if before & QUEUED != 0 {
            self.distribute_cold();
        }
    }

    #[cold]
    fn distribute_cold(&self) {
        self.distribute(&mut self.queue.lock());
    }

    /// Gives the lock to those who wait, first come first served, as far as it goes.
    fn distribute(&self, queue: &mut Locked<'_>) {
        loop {
            queue.make_room();
            // Acquire: pairs with the release of those who went or stepped down; the waiters
            // get it through their phase.
            let state = self.state.load(Ordering::Acquire);
            if state & QUEUED == 0 {
                return;
            }
            let Some(access) = queue.first().map(Access::of) else {
                // Relaxed: hands over no data.
                self.state.fetch_sub(QUEUED, Ordering::Relaxed);
                return;
            };
            let Some(next) = access.give(state) else {
                return;
            };
            if access == Access::Read {
                self.let_readers_in(queue, state / ONE);
            } else {
                let next = next - usize::from(queue.len() == 1) * QUEUED;
                // A sum: readers may have gone meanwhile. Relaxed: hands over no data; what
                // others released is passed on by any change.
                self.state
                    .fetch_add(next.wrapping_sub(state), Ordering::Relaxed);
                queue.wake_first();
            }
        }
    }

    /// Lets in the readers that stand first, when there are so many already. First the state
    /// has one for each who waits, since whoever is woken may go at once; then those are
    /// taken out who did not come. A reader that goes in between may take itself for not the
    /// last: the caller looks again.
    fn let_readers_in(&self, queue: &mut Locked<'_>, readers: usize) {
        let most = queue.len().min(MAX_READERS - readers);
        if most > FEW {
            queue.expect_many();
        }
        // Relaxed, here and below: as in `distribute`.
        self.state.fetch_add(most * ONE, Ordering::Relaxed);
        let mut rest = most;
        while rest > 0 && queue.first() == Some(Access::Read as usize) && queue.has_room() {
            queue.wake_first();
            rest -= 1;
        }
        let less = rest * ONE + usize::from(queue.is_empty()) * QUEUED;
        if less > 0 {
            self.state.fetch_sub(less, Ordering::Relaxed);
        }
    }

    /// Under the queue's lock: gives the lock to somebody who does not wait yet, if it is its
    /// turn. Otherwise says that somebody waits, if that is to be so.
    fn give_to_newcomer(&self, access: Access, waits: bool) -> bool {
        // Relaxed: the exchange decides.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let is_next = state & QUEUED == 0 || access == Access::Upgrade;
            let given = if is_next { access.give(state) } else { None };
            let next = match given {
                Some(next) => next,
                None if !waits || state & QUEUED != 0 => return false,
                None => state | QUEUED,
            };
            // Acquire: as in `try_acquire`.
            match self.state.compare_exchange_weak(
                state,
                next,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return given.is_some(),
                Err(now) => state = now,
            }
        }
    }

    /// The next step of a waiter that did not get the lock by `try_acquire`. If it is true, the
    /// caller has it.
    #[inline]
    pub(crate) fn poll(&self, access: Access, waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        match waiter.phase() {
            Phase::Idle => self.enqueue(access, waiter, waker),
            _ => self.queue.poll(waiter, waker).is_ready(),
        }
    }

    /// Queues a newcomer. Returns true if it got the lock after all.
    fn enqueue(&self, access: Access, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        waiter.as_mut().settle(Place::of(waker));
        let mut queue = self.queue.lock();
        let got = self.give_to_newcomer(access, true);
        if !got && access == Access::Upgrade {
            // All others wait for it anyway, but for readers.
            queue.push_front(waiter, access as usize);
        } else if !got {
            queue.push_back(waiter, access as usize);
        }
        got
    }

    /// Gives up, wherever the waiter stands; who upgrades gives up what it has, too.
    pub(crate) fn abandon(&self, access: Access, mut waiter: Pin<&mut Waiter>) {
        if waiter.phase() != Phase::Idle {
            let mut queue = self.queue.lock();
            if queue.remove(waiter.as_mut()).is_some() {
                if access == Access::Upgrade {
                    // Release: as in `step_down`.
                    self.state.fetch_sub(UPGRADABLE, Ordering::Release);
                }
                // It may have been the first, and kept others out.
                self.distribute(&mut queue);
                return;
            }
        }
        if waiter.give_up_wake().is_some() {
            self.release(access);
        } else if access == Access::Upgrade {
            self.release(Access::Upgradable);
        }
    }
}

impl fmt::Debug for RawRwLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRwLock")
            .field("locked", &self.is_locked())
            .field("waiters", &self.queue.waiter_count())
            .finish()
    }
}
