//! Who takes part, each through the same face.
//!
//! The futures are the contestants' own, and so are the guards; only where a contestant has
//! no guard one is put around it. All are `Send`, for tasks of several threads.

mod mutexes;
mod notifiers;
mod once;
mod rwlocks;
mod semaphores;
mod tokens;

use measure::Cell;

pub(crate) use self::{
    once::{barriers, cells_made, cells_raced, cells_read, condvars, latches, wait_groups},
    rwlocks::{RwLock, RwLockWork},
    tokens::{children, herds, looks, runs},
};

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

/// What the contestants do in a row.
pub(crate) struct Cells {
    /// One for each of `NAMES`.
    pub(crate) all: Vec<Option<Cell<'static>>>,
    /// Who may let one wait without a bound while others go ahead; the report says why.
    pub(crate) unfair: &'static [&'static str],
}

fn cell(run: impl FnMut(u64) -> Vec<f64> + 'static) -> Option<Cell<'static>> {
    Some(Box::new(run))
}

/// Where nobody can be overtaken. Those that are not named lack the thing.
fn of<const N: usize>(named: [(&str, Option<Cell<'static>>); N]) -> Cells {
    let mut all: Vec<_> = NAMES.iter().map(|_| None).collect();
    for (name, cell) in named {
        let place = NAMES.iter().position(|other| *other == name);
        all[place.expect("a contestant")] = cell;
    }
    Cells { all, unfair: &[] }
}

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
pub(crate) trait SemaphoreWork: Copy + 'static {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64>;

    fn cells(self) -> Cells {
        let all = vec![
            cell(move |n| self.run::<compio_sync::Semaphore>(n)),
            cell(move |n| self.run::<tokio::sync::Semaphore>(n)),
            cell(move |n| self.run::<async_lock::Semaphore>(n)),
            cell(move |n| self.run::<asyncband::semaphore::Semaphore>(n)),
            cell(move |n| self.run::<saa::Semaphore>(n)),
            cell(move |n| self.run::<futures_intrusive::sync::Semaphore>(n)),
            cell(move |n| self.run::<maitake_sync::Semaphore>(n)),
            None,
        ];
        Cells {
            all,
            unfair: &["async-lock"],
        }
    }
}

pub(crate) trait MutexWork: Copy + 'static {
    fn run<M: Mutex + Send + Sync>(self, n: u64) -> Vec<f64>;

    fn cells(self) -> Cells {
        let all = vec![
            cell(move |n| self.run::<compio_sync::Mutex<u64>>(n)),
            cell(move |n| self.run::<tokio::sync::Mutex<u64>>(n)),
            cell(move |n| self.run::<async_lock::Mutex<u64>>(n)),
            cell(move |n| self.run::<asyncband::mutex::Mutex<u64>>(n)),
            cell(move |n| self.run::<saa::Lock>(n)),
            cell(move |n| self.run::<futures_intrusive::sync::Mutex<u64>>(n)),
            cell(move |n| self.run::<maitake_sync::Mutex<u64>>(n)),
            cell(move |n| self.run::<synchrony::sync::mutex::Mutex<u64>>(n)),
        ];
        Cells {
            all,
            unfair: &["synchrony"],
        }
    }
}

/// Without event-listener (async-lock and synchrony have its event), whose run did not end, and
/// futures-intrusive: both wake others under their own lock. compio 0.19 may make the notifier wait
/// there, and the runtime wants that lock.
pub(crate) trait NotifierWork: Copy + 'static {
    fn run<N: Notifier + Send + Sync>(self, n: u64) -> Vec<f64>;

    fn cells(self) -> Cells {
        let all = vec![
            cell(move |n| self.run::<compio_sync::Notify>(n)),
            cell(move |n| self.run::<tokio::sync::Notify>(n)),
            None,
            cell(move |n| self.run::<notifiers::Asyncband>(n)),
            cell(move |n| self.run::<saa::Gate>(n)),
            None,
            cell(move |n| self.run::<maitake_sync::WaitQueue>(n)),
            None,
        ];
        Cells { all, unfair: &[] }
    }
}
