//! Waiting for the lock: the part that does not know of data.

use std::{
    fmt,
    pin::Pin,
    task::{Poll, Waker},
};

use super::raw::{Access, RawRwLock};
use crate::{sys::sync::const_fn, waiter_queue::Waiter};

pin_project_lite::pin_project! {
    /// A request for the lock, on its way from asking to having.
    ///
    /// | stage | waiter | dropping (`abandon`) |
    /// | --- | --- | --- |
    /// | new | idle | does nothing; who upgrades gives up the upgradable lock |
    /// | waiting | queued | leaves the queue and lets in whom it kept out; who upgrades gives up the upgradable lock |
    /// | granted | posted, woken, counted | gives the lock back |
    /// | done | idle, `DONE` | does nothing: the lock is the caller's |
    pub(super) struct Request {
        access: Access,
        #[pin]
        waiter: Waiter,
    }
}

/// What a request that is over writes down.
const DONE: u16 = 1;

impl Request {
    const_fn! {
        #[inline]
        pub(super) fn new(access: Access) -> Self {
            Self { access, waiter: Waiter::new() }
        }
    }

    /// # Panics
    ///
    /// When polled after it was ready.
    #[inline]
    pub(super) fn poll(self: Pin<&mut Self>, raw: &RawRwLock, waker: &Waker) -> Poll<()> {
        let this = self.project();
        let (access, mut waiter) = (*this.access, this.waiter);
        let got = waiter.is_new() && raw.try_acquire(access)
            || proceed(raw, access, waiter.as_mut(), waker);
        if got {
            waiter.set_memo(DONE);
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Gives up, wherever the request stands. To be called when its future is dropped.
    #[inline]
    pub(super) fn abandon(self: Pin<&mut Self>, raw: &RawRwLock) {
        let this = self.project();
        if this.waiter.memo() != DONE {
            raw.abandon(*this.access, this.waiter);
        }
    }

    /// How a future that consists of this request shows itself.
    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("queued", &(self.waiter.is_linked()))
            .field("done", &(self.waiter.memo() == DONE))
            .finish_non_exhaustive()
    }
}

/// The next step of a request that does not get the lock at once.
#[inline(never)]
fn proceed(raw: &RawRwLock, access: Access, waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
    assert!(
        waiter.memo() != DONE,
        "a future was polled after it was ready"
    );
    raw.poll(access, waiter, waker)
}
