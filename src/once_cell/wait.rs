//! The future of a wait for the value.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::OnceCell;
use crate::waiter_queue::{Phase, Waiter};

pin_project_lite::pin_project! {
    /// Waits until a [`OnceCell`] is set; made by [`OnceCell::wait`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct OnceCellWait<'a, T> {
        cell: &'a OnceCell<T>,
        done: bool,
        #[pin]
        waiter: Waiter,
    }

    impl<T> PinnedDrop for OnceCellWait<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.waiter.phase() != Phase::Idle {
                this.cell.raw.abandon_set(this.waiter);
            }
        }
    }
}

impl<'a, T> OnceCellWait<'a, T> {
    pub(super) fn new(cell: &'a OnceCell<T>) -> Self {
        Self {
            cell,
            done: false,
            waiter: Waiter::new(),
        }
    }
}

impl<'a, T> Future for OnceCellWait<'a, T> {
    type Output = &'a T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let this = self.project();
        assert!(!*this.done, "a future was polled after it was ready");
        ready!(this.cell.raw.poll_set(this.waiter, cx.waker()));
        *this.done = true;
        Poll::Ready(this.cell.expect_set())
    }
}

impl<T> fmt::Debug for OnceCellWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCellWait")
            .field("queued", &(self.waiter.is_linked()))
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
