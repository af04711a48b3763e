//! Waiting for permits.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use crate::permits::{self, Request};

#[track_caller]
fn new_request(n: usize) -> Request {
    assert!(
        n <= permits::MAX,
        "a semaphore never has more than Semaphore::MAX_PERMITS permits"
    );
    Request::new(n)
}

pin_project_lite::pin_project! {
    /// Waits for permits; made by [`Semaphore::acquire`] and
    /// [`Semaphore::acquire_many`].
    ///
    /// It takes its place in the queue when it is first polled.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Acquire<'a> {
        semaphore: &'a Semaphore,
        #[pin]
        request: Request,
    }

    impl PinnedDrop for Acquire<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.semaphore.permits);
        }
    }
}

impl<'a> Acquire<'a> {
    #[track_caller]
    pub(super) fn new(semaphore: &'a Semaphore, n: usize) -> Self {
        Self {
            semaphore,
            request: new_request(n),
        }
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = SemaphorePermit<'a>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let semaphore = *this.semaphore;
        let n = this.request.n();
        this.request
            .poll(&semaphore.permits, cx.waker())
            .map(|()| SemaphorePermit::new(semaphore, n))
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("Acquire", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits for permits that share ownership; made by [`Semaphore::acquire_owned`] and
    /// [`Semaphore::acquire_many_owned`].
    ///
    /// It takes its place in the queue when it is first polled.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct AcquireOwned {
        semaphore: Arc<Semaphore>,
        #[pin]
        request: Request,
    }

    impl PinnedDrop for AcquireOwned {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.semaphore.permits);
        }
    }
}

impl AcquireOwned {
    #[track_caller]
    pub(super) fn new(semaphore: Arc<Semaphore>, n: usize) -> Self {
        Self {
            semaphore,
            request: new_request(n),
        }
    }
}

impl Future for AcquireOwned {
    type Output = OwnedSemaphorePermit;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let n = this.request.n();
        this.request
            .poll(&this.semaphore.permits, cx.waker())
            .map(|()| OwnedSemaphorePermit::new(Arc::clone(this.semaphore), n))
    }
}

impl fmt::Debug for AcquireOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("AcquireOwned", f)
    }
}
