//! What shuttle puts in place of std's atomics and threads. Only there with
//! `--cfg loom --cfg shuttle`. It tries orders at random, of steps that all threads see in
//! one order: for programs that are too large for loom.

pub(crate) use ::shuttle::{
    self as checker,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize},
    },
    thread,
};

/// loom notes which steps its models take.
pub(crate) fn note(_: &'static str, _: usize, _: usize) {}

/// `std::cell::UnsafeCell` with loom's interface.
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
