//! The lock of a mutex, without data: boundedly unfair.
//!
//! A mutex that always hands the lock to the first waiter makes every holder wait
//! for a task switch once somebody waits (a convoy). One that never does lets a
//! busy task starve the others. This one lets whoever runs take a free lock, but
//! counts: a woken waiter is overtaken at most [`OVERTAKES`] times. One that comes in
//! vain is the first in the queue again, and still counted; if it has been overtaken
//! [`PATIENCE`] times by then, the next unlock hands the lock over. It may look again for a
//! moment first (see `sys::spin`), and then ask to be handed the lock: it is awake.
//!
//! # State
//!
//! | bit | meaning |
//! | --- | --- |
//! | `LOCKED` | somebody has the lock, or it is kept for the heir |
//! | `QUEUED` | the queue is not empty |
//! | `HEIR` | a waiter has been taken out of the queue and woken, and has not come yet, or asks |
//! | `KEPT` | with `LOCKED` and `HEIR`: the lock is the heir's |
//! | `ASKS` | with `HEIR`: it has come, and looks for the lock to be handed over |
//! | the rest | how often the heir has been overtaken or, if there is none, the first waiter |
//!
//! # Steps
//!
//! | who | from | to |
//! | --- | --- | --- |
//! | lock | not `LOCKED` | `LOCKED` (whoever waits) |
//! | lock | `LOCKED` | under the queue's lock: `QUEUED`, last in the queue |
//! | unlock | `LOCKED` alone | free |
//! | unlock | `HEIR`, not `ASKS`, count + 1 < `OVERTAKES` | not `LOCKED`, count + 1 |
//! | unlock | `HEIR`, else | `KEPT` |
//! | unlock | `QUEUED`, no `HEIR`, count < `PATIENCE` | under the queue's lock: the first becomes `HEIR` and is woken; not `LOCKED` |
//! | unlock | `QUEUED`, no `HEIR`, else | the same, but `KEPT` |
//! | the same, under the queue's lock | all had left before | free; or `KEPT`, if a newcomer asks |
//! | heir comes or looks | `KEPT`, or not `LOCKED` | `LOCKED`, no `HEIR`, count 0 |
//! | heir has looked | any | `ASKS` |
//! | newcomer has looked | `LOCKED` alone | `HEIR`, `ASKS` |
//! | heir has come or asked in vain | `LOCKED` by another | under the queue's lock: first in the queue, `QUEUED`, no `HEIR`, count + 1 |
//! | newcomer has asked in vain | `LOCKED` by the same | the same, but count 0 |
//! | heir is dropped | `KEPT` | it has the lock, and unlocks |
//! | heir is dropped | not `LOCKED`, `QUEUED` | under the queue's lock: the next becomes heir, count 0 |
//! | heir is dropped | otherwise | no `HEIR`, count 0 |
//! | last waiter leaves | `QUEUED` | under the queue's lock: not `QUEUED`; count 0 if no `HEIR` |
//!
//! Invariant `SOMEBODY`: while the queue is not empty there is a holder or an heir,
//! so somebody will come by who takes care of the first waiter.
//!
//! Invariant `QUEUE BIT`: `QUEUED` and the making of an heir out of a waiter change
//! only under the queue's lock; `QUEUED` is set if and only if the queue is not
//! empty, whenever that lock is free.
//!
//! Invariant `COUNT`: nobody is overtaken more often than it is counted, and without a
//! waiter and an heir it is 0. Who becomes the first because the one before leaves is left
//! that one's count, and so gets the lock the sooner.

use std::{
    fmt,
    hint::cold_path,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Poll, Waker},
};

use crate::{
    sys::{
        spin,
        sync::{AtomicUsize, Ordering, const_fn, say},
    },
    waiter_queue::{Locked, Phase, Place, Waiter, WaiterQueue},
};

const LOCKED: usize = 1;
const QUEUED: usize = 2;
const HEIR: usize = 4;
const KEPT: usize = 8;
const ASKS: usize = 16;
const ONE: usize = 32;

/// How often a woken waiter is overtaken at most.
#[cfg(not(loom))]
const OVERTAKES: usize = 64;
/// How often one that comes in vain, and does not ask, has to have been overtaken for the lock to
/// be handed to it. A hand-over costs a task switch; the longest wait grows with this.
#[cfg(not(loom))]
const PATIENCE: usize = 3;

/// Small, so that models reach it.
#[cfg(loom)]
const OVERTAKES: usize = 2;
/// More than 1, so that models come in vain without being served next.
#[cfg(loom)]
const PATIENCE: usize = 2;

// Who comes in vain is overtaken meanwhile, too.
const _: () = assert!(PATIENCE <= OVERTAKES);

/// What is left of a state when the heir has come or gone.
const WITHOUT_HEIR: usize = LOCKED | QUEUED;

pub(crate) struct RawMutex {
    state: AtomicUsize,
    queue: WaiterQueue,
}

