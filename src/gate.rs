//! A count of what is still to come, and those who wait for its end: what [`Latch`](crate::Latch) and
//! [`WaitGroup`](crate::WaitGroup) are made of.
//!
//! # State
//!
//! One word: how many are still to come, and whether somebody may be waiting. At 0 the gate is open.
//!
//! | left | `QUEUED` | to | by | under the queue's lock |
//! | --- | --- | --- | --- | --- |
//! | n | any | n + 1 | `add` | no |
//! | n | any | n - k, k < n | `take` | no, unless more was added while it went for the lock |
//! | n > 0 | no | 0 | `take` | no |
//! | n > 0 | no | yes | the first that waits | yes |
//! | n > 0 | yes | 0, no | `take`, which wakes all that wait | yes |
//! | 0 | no | 0 | `take`, if another has opened it while it went for the lock | yes |
//!
//! A waiter is queued only after it saw, under the lock, that the gate is shut, and `QUEUED` is set
//! then. So whoever is in the queue when it opens came while it was shut, and who comes after it was
//! shut again is not let through by the opening before. It stays set when the last waiter goes: who
//! opens the gate finds out.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    sys::sync::{AtomicUsize, Ordering, const_fn, say},
    waiter_queue::{Phase, Place, Waiter, WaiterQueue},
};

/// What a wait that is over writes down.
const DONE: u16 = 1;

const QUEUED: usize = 1;
const ONE: usize = 2;

/// The most that can be to come.
pub(crate) const MAX: usize = usize::MAX / ONE;

/// A gate that opens when nothing is left to come.
pub(crate) struct Gate {
    state: AtomicUsize,
    queue: WaiterQueue,
}

impl Gate {
    const_fn! {
        /// At most `MAX`.
        pub(crate) fn new(left: usize) -> Self {
            Self { state: AtomicUsize::new(left * ONE), queue: WaiterQueue::new() }
        }
    }

    #[inline]
    pub(crate) fn left(&self) -> usize {
        // Acquire: pairs with the releases in `take`: at 0, with each of them, since all of them
        // and `add` change what was there before.
        self.state.load(Ordering::Acquire) / ONE
    }

    pub(crate) fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }

    /// One more is to come. Returns false if there are too many.
    #[inline]
    pub(crate) fn add(&self) -> bool {
        // Relaxed: who adds has nothing to tell.
        self.state
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
                state.checked_add(ONE)
            })
            .is_ok()
    }

    /// `n` have come, or all that were left. Returns whether that has opened the gate.
    #[inline]
    pub(crate) fn take(&self, n: usize) -> bool {
        // Release: pairs with the acquire of whoever sees it open. Acquire: pairs with the releases
        // of those that came before, for who opens it. Relaxed: decided again below, or nothing is
        // left.
        let taken = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
                if state / ONE > n {
                    Some(state - n * ONE)
                } else {
                    (state >= ONE && state & QUEUED == 0).then_some(0)
                }
            });
        match taken {
            Ok(state) => n > 0 && state / ONE <= n,
            Err(state) => state >= ONE && self.open(n),
        }
    }

    /// The same, if somebody may be waiting.
    #[cold]
    fn open(&self, n: usize) -> bool {
        let mut opened = false;
        self.queue.wake_all_if(|| {
            // Release: as above. Acquire: as above, and for those that are woken. Relaxed: it
            // cannot fail.
            let before = self
                .state
                .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
                    Some(if state / ONE > n { state - n * ONE } else { 0 })
                })
                .unwrap_or_else(|state| state);
            // Only opening it takes the bit away, and nobody adds to an open gate that is still
            // being taken from.
            debug_assert!(before < ONE || before & QUEUED != 0, "nobody was there");
            if before < ONE {
                say("the gate is open already");
            } else if before / ONE > n {
                say("more was added to the gate");
            }
            opened = before >= ONE && before / ONE <= n;
            opened
        });
        opened
    }

    /// Under the queue's lock, by who is about to be queued: whether it is shut. Then who opens it
    /// takes the lock.
    fn is_shut(&self) -> bool {
        // Acquire: as in `left`. Relaxed: who opens it looks for waiters under the lock.
        self.state
            .fetch_update(Ordering::Relaxed, Ordering::Acquire, |state| {
                (state >= ONE).then_some(state | QUEUED)
            })
            .is_ok()
    }
}

pin_project_lite::pin_project! {
    /// The wait for a gate, which whoever holds it passes to each call; always the same.
    pub(crate) struct Wait {
        #[pin]
        waiter: Waiter,
    }
}

impl Wait {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { waiter: Waiter::new() }
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.waiter.memo() == DONE
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.waiter.is_linked()
    }

    pub(crate) fn poll(self: Pin<&mut Self>, gate: &Gate, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiter = self.project().waiter;
        assert!(
            waiter.memo() != DONE,
            "a future was polled after it was ready"
        );
        let over = if waiter.phase() == Phase::Idle {
            gate.left() == 0
                || !gate
                    .queue
                    .add_waiter_if(waiter.as_mut(), Place::of(cx.waker()), 0, || gate.is_shut())
        } else {
            gate.queue.poll(waiter.as_mut(), cx.waker()).is_ready()
        };
        if over {
            waiter.set_memo(DONE);
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// By the drop of the future.
    pub(crate) fn leave(self: Pin<&mut Self>, gate: &Gate) {
        let mut waiter = self.project().waiter;
        if waiter.phase() != Phase::Idle && gate.queue.lock().remove(waiter.as_mut()).is_none() {
            waiter.give_up_wake();
        }
    }
}
