//! The futures of an upgradable reader that becomes the writer.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{OwnedRwLockWriteGuard, RwLock, RwLockWriteGuard, acquire::Acquiring, raw::Access};

pin_project_lite::pin_project! {
    /// Waits until the other readers have gone; made by
    /// [`RwLockUpgradableReadGuard::upgrade`](super::RwLockUpgradableReadGuard::upgrade).
    /// Dropped before that, it gives up the upgradable lock.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockUpgrade<'a, T: ?Sized> {
        #[pin]
        inner: Acquiring<T, &'a RwLock<T>>,
    }
}

impl<'a, T: ?Sized> RwLockUpgrade<'a, T> {
    /// The caller has the upgradable lock and gives it to the future.
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            inner: Acquiring::new(lock, Access::Upgrade),
        }
    }
}

impl<'a, T: ?Sized> Future for RwLockUpgrade<'a, T> {
    type Output = RwLockWriteGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map(RwLockWriteGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockUpgrade<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.debug("RwLockUpgrade", f)
    }
}

pin_project_lite::pin_project! {
    /// Waits until the other readers have gone, with a share of the ownership
    /// of the lock; made by
    /// [`OwnedRwLockUpgradableReadGuard::upgrade`](super::OwnedRwLockUpgradableReadGuard::upgrade).
    /// Dropped before that, it gives up the upgradable lock.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RwLockUpgradeOwned<T: ?Sized> {
        #[pin]
        inner: Acquiring<T, Arc<RwLock<T>>>,
    }
}

impl<T: ?Sized> RwLockUpgradeOwned<T> {
    /// The caller has the upgradable lock and gives it to the future.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            inner: Acquiring::new(lock, Access::Upgrade),
        }
    }
}

impl<T: ?Sized> Future for RwLockUpgradeOwned<T> {
    type Output = OwnedRwLockWriteGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project()
            .inner
            .poll(cx)
            .map(OwnedRwLockWriteGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for RwLockUpgradeOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.debug("RwLockUpgradeOwned", f)
    }
}
