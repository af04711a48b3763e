//! Readers and writers: alone, of one runtime, of two.

use std::{
    cell::Cell,
    hint::black_box,
    rc::Rc,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use compio::runtime::spawn;

use super::{contended::Gathering, each, in_runtimes, in_task, repeat, turn};
use crate::contestants::{RwLock, RwLockWork};

/// Nobody else is there.
#[derive(Clone, Copy)]
pub(crate) struct Read;

impl RwLockWork for Read {
    fn run<L: RwLock + Send + Sync>(self, n: u64) -> Vec<f64> {
        in_task(async move {
            let lock = L::new();
            let lock = black_box(&lock);
            let start = Instant::now();
            for _ in 0..n {
                drop(black_box(lock.read().await));
            }
            each(start.elapsed(), n)
        })
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Write;

impl RwLockWork for Write {
    fn run<L: RwLock + Send + Sync>(self, n: u64) -> Vec<f64> {
        in_task(async move {
            let lock = L::new();
            let lock = black_box(&lock);
            let start = Instant::now();
            for _ in 0..n {
                drop(black_box(lock.write().await));
            }
            each(start.elapsed(), n)
        })
    }
}

#[derive(Clone, Copy)]
pub(crate) struct TryRead;

impl RwLockWork for TryRead {
    fn run<L: RwLock + Send + Sync>(self, n: u64) -> Vec<f64> {
        repeat(n, &L::new(), |lock| {
            drop(black_box(lock.try_read()));
        })
    }
}

/// So many readers come while there is a writer. For one of them, from when the writer goes
/// until all have been there: so the same is done whoever is preferred.
#[derive(Clone, Copy)]
pub(crate) struct LetIn(pub(crate) usize);

impl RwLockWork for LetIn {
    fn run<L: RwLock + Send + Sync>(self, n: u64) -> Vec<f64> {
        in_task(async move {
            let lock = Rc::new(L::new());
            let rounds = n.div_ceil(self.0 as u64);
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                let writer = lock.write().await;
                let come = Rc::new(Cell::new(0));
                let readers: Vec<_> = (0..self.0)
                    .map(|_| {
                        let (lock, come) = (lock.clone(), come.clone());
                        spawn(async move {
                            come.set(come.get() + 1);
                            drop(black_box(lock.read().await));
                        })
                    })
                    .collect();
                while come.get() < self.0 {
                    turn().await;
                }
                let start = Instant::now();
                drop(writer);
                for reader in readers {
                    reader.await.unwrap_or_else(|_| panic!("a reader"));
                }
                took += start.elapsed();
            }
            each(took, rounds * self.0 as u64)
        })
    }
}

/// Tasks of two runtimes, which keep the lock for a turn.
#[derive(Clone, Copy)]
pub(crate) struct Mixed {
    /// Of both runtimes together.
    pub(crate) tasks: usize,
    /// One of so many locks is to write; none, if this is 0.
    pub(crate) every: u64,
}

impl RwLockWork for Mixed {
    fn run<L: RwLock + Send + Sync>(self, n: u64) -> Vec<f64> {
        let turns = n.div_ceil(self.tasks as u64);
        let lock = Arc::new(L::new());
        let gathering = Gathering::default();
        let (is_held, begin) = (AtomicBool::new(false), Barrier::new(2));
        let tasks = self.tasks / 2;
        let spawn_all = |came: &Rc<Cell<usize>>| -> Vec<_> {
            (0..tasks as u64)
                .map(|task| {
                    let (lock, came) = (lock.clone(), came.clone());
                    // They do not write all at the same time.
                    spawn(async move {
                        came.set(came.get() + 1);
                        for at in task..task + turns {
                            if self.every > 0 && at % self.every == 0 {
                                let guard = lock.write().await;
                                turn().await;
                                drop(guard);
                            } else {
                                let guard = lock.read().await;
                                turn().await;
                                drop(guard);
                            }
                        }
                    })
                })
                .collect()
        };
        let took = in_runtimes(2, async || {
            let mut held = Vec::new();
            if !is_held.swap(true, SeqCst) {
                held.push(lock.write().await);
            }
            begin.wait();
            for task in gathering.gather(2, tasks, held, spawn_all).await {
                task.await.unwrap_or_else(|_| panic!("a task"));
            }
        });
        each(took, turns * self.tasks as u64)
    }
}
