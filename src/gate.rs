//! A count of what is still to come, and those who wait for its end: what [`Latch`](crate::Latch) and
//! [`WaitGroup`](crate::WaitGroup) are made of.
//!
//! # State
//!
//! One word, how many are still to come. At 0 the gate is open.
//!
//! | from | to | by | under the queue's lock |
//! | --- | --- | --- | --- |
//! | n | n + 1 | `add` | no |
//! | n | n - k, k < n | `take` | no, unless the rest came while it went for the lock |
//! | n | 0, n > 0 | `take`, which wakes all that wait | yes |
//!
//! A waiter is queued only after it saw, under the lock, that the gate is shut. So whoever is in
//! the queue when it opens came while it was shut, and who comes after it was shut again is not
//! let through by the opening before.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    sys::sync::{AtomicUsize, Ordering, const_fn},
    waiter_queue::{Phase, Place, Waiter, WaiterQueue},
};

/// What a wait that is over writes down.
const DONE: u32 = 1;

/// A gate that opens when nothing is left to come.
pub(crate) struct Gate {
    left: AtomicUsize,
    queue: WaiterQueue,
}

impl Gate {
    const_fn! {
        pub(crate) fn new(left: usize) -> Self {
            Self { left: AtomicUsize::new(left), queue: WaiterQueue::new() }
        }
    }

    pub(crate) fn left(&self) -> usize {
        // Acquire: pairs with the releases in `take`: at 0, with each of them, since all of them
        // and `add` change what was there before.
        self.left.load(Ordering::Acquire)
    }

    pub(crate) fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }

    /// One more is to come. Returns false if there are too many.
    pub(crate) fn add(&self) -> bool {
        // Relaxed: who adds has nothing to tell.
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_add(1)
            })
            .is_ok()
    }

    /// `n` have come, or all that were left. Returns whether that has opened the gate.
    pub(crate) fn take(&self, n: usize) -> bool {
        // Release: pairs with the acquire of whoever sees it open. Relaxed: decided again below,
        // or nothing is left.
        let taken = self
            .left
            .fetch_update(Ordering::Release, Ordering::Relaxed, |left| {
                (left > n).then(|| left - n)
            });
        if n == 0 || taken.is_ok() || taken == Err(0) {
            return false;
        }
        let mut opened = false;
        self.queue.wake_all_if(0, || {
            // Release: as above. Acquire: pairs with the releases of those that came before, for
            // those that are woken. Relaxed: it cannot fail.
            let before = self
                .left
                .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |left| {
                    Some(left.saturating_sub(n))
                })
                .unwrap_or_else(|left| left);
            opened = before != 0 && before <= n;
            opened
        });
        opened
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
        self.waiter.phase() == Phase::Queued
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
                    .add_waiter_if(waiter.as_mut(), Place::of(cx.waker()), 0, || {
                        gate.left() != 0
                    })
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
