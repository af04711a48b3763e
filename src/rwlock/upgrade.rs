//! The futures of an upgradable reader that becomes the writer.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{OwnedRwLockWriteGuard, RwLock, RwLockWriteGuard, raw::Access, request::Request};

pin_project_lite::pin_project! {
    /// Waits until the other readers have gone; made by
    /// [`RwLockUpgradableReadGuard::upgrade`](super::RwLockUpgradableReadGuard::upgrade).
    /// Dropped before that, it gives up the upgradable lock.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockUpgrade<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        request: Request,
    }

    impl<T: ?Sized> PinnedDrop for RwLockUpgrade<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.lock.raw);
        }
    }
}

impl<'a, T: ?Sized> RwLockUpgrade<'a, T> {
    /// The caller has the upgradable lock and gives it to the future.
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            lock,
            request: Request::new(Access::Upgrade),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockUpgrade<'a, T> {
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

impl<T: ?Sized> fmt::Debug for RwLockUpgrade<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("RwLockUpgrade", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits until the other readers have gone, with a share of the ownership
    /// of the lock; made by
    /// [`OwnedRwLockUpgradableReadGuard::upgrade`](super::OwnedRwLockUpgradableReadGuard::upgrade).
    /// Dropped before that, it gives up the upgradable lock.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockUpgradeOwned<T: ?Sized> {
        lock: Arc<RwLock<T>>,
        #[pin]
        request: Request,
    }

    impl<T: ?Sized> PinnedDrop for RwLockUpgradeOwned<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.lock.raw);
        }
    }
}

impl<T: ?Sized> RwLockUpgradeOwned<T> {
    /// The caller has the upgradable lock and gives it to the future.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            lock,
            request: Request::new(Access::Upgrade),
        }
    }
}

impl<T: ?Sized> Future for RwLockUpgradeOwned<T> {
    type Output = OwnedRwLockWriteGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.request
            .poll(&this.lock.raw, cx.waker())
            .map(|()| OwnedRwLockWriteGuard::new(Arc::clone(this.lock)))
    }
}

impl<T: ?Sized> fmt::Debug for RwLockUpgradeOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug("RwLockUpgradeOwned", f)
    }
}
