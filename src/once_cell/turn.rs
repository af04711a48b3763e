//! Whose turn it is to fill a cell; without the value.
//!
//! # State
//!
//! | bit | meaning |
//! | --- | --- |
//! | `RUNNING` | somebody has the [`Turn`], or was given it and has not come yet |
//! | `SET` | the value is there; the other bits mean nothing then |
//! | `CANDIDATES` | somebody may wait for the turn |
//! | `WAITERS` | somebody may wait for the value only |
//!
//! The last two each belong to a class of the queue. They are set under its lock, while somebody
//! is in it, and are taken down under it, except that who sets the cell overwrites them.
//!
//! # Steps
//!
//! | who | from | to |
//! | --- | --- | --- |
//! | candidate, or who sets | neither `RUNNING` nor `SET` | `RUNNING`: it has the turn |
//! | candidate | `RUNNING` | under the queue's lock: `CANDIDATES`, last of the first class |
//! | who waits | not `SET` | under the queue's lock: `WAITERS`, last of the second class |
//! | turn ends in vain | `RUNNING`, no `CANDIDATES` | not `RUNNING` |
//! | turn ends in vain | `CANDIDATES` | under the lock: the first is woken and has the turn; `RUNNING` stays |
//! | turn ends in vain | `CANDIDATES`, but they have gone | under the lock: not `RUNNING` |
//! | turn ends with a value | `RUNNING` | `SET`; then all are woken, candidates first |
//! | candidate is dropped, given the turn | `RUNNING` | its turn ends in vain |
//! | last of a class leaves | `CANDIDATES` or `WAITERS` | under the lock: not that bit |
//!
//! So candidates wait only while somebody has the turn, who ends it by one of these steps: no
//! candidate is forgotten. Two classes, since a turn that has failed is of interest to the next
//! candidate alone, whoever came before it for the value.

use std::{
    mem,
    pin::Pin,
    task::{Poll, Waker},
};

use crate::{
    sys::sync::{AtomicUsize, Ordering, const_fn, say},
    waiter_queue::{Classes, LockedClasses, Phase, Place, Waiter},
};

const RUNNING: usize = 1;
const SET: usize = 2;
const CANDIDATES: usize = 4;
const WAITERS: usize = 8;

/// What a waiter is woken for: its note. Who is queued has the first one already, since all may be
/// woken for it; the other is left to who is given the turn.
const CELL_IS_SET: usize = 0;
const HAS_THE_TURN: usize = 1;

pub(super) struct RawOnce {
    state: AtomicUsize,
    /// Candidates, and in the second class who waits for the value.
    queue: Classes,
}

/// The right to fill the cell: one at a time has it. Given up when it is dropped.
#[must_use = "dropping a turn gives it up"]
pub(super) struct Turn<'a>(&'a RawOnce);

/// Why there is no turn to be had.
#[derive(Debug)]
pub(super) enum Taken {
    Running,
    Set,
}

impl RawOnce {
    const_fn! {
        pub(super) fn new(is_set: bool) -> Self {
            Self {
                state: AtomicUsize::new(if is_set { SET } else { 0 }),
                queue: Classes::new(),
            }
        }
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        // Acquire: pairs with the release in `finish`, before which the value was written.
        self.state.load(Ordering::Acquire) & SET != 0
    }

