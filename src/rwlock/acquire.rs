//! The futures that wait for the lock.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    OwnedRwLockReadGuard, OwnedRwLockUpgradableReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard, raw::Access, request::Request,
};

pin_project_lite::pin_project! {
    /// A request and the lock that it is made to, borrowed or shared: all of these futures, but
    /// for what they ask for and the guard that they end with.
    pub(super) struct Acquiring<T: ?Sized, L: Deref<Target = RwLock<T>>> {
        lock: L,
        #[pin]
        request: Request,
        _data: PhantomData<fn(&T)>,
    }

    impl<T: ?Sized, L: Deref<Target = RwLock<T>>> PinnedDrop for Acquiring<T, L> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.request.abandon(&this.lock.raw);
        }
    }
}

impl<T: ?Sized, L: Deref<Target = RwLock<T>>> Acquiring<T, L> {
    /// Who upgrades has the upgradable lock and gives it to the request.
    pub(super) fn new(lock: L, access: Access) -> Self {
        Self {
            lock,
            request: Request::new(access),
            _data: PhantomData,
        }
    }

    /// Returns the lock when it is the caller's.
    #[inline]
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<L>
    where
        L: Clone,
    {
        let this = self.project();
        this.request
            .poll(&this.lock.raw, cx.waker())
            .map(|()| this.lock.clone())
    }

    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.debug(name, f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to read; made by [`RwLock::read`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockRead<'a, T: ?Sized> {
        #[pin]
        inner: Acquiring<T, &'a RwLock<T>>,
    }
}

impl<'a, T: ?Sized> RwLockRead<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            inner: Acquiring::new(lock, Access::Read),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockRead<'a, T> {
    type Output = RwLockReadGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map(RwLockReadGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockRead<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.debug("RwLockRead", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to read, with a share of the ownership of the lock; made by
    /// [`RwLock::read_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockReadOwned<T: ?Sized> {
        #[pin]
        inner: Acquiring<T, Arc<RwLock<T>>>,
    }
}

impl<T: ?Sized> RwLockReadOwned<T> {
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            inner: Acquiring::new(lock, Access::Read),
        }
    }
}

impl<T: ?Sized> Future for RwLockReadOwned<T> {
    type Output = OwnedRwLockReadGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map(OwnedRwLockReadGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockReadOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.debug("RwLockReadOwned", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to write; made by [`RwLock::write`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockWrite<'a, T: ?Sized> {
        #[pin]
        inner: Acquiring<T, &'a RwLock<T>>,
    }
}

impl<'a, T: ?Sized> RwLockWrite<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            inner: Acquiring::new(lock, Access::Write),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockWrite<'a, T> {
    type Output = RwLockWriteGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map(RwLockWriteGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockWrite<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.debug("RwLockWrite", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to write, with a share of the ownership of the lock; made by
    /// [`RwLock::write_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockWriteOwned<T: ?Sized> {
        #[pin]
        inner: Acquiring<T, Arc<RwLock<T>>>,
    }
}

impl<T: ?Sized> RwLockWriteOwned<T> {
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            inner: Acquiring::new(lock, Access::Write),
        }
    }
}

impl<T: ?Sized> Future for RwLockWriteOwned<T> {
    type Output = OwnedRwLockWriteGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project()
            .inner
            .poll(cx)
            .map(OwnedRwLockWriteGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockWriteOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.debug("RwLockWriteOwned", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to read with the right to upgrade; made by [`RwLock::upgradable_read`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockUpgradableRead<'a, T: ?Sized> {
        #[pin]
        inner: Acquiring<T, &'a RwLock<T>>,
    }
}

impl<'a, T: ?Sized> RwLockUpgradableRead<'a, T> {
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            inner: Acquiring::new(lock, Access::Upgradable),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockUpgradableRead<'a, T> {
    type Output = RwLockUpgradableReadGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project()
            .inner
            .poll(cx)
            .map(RwLockUpgradableReadGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockUpgradableRead<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.debug("RwLockUpgradableRead", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits to read with the right to upgrade, with a share of the ownership of the lock; made by
    /// [`RwLock::upgradable_read_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockUpgradableReadOwned<T: ?Sized> {
        #[pin]
        inner: Acquiring<T, Arc<RwLock<T>>>,
    }
}

impl<T: ?Sized> RwLockUpgradableReadOwned<T> {
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            inner: Acquiring::new(lock, Access::Upgradable),
        }
    }
}

impl<T: ?Sized> Future for RwLockUpgradableReadOwned<T> {
    type Output = OwnedRwLockUpgradableReadGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project()
            .inner
            .poll(cx)
            .map(OwnedRwLockUpgradableReadGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockUpgradableReadOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.debug("RwLockUpgradableReadOwned", f)
    }
}
