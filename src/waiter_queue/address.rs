//! Where a waiter is to be woken: its home, and how its waker may be called from elsewhere.

use std::{ptr::NonNull, task::Waker};

use super::{home::Home, runtime};
use crate::sys::sync::Arc;

/// What is known about a waker, and so how it may be called from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A compio task's. Called from another thread it may wait for the runtime
    /// to make room: only a few are, the others go through the mailbox.
    Task,
    /// That of a future in `Runtime::block_on`. Never waits: called directly.
    Driver,
    /// Anything else, such as a combinator's in a compio task, or that of
    /// another executor which blocks this thread inside a compio task. As many as
    /// can be are called directly, since such an executor does not look into
    /// compio's mailbox; the others go through the mailbox.
    Foreign,
}

/// The bits of an address that hold the route: a home is aligned to more.
const ROUTE: usize = 3;
const _: () = assert!(align_of::<Home>() > ROUTE);

/// Where a waiter was last polled: a home and a route, in one word.
///
/// Invariant `SHARE`: an address that has a home counts among that home's shares, which keep it
/// alive; the pointer is one of `Arc::into_raw`.
#[derive(PartialEq, Eq)]
pub(super) struct Address(*const Home);

// SAFETY: SHARE: it is a share in a home, which is `Send` and `Sync`, and is counted for all
// threads.
unsafe impl Send for Address {}
// SAFETY: as above.
unsafe impl Sync for Address {}

impl Address {
    pub(super) const NOWHERE: Self = Self(std::ptr::null());

    /// # Safety
    ///
    /// HERE (see `runtime`): `home` is one of this thread.
    #[inline]
    unsafe fn new(home: NonNull<Home>, route: Route) -> Self {
        // SAFETY: the caller's promise.
        unsafe { home.as_ref().shares().add() };
        Self(home.as_ptr().cast_const().map_addr(|a| a | route as usize))
    }

    /// The home, as a pointer that may be made an `Arc` of.
    #[inline]
    pub(super) fn home_ptr(&self) -> Option<NonNull<Home>> {
        NonNull::new(self.0.map_addr(|a| a & !ROUTE).cast_mut())
    }

    #[inline]
    pub(super) fn home(&self) -> Option<&Home> {
        // SAFETY: SHARE.
        self.home_ptr().map(|home| unsafe { home.as_ref() })
    }

    #[inline]
    pub(super) fn route(&self) -> Route {
        match self.0.addr() & ROUTE {
            0 => Route::Task,
            1 => Route::Driver,
            _ => Route::Foreign,
        }
    }

    /// Whether a waiter with this address may keep it when it is polled here, by the same
    /// waker.
    pub(super) fn is_current(&self) -> bool {
        self.home().is_none_or(|home| {
            // The other wakers are of one runtime; a foreign one may have moved to another
            // of this thread.
            home.is_here() && (self.route() != Route::Foreign || runtime::is_running(home))
        })
    }
}

impl Drop for Address {
    #[inline]
    fn drop(&mut self) {
        if let Some(home) = self.home_ptr() {
            // SAFETY: SHARE: we are one, and are gone after this.
            unsafe { Home::unshare(home) };
        }
    }
}

/// Who wants to be woken, and where.
pub(crate) struct Place {
    pub(super) waker: Option<Waker>,
    pub(super) address: Address,
}

impl Place {
    /// The place of whoever is being polled. Clones the waker, so call it
    /// without a lock.
    #[inline]
    pub(crate) fn of(waker: &Waker) -> Self {
        let address = runtime::current().map_or(Address::NOWHERE, |home| {
            // SAFETY: HERE: it has just been found.
            unsafe { Address::new(home, home.as_ref().route(waker)) }
        });
        Self {
            waker: Some(waker.clone()),
            address,
        }
    }

    /// No place yet: a waiter that keeps its turn before it is first polled.
    pub(crate) fn nowhere() -> Self {
        Self {
            waker: None,
            address: Address::NOWHERE,
        }
    }
}

/// One more owner of a home.
///
/// # Safety
///
/// The pointer is an address's (SHARE), or of an `Arc`, and the home is alive.
pub(super) unsafe fn own(home: NonNull<Home>) -> Arc<Home> {
    // SAFETY: the caller's promise.
    unsafe {
        Arc::increment_strong_count(home.as_ptr());
        Arc::from_raw(home.as_ptr())
    }
}

impl Home {
    /// One address less points to it; the last one lets go of it.
    ///
    /// # Safety
    ///
    /// SHARE: the caller is such an address, and does not use the pointer again.
    #[inline]
    unsafe fn unshare(home: NonNull<Self>) {
        // SAFETY: the caller's promise.
        let shared = unsafe { home.as_ref() };
        let last = if shared.is_here() {
            // SAFETY: HERE: its thread is this one.
            unsafe { shared.shares().remove_here() }
        } else {
            shared.shares().remove_elsewhere()
        };
        if last {
            // SAFETY: COUNT (see `shares`): said once.
            unsafe { Self::let_go(home) };
        }
    }

    /// The runtime is gone: from now on the shares are counted in one place.
    ///
    /// # Safety
    ///
    /// HERE: on the home's own thread, once; the pointer is of an `Arc`.
    pub(super) unsafe fn settle(home: NonNull<Self>) {
        // SAFETY: the caller's promise.
        unsafe {
            if home.as_ref().shares().settle() {
                Self::let_go(home);
            }
        }
    }

    /// # Safety
    ///
    /// COUNT: once, when there are no shares and will be none.
    #[cold]
    unsafe fn let_go(home: NonNull<Self>) {
        // SAFETY: the shares together own the one that `Home::new` has put aside.
        drop(unsafe { Arc::from_raw(home.as_ptr()) });
    }
}