    /// Takes the turn, or does what `otherwise` says if somebody has it.
    fn begin(&self, otherwise: usize) -> Result<Turn<'_>, Taken> {
        // Acquire: pairs with the release in `Turn::drop`, of the turn before. Relaxed, if it is
        // set: who reads the value asks `is_set`.
        let before = self
            .state
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |state| {
                if state & SET != 0 {
                    None
                } else if state & RUNNING != 0 {
                    Some(state | otherwise)
                } else {
                    Some(state | RUNNING)
                }
            });
        match before {
            Err(_) => Err(Taken::Set),
            Ok(state) if state & RUNNING != 0 => Err(Taken::Running),
            Ok(_) => Ok(Turn(self)),
        }
    }

    /// Takes the turn if nobody has it.
    pub(super) fn try_begin(&self) -> Result<Turn<'_>, Taken> {
        self.begin(0)
    }

    /// The next step of a candidate: its turn, or none if the cell is set.
    pub(super) fn poll_turn(
        &self,
        mut waiter: Pin<&mut Waiter>,
        waker: &Waker,
    ) -> Poll<Option<Turn<'_>>> {
        if waiter.phase() != Phase::Idle {
            return self
                .queue
                .poll(waiter, waker)
                .map(|note| (note == HAS_THE_TURN).then(|| Turn(self)));
        }
        match self.try_begin() {
            Ok(turn) => return Poll::Ready(Some(turn)),
            Err(Taken::Set) => return Poll::Ready(None),
            Err(Taken::Running) => {}
        }
        let mut queue = self.lock_for(waiter.as_mut(), waker);
        match self.begin(CANDIDATES) {
            Ok(turn) => Poll::Ready(Some(turn)),
            Err(Taken::Set) => Poll::Ready(None),
            Err(Taken::Running) => {
                queue.push_first_class(waiter, CELL_IS_SET);
                Poll::Pending
            }
        }
    }

    /// Locks the queue for a waiter that may be about to enter it.
    fn lock_for(&self, waiter: Pin<&mut Waiter>, waker: &Waker) -> LockedClasses<'_> {
        waiter.settle(Place::of(waker));
        self.queue.lock()
    }

    /// By a candidate that will not come, wherever it stands.
    pub(super) fn abandon_turn(&self, mut waiter: Pin<&mut Waiter>) {
        if waiter.phase() != Phase::Idle
            && !self.leave(CANDIDATES, waiter.as_mut())
            && waiter.give_up_wake() == Some(HAS_THE_TURN)
        {
            say("the chosen candidate goes");
            drop(Turn(self));
        }
    }

    /// The next step of one that waits for the value.
    pub(super) fn poll_set(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> Poll<()> {
        if waiter.phase() != Phase::Idle {
            return self.queue.poll(waiter, waker).map(|_| ());
        }
        if self.is_set() {
            return Poll::Ready(());
        }
        let mut queue = self.lock_for(waiter.as_mut(), waker);
        // Relaxed: who reads the value asks `is_set`.
        let waits = self
            .state
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
                (state & SET == 0).then_some(state | WAITERS)
            });
        if waits.is_err() {
            return Poll::Ready(());
        }
        queue.push_second_class(waiter, CELL_IS_SET);
        Poll::Pending
    }

    /// By one that does not wait for the value any more.
    pub(super) fn abandon_set(&self, mut waiter: Pin<&mut Waiter>) {
        if !self.leave(WAITERS, waiter.as_mut()) {
            waiter.give_up_wake();
        }
    }

    /// Takes a waiter of this bit's class out of the queue. Returns false if it is not there.
    fn leave(&self, bit: usize, waiter: Pin<&mut Waiter>) -> bool {
        let mut queue = self.queue.lock();
        let left = queue.remove(waiter);
        let is_empty = if bit == CANDIDATES {
            queue.is_first_class_empty()
        } else {
            queue.is_second_class_empty()
        };
        if left && is_empty {
            // Relaxed: tells that there is nothing.
            self.state.fetch_and(!bit, Ordering::Relaxed);
        }
        left
    }

    pub(super) fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }
}

impl Turn<'_> {
    /// Whether it is a turn at this cell.
    pub(super) fn is_of(&self, raw: &RawOnce) -> bool {
        std::ptr::eq(self.0, raw)
    }

    /// The value has been written: lets all know.
    pub(super) fn finish(self) {
        let raw = self.0;
        mem::forget(self);
        // Release: pairs with the acquire of whoever sees it set.
        let before = raw.state.swap(SET, Ordering::Release);
        // Who sets its bit after this does not, since it finds the cell set.
        if before & (CANDIDATES | WAITERS) != 0 {
            raw.queue.lock().wake_all();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let raw = self.0;
        // Release: pairs with the acquire in `begin`.
        let alone = raw
            .state
            .fetch_update(Ordering::Release, Ordering::Relaxed, |state| {
                (state & CANDIDATES == 0).then_some(state & !RUNNING)
            });
        if alone.is_ok() {
            return;
        }
        let mut queue = raw.queue.lock();
        if !queue.wake_first_class(HAS_THE_TURN) {
            say("the candidates have gone");
            // And so is their bit. Release: as above.
            raw.state.fetch_and(!RUNNING, Ordering::Release);
            return;
        }
        say("the turn is passed on");
        if queue.is_first_class_empty() {
            // Relaxed: tells that there is nothing; the turn goes by the wake-up.
            raw.state.fetch_and(!CANDIDATES, Ordering::Relaxed);
        }
    }
}
