//! The candidates, each as the queue of the same semaphore.

mod atomic_waker;
mod baseline;
mod lock_and_list;
mod ours;
mod woken_again;

mod segqueue;

use measure::Cell;

pub use self::{
    atomic_waker::SingleOrMany, baseline::Baseline, segqueue::Entries, woken_again::WokenAgain,
};
use crate::cqs::Cqs;

/// A permit that was got is given back by `add`.
pub trait Semaphore: Send + Sync + 'static {
    fn new(permits: usize) -> Self;
    fn acquire(&self) -> impl Future<Output = ()> + Send;
    fn add(&self, n: usize);
}

pub const NAMES: [&str; 6] = [
    "Mutex of VecDeque",
    "AtomicWaker, parking_lot",
    "SegQueue",
    "CQS, fair",
    "lock and list, fair",
    "compio-sync, fair",
];

pub trait Work: Copy {
    fn run<S: Semaphore>(self, n: u64) -> Vec<f64>;

    fn cells<'a>(self) -> Vec<Option<Cell<'a>>>
    where
        Self: 'a,
    {
        vec![
            Some(Box::new(move |n| self.run::<WokenAgain<Baseline>>(n))),
            Some(Box::new(move |n| self.run::<WokenAgain<SingleOrMany>>(n))),
            Some(Box::new(move |n| self.run::<WokenAgain<Entries>>(n))),
            Some(Box::new(move |n| self.run::<Cqs>(n))),
            Some(Box::new(move |n| {
                self.run::<futures_intrusive::sync::Semaphore>(n)
            })),
            Some(Box::new(move |n| self.run::<compio_sync::Semaphore>(n))),
        ]
    }
}
