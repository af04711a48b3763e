//! Waiting for the lock: the part that does not know of data.

use std::{
    fmt,
    pin::Pin,
    task::{Poll, Waker},
};

use super::raw::{Access, RawRwLock};
use crate::{
    sys::sync::const_fn,
    waiter_queue::{Phase, Waiter},
};

pin_project_lite::pin_project! {
    /// A request for the lock, on its way from asking to having.
    ///
    /// | stage | waiter | dropping (`abandon`) |
    /// | --- | --- | --- |
    /// | new | idle | does nothing; who upgrades gives up the upgradable lock |
    /// | waiting | queued | leaves the queue and lets in whom it kept out; who upgrades gives up the upgradable lock |
    /// | granted | posted, woken, counted | gives the lock back |
    /// | done | idle | does nothing: the lock is the caller's |
    pub(super) struct Request {
        access: Access,
        done: bool,
        #[pin]
        waiter: Waiter,
    }
}

impl Request {
    const_fn! {
        pub(super) fn new(access: Access) -> Self {
            Self { access, done: false, waiter: Waiter::new() }
        }
    }

    /// # Panics
    ///
    /// When polled after it was ready.
    #[inline]
    pub(super) fn poll(self: Pin<&mut Self>, raw: &RawRwLock, waker: &Waker) -> Poll<()> {
        let this = self.project();
        assert!(!*this.done, "a future was polled after it was ready");
        let poll = raw.poll(*this.access, this.waiter, waker);
        *this.done = poll.is_ready();
        poll
    }

    /// Gives up, wherever the request stands. To be called when its future is dropped.
    #[inline]
    pub(super) fn abandon(self: Pin<&mut Self>, raw: &RawRwLock) {
        let this = self.project();
        if !*this.done {
            raw.abandon(*this.access, this.waiter);
        }
    }

    /// How a future that consists of this request shows itself.
    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("queued", &(self.waiter.phase() == Phase::Queued))
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
