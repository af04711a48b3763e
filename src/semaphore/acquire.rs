//! Waiting for permits.

use std::{
    fmt,
    future::Future,
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use crate::permits::{self, Request};

pin_project_lite::pin_project! {
    /// A request and the semaphore that it is made to, borrowed or shared.
    ///
    /// Generic, so that it is compiled where it is used: of an acquire that need not wait
    /// only the atomic operation is left then.
    struct Acquiring<S: Deref<Target = Semaphore>> {
        semaphore: S,
        #[pin]
        request: Request,
    }

    impl<S: Deref<Target = Semaphore>> PinnedDrop for Acquiring<S> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.semaphore.permits);
        }
    }
}

impl<S: Deref<Target = Semaphore>> Acquiring<S> {
    #[inline]
    #[track_caller]
    fn new(semaphore: S, n: usize) -> Self {
        assert!(
            n <= permits::MAX,
            "a semaphore never has more than Semaphore::MAX_PERMITS permits"
        );
        Self {
            semaphore,
            request: Request::new(n),
        }
    }

    #[inline]
    fn poll(self: Pin<&mut Self>, waker: &Waker) -> Poll<()> {
        let this = self.project();
        this.request.poll(&this.semaphore.permits, waker)
    }
}

pin_project_lite::pin_project! {
    /// Waits for permits; made by [`Semaphore::acquire`] and
    /// [`Semaphore::acquire_many`].
    ///
    /// It takes its place in the queue when it is first polled.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Acquire<'a> {
        #[pin]
        inner: Acquiring<&'a Semaphore>,
    }
}

impl<'a> Acquire<'a> {
    #[inline]
    #[track_caller]
    pub(super) fn new(semaphore: &'a Semaphore, n: usize) -> Self {
        Self {
            inner: Acquiring::new(semaphore, n),
        }
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = SemaphorePermit<'a>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.project().inner;
        let (semaphore, n) = (inner.semaphore, inner.request.n());
        inner
            .as_mut()
            .poll(cx.waker())
            .map(|()| SemaphorePermit::new(semaphore, n))
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.request.debug("Acquire", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits for permits that share ownership; made by [`Semaphore::acquire_owned`] and
    /// [`Semaphore::acquire_many_owned`].
    ///
    /// It takes its place in the queue when it is first polled.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct AcquireOwned {
        #[pin]
        inner: Acquiring<Arc<Semaphore>>,
    }
}

impl AcquireOwned {
    #[inline]
    #[track_caller]
    pub(super) fn new(semaphore: Arc<Semaphore>, n: usize) -> Self {
        Self {
            inner: Acquiring::new(semaphore, n),
        }
    }
}

impl Future for AcquireOwned {
    type Output = OwnedSemaphorePermit;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.project().inner;
        let n = inner.request.n();
        inner
            .as_mut()
            .poll(cx.waker())
            .map(|()| OwnedSemaphorePermit::new(Arc::clone(&inner.semaphore), n))
    }
}

impl fmt::Debug for AcquireOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.request.debug("AcquireOwned", f)
    }
}
