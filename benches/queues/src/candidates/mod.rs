//! The candidates, each as the queue of a semaphore. Three know wakers alone, and are under one
//! that is not fair (`woken_again`); the others hand a permit to the first who waits.

mod atomic_waker;
mod baseline;
mod fair_baseline;
mod lock_and_list;
mod ours;
mod woken_again;

mod segqueue;

use measure::Cell;

pub use self::{
    atomic_waker::SingleOrMany, baseline::Baseline, fair_baseline::FairBaseline, segqueue::Entries,
    woken_again::WokenAgain,
};
use crate::cqs::Cqs;

/// A permit that was got is given back by `add`.
pub trait Semaphore: Send + Sync + 'static {
    fn new(permits: usize) -> Self;
    fn acquire(&self) -> impl Future<Output = ()> + Send;
    fn add(&self, n: usize);
}

pub const NAMES: [&str; 7] = [
    "Mutex of VecDeque",
    "AtomicWaker, parking_lot",
    "SegQueue",
    "Mutex of VecDeque, fair",
    "CQS, fair",
    "lock and list, fair",
    "compio-sync, fair",
];

/// Its place among the names: the baseline under the same rules as this crate's queue.
pub const FAIR_BASELINE: usize = 3;

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
            Some(Box::new(move |n| self.run::<FairBaseline>(n))),
            Some(Box::new(move |n| self.run::<Cqs>(n))),
            Some(Box::new(move |n| {
                self.run::<futures_intrusive::sync::Semaphore>(n)
            })),
            Some(Box::new(move |n| self.run::<compio_sync::Semaphore>(n))),
        ]
    }
}