impl RawMutex {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { state: AtomicUsize::new(0), queue: WaiterQueue::new() }
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        // Relaxed: may be old when it is read.
        self.state.load(Ordering::Relaxed) & LOCKED != 0
    }

    pub(crate) fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        // One step, whoever waits. Acquire: pairs with the release in `unlock`.
        let was_free = self.state.fetch_or(LOCKED, Ordering::Acquire) & LOCKED == 0;
        if !was_free {
            // A jump is guessed; what is chosen without one has to be waited for.
            cold_path();
        }
        was_free
    }

    /// Changes the state to what `f` makes of it, as one step. `Err` if `f` does not
    /// want to. Orderings as on success; every failure is read again.
    fn change(
        &self,
        success: Ordering,
        f: impl FnMut(usize) -> Option<usize>,
    ) -> Result<usize, usize> {
        // Relaxed: only the exchange that succeeds counts.
        self.change_from(self.state.load(Ordering::Relaxed), success, f)
    }

    /// The same, by who has just seen the state.
    fn change_from(
        &self,
        mut state: usize,
        success: Ordering,
        mut f: impl FnMut(usize) -> Option<usize>,
    ) -> Result<usize, usize> {
        while let Some(next) = f(state) {
            // Relaxed: as in `change`.
            match self
                .state
                .compare_exchange_weak(state, next, success, Ordering::Relaxed)
            {
                Ok(before) => return Ok(before),
                Err(now) => state = now,
            }
        }
        Err(state)
    }

    /// By the holder.
    #[inline]
    pub(crate) fn unlock(&self) {
        // Release: pairs with the acquire of the next holder.
        if let Err(state) =
            self.state
                .compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed)
        {
            self.unlock_slow(state);
        }
    }

    #[cold]
    fn unlock_slow(&self, state: usize) {
        // Release: as in `unlock`.
        let done = self.change_from(state, Ordering::Release, |state| {
            debug_assert!(state & (LOCKED | KEPT) == LOCKED, "unlocked by no holder");
            if state & HEIR != 0 {
                // The holder has overtaken the heir just now.
                Some(if state & ASKS == 0 && state / ONE + 1 < OVERTAKES {
                    (state & !LOCKED) + ONE
                } else {
                    state | KEPT
                })
            } else if state & QUEUED == 0 {
                Some(state & !LOCKED)
            } else {
                None
            }
        });
        if done.is_err() {
            self.pass_on(&mut self.queue.lock());
        }
    }

    /// By the holder, when somebody waited and there was no heir: makes the first waiter the
    /// heir. While we hold the lock nobody else can; but all may have left by now, and a newcomer
    /// have made itself the heir, who goes on asking as long as we hold the queue's lock.
    fn pass_on(&self, queue: &mut Locked<'_>) {
        let next = match queue.len() {
            0 => 0,
            1 => HEIR,
            _ => HEIR | QUEUED,
        };
        // Release: as in `unlock`.
        let before = self.change(Ordering::Release, |state| {
            let count = state / ONE;
            Some(match next {
                _ if state & HEIR != 0 => state | KEPT,
                0 => 0,
                _ if count < PATIENCE => next + count * ONE,
                _ => (next | LOCKED | KEPT) + count * ONE,
            })
        });
        if before.is_ok_and(|state| state & HEIR != 0) {
            say("a newcomer asks who came when all had left");
            return;
        }
        // After the state says that there is an heir: it may come at once.
        queue.wake_first();
    }

    /// The next step of a waiter on its way to the lock, which has been tried if it is
    /// the first. When ready, the caller is the holder.
    pub(crate) fn poll_lock(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> Poll<()> {
        let got = if waiter.phase() == Phase::Idle {
            self.come(waiter, waker)
        } else {
            let is_from_elsewhere = waiter.is_woken_from_elsewhere();
            if self.queue.poll(waiter.as_mut(), waker).is_pending() {
                return Poll::Pending;
            }
            if is_from_elsewhere {
                spin::has_met_another_at(self);
            }
            self.inherit() || self.come_as_heir(waiter, waker)
        };
        if got { Poll::Ready(()) } else { Poll::Pending }
    }

    /// By a newcomer, who found the lock taken. Returns true if it got it after all, and
    /// queues it otherwise.
    #[cold]
    fn come(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        waiter.as_mut().settle(Place::of(waker));
        if spin::is_worthwhile(self) {
            // Relaxed: a hint.
            let is_free = || self.state.load(Ordering::Relaxed) & LOCKED == 0;
            if spin::look_again(|| is_free() && self.try_lock()) {
                return true;
            }
            if self.claim() {
                // Whoever has the lock had it before.
                return self.look_asking(waiter, 0);
            }
            spin::was_in_vain();
        }
        let mut queue = self.queue.lock();
        // Acquire: pairs with the release in `unlock`.
        let before = self.change(Ordering::Acquire, |state| {
            Some(state | if state & LOCKED == 0 { LOCKED } else { QUEUED })
        });
        let got = before.is_ok_and(|state| state & LOCKED == 0);
        if !got {
            queue.push_back(waiter, 0);
        }
        got
    }

    /// By a newcomer: makes it the heir if nobody waits, and asks.
    fn claim(&self) -> bool {
        // Relaxed: passes nothing on.
        self.state
            .compare_exchange(
                LOCKED,
                LOCKED | HEIR | ASKS,
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// By the heir, who has come: takes the lock if it may.
    fn inherit(&self) -> bool {
        // Acquire: pairs with the release in `unlock`.
        self.change(Ordering::Acquire, |state| {
            may_inherit(state).then_some(state & WITHOUT_HEIR | LOCKED)
        })
        .is_ok()
    }

    /// By the heir, who found the lock taken. Returns true if it got it after all, and queues
    /// it otherwise.
    #[cold]
    fn come_as_heir(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        match catch_unwind(AssertUnwindSafe(|| Place::of(waker))) {
            Ok(place) => waiter.as_mut().settle(place),
            Err(panic) => {
                // Still the heir, who declines when it is dropped.
                waiter.put_back_wake();
                resume_unwind(panic);
            }
        }
        if spin::is_worthwhile(self) {
            if self.look() {
                return true;
            }
            // Relaxed: passes nothing on. If it comes too late, `look` sees why.
            self.state.fetch_or(ASKS, Ordering::Relaxed);
            return self.look_asking(waiter, 1);
        }
        self.come_in_vain(waiter, 1)
    }

    /// By the heir: looks again for a moment.
    fn look(&self) -> bool {
        // Relaxed: a hint.
        let may = || may_inherit(self.state.load(Ordering::Relaxed));
        spin::look_again(|| may() && self.inherit())
    }

    /// The same when it has asked, and is queued if that is in vain.
    fn look_asking(&self, waiter: Pin<&mut Waiter>, overtaken: usize) -> bool {
        if self.look() {
            return true;
        }
        spin::was_in_vain();
        self.come_in_vain(waiter, overtaken)
    }

    /// By the heir: is the first in the queue again. The holder, who will not see at its unlock
    /// that it has overtaken the heir, has done so `overtaken` times. Returns true if the heir got
    /// the lock after all.
    fn come_in_vain(&self, waiter: Pin<&mut Waiter>, overtaken: usize) -> bool {
        let mut queue = self.queue.lock();
        // Acquire: as in `inherit`.
        let before = self.change(Ordering::Acquire, |state| {
            let rest = state & WITHOUT_HEIR | LOCKED;
            Some(if may_inherit(state) {
                rest
            } else {
                (rest | QUEUED) + (state / ONE + overtaken) * ONE
            })
        });
        let got = before.is_ok_and(may_inherit);
        if !got {
            queue.push_front(waiter, 0);
        }
        got
    }

    /// Gives up, wherever the waiter stands.
    pub(crate) fn abandon(&self, mut waiter: Pin<&mut Waiter>) {
        if waiter.phase() != Phase::Idle
            && !self.leave(waiter.as_mut())
            && waiter.give_up_wake().is_some()
        {
            self.decline();
        }
    }

    /// Takes a waiter out of the queue. Returns false if it is not there.
    fn leave(&self, waiter: Pin<&mut Waiter>) -> bool {
        let mut queue = self.queue.lock();
        let left = queue.remove(waiter).is_some();
        if left && queue.is_empty() {
            // Relaxed: hands over no data. SOMEBODY holds for no one now.
            let _never_declined = self.change(Ordering::Relaxed, |state| {
                Some(if state & HEIR == 0 {
                    state & LOCKED
                } else {
                    state & !QUEUED
                })
            });
        }
        left
    }

    /// By the heir, who will not come.
    fn decline(&self) {
        // Acquire: if the lock was kept for us we have it now, and let it go.
        let before = self.change(Ordering::Acquire, |state| {
            (state & (LOCKED | QUEUED) != QUEUED).then_some(state & WITHOUT_HEIR)
        });
        match before {
            Ok(state) if state & KEPT != 0 => {
                say("the heir goes from the kept lock");
                self.unlock();
            }
            Ok(_) => {}
            Err(_) => self.decline_for_the_next(),
        }
    }

    /// The same, when the lock was free and others wait.
    #[cold]
    fn decline_for_the_next(&self) {
        let mut queue = self.queue.lock();
        let next = match queue.len() {
            0 => 0,
            1 => HEIR,
            _ => HEIR | QUEUED,
        };
        // Acquire: as in `decline`.
        let before = self.change(Ordering::Acquire, |state| {
            Some(if state & LOCKED == 0 {
                next
            } else {
                state & WITHOUT_HEIR
            })
        });
        match before {
            Ok(state) if state & LOCKED == 0 => {
                queue.wake_first();
            }
            Ok(state) if state & KEPT != 0 => {
                say("the heir goes, and meanwhile the lock was kept");
                drop(queue);
                self.unlock();
            }
            _ => {}
        }
    }
}

/// Whether the heir, who has come, may take the lock.
fn may_inherit(state: usize) -> bool {
    state & LOCKED == 0 || state & KEPT != 0
}

impl fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMutex")
            .field("locked", &self.is_locked())
            .field("waiters", &self.queue.waiter_count())
            .finish()
    }
}
