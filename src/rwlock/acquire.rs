//! The futures that wait for the lock.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    OwnedRwLockReadGuard, OwnedRwLockUpgradableReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard, raw::Access, request::Request,
};

pin_project_lite::pin_project! {
    /// Waits to read; made by [`RwLock::read`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockRead<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        request: Request,
    }

    impl<T: ?Sized> PinnedDrop for RwLockRead<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.lock.raw);
        }
    }
}

impl<'a, T: ?Sized> RwLockRead<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            lock,
            request: Request::new(Access::Read),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockRead<'a, T> {
    type Output = RwLockReadGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let lock = *this.lock;
        this.request
            .poll(&lock.raw, cx.waker())
            .map(|()| RwLockReadGuard::new(lock))
    }
}

impl<T: ?Sized> fmt::Debug for RwLockRead<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("RwLockRead", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to read, with a share of the ownership of the lock; made by
    /// [`RwLock::read_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockReadOwned<T: ?Sized> {
        lock: Arc<RwLock<T>>,
        #[pin]
        request: Request,
    }

    impl<T: ?Sized> PinnedDrop for RwLockReadOwned<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.lock.raw);
        }
    }
}

impl<T: ?Sized> RwLockReadOwned<T> {
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            lock,
            request: Request::new(Access::Read),
        }
    }
}

impl<T: ?Sized> Future for RwLockReadOwned<T> {
    type Output = OwnedRwLockReadGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.request
            .poll(&this.lock.raw, cx.waker())
            .map(|()| OwnedRwLockReadGuard::new(Arc::clone(this.lock)))
    }
}

impl<T: ?Sized> fmt::Debug for RwLockReadOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("RwLockReadOwned", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to write; made by [`RwLock::write`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockWrite<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        request: Request,
    }

    impl<T: ?Sized> PinnedDrop for RwLockWrite<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.lock.raw);
        }
    }
}

impl<'a, T: ?Sized> RwLockWrite<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            lock,
            request: Request::new(Access::Write),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockWrite<'a, T> {
    type Output = RwLockWriteGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let lock = *this.lock;
        this.request
            .poll(&lock.raw, cx.waker())
            .map(|()| RwLockWriteGuard::new(lock))
    }
}

impl<T: ?Sized> fmt::Debug for RwLockWrite<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("RwLockWrite", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to write, with a share of the ownership of the lock; made by
    /// [`RwLock::write_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockWriteOwned<T: ?Sized> {
        lock: Arc<RwLock<T>>,
        #[pin]
        request: Request,
    }

    impl<T: ?Sized> PinnedDrop for RwLockWriteOwned<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.lock.raw);
        }
    }
}

impl<T: ?Sized> RwLockWriteOwned<T> {
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            lock,
            request: Request::new(Access::Write),
        }
    }
}

impl<T: ?Sized> Future for RwLockWriteOwned<T> {
    type Output = OwnedRwLockWriteGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.request
            .poll(&this.lock.raw, cx.waker())
            .map(|()| OwnedRwLockWriteGuard::new(Arc::clone(this.lock)))
    }
}

impl<T: ?Sized> fmt::Debug for RwLockWriteOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("RwLockWriteOwned", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to read with the right to upgrade; made by [`RwLock::upgradable_read`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockUpgradableRead<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        request: Request,
    }

    impl<T: ?Sized> PinnedDrop for RwLockUpgradableRead<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.lock.raw);
        }
    }
}

impl<'a, T: ?Sized> RwLockUpgradableRead<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            lock,
            request: Request::new(Access::Upgradable),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockUpgradableRead<'a, T> {
    type Output = RwLockUpgradableReadGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let lock = *this.lock;
        this.request
            .poll(&lock.raw, cx.waker())
            .map(|()| RwLockUpgradableReadGuard::new(lock))
    }
}

impl<T: ?Sized> fmt::Debug for RwLockUpgradableRead<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("RwLockUpgradableRead", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to read with the right to upgrade, with a share of the ownership of the lock; made by
    /// [`RwLock::upgradable_read_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockUpgradableReadOwned<T: ?Sized> {
        lock: Arc<RwLock<T>>,
        #[pin]
        request: Request,
    }

    impl<T: ?Sized> PinnedDrop for RwLockUpgradableReadOwned<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.lock.raw);
        }
    }
}

impl<T: ?Sized> RwLockUpgradableReadOwned<T> {
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            lock,
            request: Request::new(Access::Upgradable),
        }
    }
}

impl<T: ?Sized> Future for RwLockUpgradableReadOwned<T> {
    type Output = OwnedRwLockUpgradableReadGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.request
            .poll(&this.lock.raw, cx.waker())
            .map(|()| OwnedRwLockUpgradableReadGuard::new(Arc::clone(this.lock)))
    }
}

impl<T: ?Sized> fmt::Debug for RwLockUpgradableReadOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("RwLockUpgradableReadOwned", f)
    }
}
