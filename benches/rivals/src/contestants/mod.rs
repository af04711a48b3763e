//! Who takes part, each through the same face.
//!
//! The futures are the contestants' own, and so are the guards; only where a contestant has
//! no guard one is put around it. All are `Send`, for tasks of several threads.

mod mutexes;
mod notifiers;
mod semaphores;

use measure::Cell;

/// The columns. One that lacks a thing has no cell there.
pub(crate) const NAMES: [&str; 8] = [
    "compio-sync",
    "tokio",
    "async-lock",
    "asyncband",
    "saa",
    "futures-intrusive",
    "maitake-sync",
    "synchrony",
];

pub(crate) trait Semaphore: 'static {
    type Permit<'a>;

    fn new(permits: usize) -> Self;
    fn acquire(&self) -> impl Future<Output = Self::Permit<'_>>;
    fn try_acquire(&self) -> Option<Self::Permit<'_>>;
    /// Gives back a permit that was forgotten.
    fn add(&self);
    fn forget(permit: Self::Permit<'_>);
}

pub(crate) trait Mutex: 'static {
    type Guard<'a>;

    fn new() -> Self;
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>>;
    fn try_lock(&self) -> Option<Self::Guard<'_>>;
}

/// Reaches all that wait.
pub(crate) trait Notifier: 'static {
    fn new() -> Self;
    fn notified(&self) -> impl Future;
    fn notify_all(&self);
}

/// Work that any semaphore can do; likewise below.
pub(crate) trait SemaphoreWork: Copy {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64>;

    fn cells<'a>(self) -> Vec<Option<Cell<'a>>>
    where
        Self: 'a,
    {
        vec![
            Some(Box::new(move |n| self.run::<compio_sync::Semaphore>(n))),
            Some(Box::new(move |n| self.run::<tokio::sync::Semaphore>(n))),
            Some(Box::new(move |n| self.run::<async_lock::Semaphore>(n))),
            Some(Box::new(move |n| {
                self.run::<asyncband::semaphore::Semaphore>(n)
            })),
            Some(Box::new(move |n| self.run::<saa::Semaphore>(n))),
            Some(Box::new(move |n| {
                self.run::<futures_intrusive::sync::Semaphore>(n)
            })),
            Some(Box::new(move |n| self.run::<maitake_sync::Semaphore>(n))),
            None,
        ]
    }
}

pub(crate) trait MutexWork: Copy {
    fn run<M: Mutex + Send + Sync>(self, n: u64) -> Vec<f64>;

    fn cells<'a>(self) -> Vec<Option<Cell<'a>>>
    where
        Self: 'a,
    {
        vec![
            Some(Box::new(move |n| self.run::<compio_sync::Mutex<u64>>(n))),
            Some(Box::new(move |n| self.run::<tokio::sync::Mutex<u64>>(n))),
            Some(Box::new(move |n| self.run::<async_lock::Mutex<u64>>(n))),
            Some(Box::new(move |n| {
                self.run::<asyncband::mutex::Mutex<u64>>(n)
            })),
            Some(Box::new(move |n| self.run::<saa::Lock>(n))),
            Some(Box::new(move |n| {
                self.run::<futures_intrusive::sync::Mutex<u64>>(n)
            })),
            Some(Box::new(move |n| self.run::<maitake_sync::Mutex<u64>>(n))),
            Some(Box::new(move |n| {
                self.run::<synchrony::sync::mutex::Mutex<u64>>(n)
            })),
        ]
    }
}

/// Without event-listener (async-lock and synchrony have its event), whose run did not end, and
/// futures-intrusive: both wake others under their own lock. compio 0.19 may make the notifier wait
/// there, and the runtime wants that lock.
pub(crate) trait NotifierWork: Copy {
    fn run<N: Notifier + Send + Sync>(self, n: u64) -> Vec<f64>;

    fn cells<'a>(self) -> Vec<Option<Cell<'a>>>
    where
        Self: 'a,
    {
        vec![
            Some(Box::new(move |n| self.run::<compio_sync::Notify>(n))),
            Some(Box::new(move |n| self.run::<tokio::sync::Notify>(n))),
            None,
            Some(Box::new(move |n| self.run::<notifiers::Asyncband>(n))),
            Some(Box::new(move |n| self.run::<saa::Gate>(n))),
            None,
            Some(Box::new(move |n| self.run::<maitake_sync::WaitQueue>(n))),
            None,
        ]
    }
}
