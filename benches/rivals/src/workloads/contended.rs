//! Tasks of one or two runtimes that all want the same permit or lock.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::Instant,
};

use compio::runtime::spawn;

use super::{each, in_runtimes, turn};
use crate::contestants::{Mutex, MutexWork, Semaphore, SemaphoreWork};

#[derive(Clone, Copy)]
pub(crate) struct Contended {
    pub(crate) runtimes: usize,
    /// That want the same, of all runtimes together.
    pub(crate) tasks: usize,
    /// How many such groups there are, each with a semaphore or mutex of its own.
    pub(crate) groups: usize,
    /// Whether a holder lets the other tasks of its runtime run before it gives back.
    pub(crate) keep: bool,
    /// Whether the longest wait is measured, and not the time for each.
    pub(crate) timed: bool,
}

/// Sees to it that all have come before the first goes: those of one runtime, then those of the
/// next. Who serves in order keeps to that order, so it must not be one of chance: where the tasks
/// of two runtimes take turns each hand-over is between threads, where they come in groups few are.
#[derive(Default)]
pub(super) struct Gathering {
    runtimes: AtomicUsize,
    gathered: AtomicUsize,
}

impl Gathering {
    /// One runtime's part of it: `spawn_all` makes so many tasks that each count themselves when
    /// they ask for the first time. What they want is held until then, by one of the runtimes.
    pub(super) async fn gather<T, G>(
        &self,
        runtimes: usize,
        tasks: usize,
        held: Vec<G>,
        spawn_all: impl FnOnce(&Rc<Cell<usize>>) -> T,
    ) -> T {
        let place = self.runtimes.fetch_add(1, SeqCst);
        self.wait_until(place);
        let came = Rc::new(Cell::new(0));
        let all = spawn_all(&came);
        while came.get() < tasks {
            turn().await;
        }
        self.gathered.fetch_add(1, SeqCst);
        self.wait_until(runtimes);
        drop(held);
        all
    }

    fn wait_until(&self, gathered: usize) {
        while self.gathered.load(SeqCst) < gathered {
            thread::yield_now();
        }
    }
}

/// What a task tells its runtime.
struct Mine {
    came: Rc<Cell<usize>>,
    longest: Rc<Cell<u64>>,
}

impl Contended {
    fn turns(self, n: u64) -> u64 {
        n.div_ceil((self.tasks * self.groups) as u64)
    }

    /// What each task does: `turns` times from asking to giving back.
    async fn take_turns<G>(self, turns: u64, mine: Mine, take: impl AsyncFn() -> G) {
        let Mine { came, longest } = mine;
        came.set(came.get() + 1);
        for _ in 0..turns {
            let asked = self.timed.then(Instant::now);
            let got = take().await;
            if let Some(asked) = asked {
                longest.set(longest.get().max(asked.elapsed().as_nanos() as u64));
            }
            if self.keep {
                turn().await;
            }
            drop(got);
        }
    }

    /// A runtime's part: its share of the tasks of each group, which `task` makes.
    async fn part<F, G>(
        self,
        gathering: &Gathering,
        held: Vec<G>,
        task: impl Fn(usize, Mine) -> F,
    ) -> u64
    where
        F: Future<Output = ()> + 'static,
    {
        let longest = Rc::new(Cell::new(0));
        let tasks = self.tasks / self.runtimes * self.groups;
        // Those of different groups in turn.
        let spawn_all = |came: &Rc<Cell<usize>>| -> Vec<_> {
            (0..tasks)
                .map(|place| {
                    let (came, longest) = (came.clone(), longest.clone());
                    spawn(task(place % self.groups, Mine { came, longest }))
                })
                .collect()
        };
        for task in gathering
            .gather(self.runtimes, tasks, held, spawn_all)
            .await
        {
            task.await.unwrap_or_else(|_| panic!("a task"));
        }
        longest.get()
    }

    /// On one runtime, where the semaphore need not be for several.
    pub(crate) fn on_one<S: Semaphore>(self, n: u64) -> Vec<f64> {
        let turns = self.turns(n);
        let took = in_runtimes(1, async || {
            let semaphores: Rc<[S]> = (0..self.groups).map(|_| S::new(1)).collect();
            let held = semaphores.iter().map(|s| s.try_acquire()).collect();
            self.part(&Gathering::default(), held, |group, mine| {
                let semaphores = semaphores.clone();
                async move {
                    let semaphore = &semaphores[group];
                    self.take_turns(turns, mine, async || semaphore.acquire().await)
                        .await;
                }
            })
            .await;
        });
        each(took, turns * (self.tasks * self.groups) as u64)
    }
}

impl SemaphoreWork for Contended {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64> {
        let turns = self.turns(n);
        let semaphores: Arc<[S]> = (0..self.groups).map(|_| S::new(1)).collect();
        let overall = AtomicU64::new(0);
        let gathering = Gathering::default();
        let took = in_runtimes(self.runtimes, async || {
            // One of the runtimes has them.
            let held = semaphores.iter().map(|s| s.try_acquire()).collect();
            let longest = self
                .part(&gathering, held, |group, mine| {
                    let semaphores = semaphores.clone();
                    async move {
                        let semaphore = &semaphores[group];
                        self.take_turns(turns, mine, async || semaphore.acquire().await)
                            .await;
                    }
                })
                .await;
            overall.fetch_max(longest, Relaxed);
        });
        if self.timed {
            vec![overall.into_inner() as f64]
        } else {
            each(took, turns * (self.tasks * self.groups) as u64)
        }
    }
}

/// The same for a mutex.
#[derive(Clone, Copy)]
pub(crate) struct ContendedLock(pub(crate) Contended);

impl MutexWork for ContendedLock {
    fn run<M: Mutex + Send + Sync>(self, n: u64) -> Vec<f64> {
        let work = self.0;
        let turns = work.turns(n);
        let mutexes: Arc<[M]> = (0..work.groups).map(|_| M::new()).collect();
        let overall = AtomicU64::new(0);
        let gathering = Gathering::default();
        let took = in_runtimes(work.runtimes, async || {
            let held = mutexes.iter().map(|m| m.try_lock()).collect();
            let longest = work
                .part(&gathering, held, |group, mine| {
                    let mutexes = mutexes.clone();
                    async move {
                        let mutex = &mutexes[group];
                        work.take_turns(turns, mine, async || mutex.lock().await)
                            .await;
                    }
                })
                .await;
            overall.fetch_max(longest, Relaxed);
        });
        if work.timed {
            vec![overall.into_inner() as f64]
        } else {
            each(took, turns * (work.tasks * work.groups) as u64)
        }
    }
}
