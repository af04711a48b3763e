//! The one place that names atomics, cells and locks.
//!
//! Everything above takes them from here, so that a model checker can put its
//! own in their place (`--cfg loom`, and which one: `sys/mod.rs`).

// Counting references is std's affair, which the models take for granted.
pub(crate) use std::sync::{Arc, atomic::Ordering};

#[cfg(not(loom))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize},
    thread,
};

#[cfg(loom)]
pub(crate) use super::loom::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, thread};

#[cfg(loom)]
pub(crate) use super::loom::MutexGuard as LockGuard;
#[cfg(not(loom))]
pub(crate) use std::sync::MutexGuard as LockGuard;

#[cfg(loom)]
use super::loom::Mutex as Inner;
#[cfg(not(loom))]
use std::sync::{Mutex as Inner, PoisonError};

/// A short blocking lock. No foreign code runs under it, so it is never
/// poisoned by one.
pub(crate) struct Lock<T>(Inner<T>);

impl<T> Lock<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        #[cfg(not(loom))]
        return self.0.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(loom)]
        return self.0.lock().unwrap();
    }
}

/// `std::cell::UnsafeCell` with loom's interface, under which loom sees each
/// access.
#[cfg(not(loom))]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

#[cfg(loom)]
pub(crate) use super::loom::UnsafeCell;

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// How often all of a queue were sent to a mailbox that has not been emptied since: one count for
/// the process.
#[cfg(not(loom))]
pub(crate) fn under_way() -> &'static AtomicUsize {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    &UNDER_WAY
}

#[cfg(loom)]
pub(crate) fn under_way() -> &'static AtomicUsize {
    super::loom::checker::lazy_static! {
        static ref UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    }
    &UNDER_WAY
}

/// Tells the models which step of a table is taken.
#[cfg(loom)]
pub(crate) use super::loom::note;
#[cfg(not(loom))]
#[inline(always)]
pub(crate) fn note(_: &'static str, _: usize, _: usize) {}

/// The same, of a step that changes no number.
#[inline(always)]
pub(crate) fn say(step: &'static str) {
    note(step, 0, 0);
}

/// Defines a constructor that is `const`, except under loom, whose types
/// cannot be made in a constant.
#[allow(unused_macro_rules)]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty $body:block) => {
        $(#[$meta])*
        #[cfg(not(loom))]
        $vis const fn $name($($arg: $ty),*) -> $ret $body

        $(#[$meta])*
        #[cfg(loom)]
        $vis fn $name($($arg: $ty),*) -> $ret $body
    };
}
pub(crate) use const_fn;
