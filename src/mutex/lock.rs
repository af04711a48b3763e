//! Waiting for the lock.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{Mutex, MutexGuard, OwnedMutexGuard, RawMutex};
use crate::{
    sys::sync::const_fn,
    waiter_queue::{Phase, Waiter},
};

pin_project_lite::pin_project! {
    /// A request for the lock, on its way from asking to having.
    ///
    /// | stage | waiter | dropping (`abandon`) |
    /// | --- | --- | --- |
    /// | new | idle | does nothing |
    /// | waiting | queued | leaves the queue |
    /// | heir | posted, woken, counted | declines: the next is woken, or gets the lock |
    /// | done | idle, `DONE` | does nothing: the lock is the caller's |
    pub(crate) struct LockRequest {
        #[pin]
        waiter: Waiter,
    }
}

/// What a request that is over writes down.
const DONE: u16 = 1;

impl LockRequest {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { waiter: Waiter::new() }
        }
    }

    /// # Panics
    ///
    /// When polled after it was ready.
    #[inline]
    pub(crate) fn poll(self: Pin<&mut Self>, raw: &RawMutex, waker: &Waker) -> Poll<()> {
        let mut waiter = self.project().waiter;
        let locked = waiter.is_new() && raw.try_lock() || proceed(raw, waiter.as_mut(), waker);
        if locked {
            waiter.set_memo(DONE);
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    #[inline]
    pub(crate) fn abandon(self: Pin<&mut Self>, raw: &RawMutex) {
        let waiter = self.project().waiter;
        if waiter.phase() != Phase::Idle {
            raw.abandon(waiter);
        }
    }

    /// How a future that consists of this request shows itself.
    pub(crate) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("queued", &(self.waiter.is_linked()))
            .field("done", &(self.waiter.memo() == DONE))
            .finish_non_exhaustive()
    }
}

/// The next step of a request that does not get the lock at once.
#[inline(never)]
fn proceed(raw: &RawMutex, waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
    assert!(
        waiter.memo() != DONE,
        "a future was polled after it was ready"
    );
    raw.poll_lock(waiter, waker).is_ready()
}

pin_project_lite::pin_project! {
    /// Waits for the lock; made by [`Mutex::lock`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Lock<'a, T: ?Sized> {
        mutex: &'a Mutex<T>,
        #[pin]
        request: LockRequest,
    }

    impl<T: ?Sized> PinnedDrop for Lock<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.mutex.raw);
        }
    }
}

impl<'a, T: ?Sized> Lock<'a, T> {
    #[inline]
    pub(super) fn new(mutex: &'a Mutex<T>) -> Self {
        Self {
            mutex,
            request: LockRequest::new(),
        }
    }
}

impl<'a, T: ?Sized> Future for Lock<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mutex = *this.mutex;
        this.request
            .poll(&mutex.raw, cx.waker())
            .map(|()| MutexGuard::new(mutex))
    }
}

impl<T: ?Sized> fmt::Debug for Lock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("Lock", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits for the lock, with a share of the ownership of the mutex; made by
    /// [`Mutex::lock_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct LockOwned<T: ?Sized> {
        mutex: Arc<Mutex<T>>,
        #[pin]
        request: LockRequest,
    }

    impl<T: ?Sized> PinnedDrop for LockOwned<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.mutex.raw);
        }
    }
}

impl<T: ?Sized> LockOwned<T> {
    pub(super) fn new(mutex: Arc<Mutex<T>>) -> Self {
        Self {
            mutex,
            request: LockRequest::new(),
        }
    }
}

impl<T: ?Sized> Future for LockOwned<T> {
    type Output = OwnedMutexGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.request
            .poll(&this.mutex.raw, cx.waker())
            .map(|()| OwnedMutexGuard::new(Arc::clone(this.mutex)))
    }
}

impl<T: ?Sized> fmt::Debug for LockOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("LockOwned", f)
    }
}
