//! Everything at once, for as long as `SOAK_SECONDS` says: runtimes that are born and die with
//! tasks in every state, herds that are woken together, waits that are given up at any moment.
//!
//! A program of its own, run in rounds. After each all runtimes are gone, and then nothing may be
//! held, queued or lost. If nothing happens for a minute, all that there is is printed as it
//! stands, and the process ends.

use std::{
    env,
    fmt::Debug,
    future::poll_fn,
    pin::pin,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    task::Poll,
    thread,
    time::{Duration, Instant},
};

#[path = "common/mod.rs"]
mod common;

use common::{Random, runtime, spawn, yield_now};
use compio_sync::{Barrier, Condvar, Event, Mutex, Notify, RwLock, Semaphore};

const PERMITS: usize = 5;

/// What one round is about.
struct World {
    semaphore: Semaphore,
    mutex: Mutex<(u64, u64)>,
    changed: Condvar,
    turns: Mutex<u64>,
    notify: Notify,
    event: Event,
    lock: RwLock<(u64, u64)>,
    barrier: Barrier,
}

impl World {
    fn new() -> Self {
        Self {
            semaphore: Semaphore::new(PERMITS),
            mutex: Mutex::new((0, 0)),
            changed: Condvar::new(),
            turns: Mutex::new(0),
            notify: Notify::new(),
            event: Event::new(),
            lock: RwLock::new((0, 0)),
            barrier: Barrier::new(3),
        }
    }

    fn print(&self) {
        let all: [&dyn Debug; 8] = [
            &self.semaphore,
            &self.mutex,
            &self.changed,
            &self.turns,
            &self.notify,
            &self.event,
            &self.lock,
            &self.barrier,
        ];
        all.iter().for_each(|one| eprintln!("{one:?}"));
    }

    /// All tasks are gone.
    fn check(&self) {
        let waiters = [
            self.semaphore.waiter_count(),
            self.mutex.waiter_count(),
            self.changed.waiter_count(),
            self.turns.waiter_count(),
            self.notify.waiter_count(),
            self.event.waiter_count(),
            self.lock.waiter_count(),
        ];
        assert_eq!(waiters, [0; 7], "somebody still waits");
        assert_eq!(self.semaphore.available_permits(), PERMITS);
        let data = self.mutex.try_lock().expect("a mutex is still locked");
        assert_eq!(data.0, data.1);
        assert!(self.turns.try_lock().is_some(), "a mutex is still locked");
        let data = self.lock.try_write().expect("a lock is still held");
        assert_eq!(data.0, data.1);
    }
}

/// What has happened so far, for the watchdog and for the last line.
#[derive(Default)]
struct Tally {
    /// Waits that were pending and came to an end.
    woken: AtomicU64,
    /// Waits that were pending and were dropped.
    dropped: AtomicU64,
    runtimes: AtomicU64,
}

impl Tally {
    fn steps(&self) -> u64 {
        self.woken.load(SeqCst) + self.dropped.load(SeqCst) + self.runtimes.load(SeqCst)
    }
}

struct Worker {
    world: Arc<World>,
    tally: Arc<Tally>,
    random: Random,
}

impl Worker {
    /// Waits for it, or gives up after as many turns as chance has it.
    async fn try_wait<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let turns = self.random.below(5);
        let mut future = pin!(future);
        for turn in 0..=turns {
            let now = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
            if let Poll::Ready(output) = now {
                if turn > 0 {
                    self.tally.woken.fetch_add(1, SeqCst);
                }
                return Some(output);
            }
            yield_now().await;
        }
        self.tally.dropped.fetch_add(1, SeqCst);
        None
    }

    /// Waits for it to the end.
    async fn wait<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut waited = false;
        let output = poll_fn(|cx| {
            let poll = future.as_mut().poll(cx);
            waited |= poll.is_pending();
            poll
        })
        .await;
        self.tally.woken.fetch_add(u64::from(waited), SeqCst);
        output
    }

    async fn pause(&mut self) {
        for _ in 0..self.random.below(3) {
            yield_now().await;
        }
    }

    async fn permits(&mut self, world: &World) {
        let n = 1 + self.random.below(PERMITS);
        let permit = if self.random.one_in(2) {
            self.try_wait(world.semaphore.acquire_many(n)).await
        } else {
            Some(self.wait(world.semaphore.acquire_many(n)).await)
        };
        self.pause().await;
        drop(permit);
    }

    async fn mutex(&mut self, world: &World) {
        let guard = if self.random.one_in(2) {
            self.try_wait(world.mutex.lock()).await
        } else {
            Some(self.wait(world.mutex.lock()).await)
        };
        if let Some(mut guard) = guard {
            assert_eq!(guard.0, guard.1);
            guard.0 += 1;
            if self.random.one_in(3) {
                // Whoever is dropped here has done both or neither.
                guard.1 += 1;
                self.pause().await;
                return;
            }
            guard.1 += 1;
        }
    }

    async fn condvar(&mut self, world: &World) {
        if self.random.one_in(3) {
            *self.wait(world.turns.lock()).await += 1;
            if self.random.one_in(2) {
                world.changed.notify_all();
            } else {
                world.changed.notify_one();
            }
        } else {
            let guard = self.wait(world.turns.lock()).await;
            let seen = *guard;
            let wait = world.changed.wait_while(guard, |now| *now == seen);
            let _done = self.try_wait(wait).await;
        }
    }

    async fn notify(&mut self, world: &World) {
        match self.random.below(6) {
            0 => world.notify.notify_waiters(),
            1 => world.notify.notify_one(),
            2 => world.notify.notify_last(),
            _ => {
                let _done = self.try_wait(world.notify.notified()).await;
            }
        }
    }

    async fn event(&mut self, world: &World) {
        match self.random.below(6) {
            0 => {
                world.event.set();
            }
            1 => {
                world.event.reset();
            }
            _ => {
                let _done = self.try_wait(world.event.wait()).await;
            }
        }
    }

    async fn lock(&mut self, world: &World) {
        if self.random.one_in(4) {
            let mut guard = self.wait(world.lock.write()).await;
            guard.0 += 1;
            guard.1 += 1;
            self.pause().await;
        } else {
            let guard = if self.random.one_in(2) {
                self.try_wait(world.lock.read()).await
            } else {
                Some(self.wait(world.lock.read()).await)
            };
            if let Some(guard) = guard {
                assert_eq!(guard.0, guard.1);
                self.pause().await;
            }
        }
    }

    async fn work(mut self, steps: usize) {
        let world = Arc::clone(&self.world);
        for _ in 0..steps {
            match self.random.below(8) {
                0 | 1 => self.permits(&world).await,
                2 => self.mutex(&world).await,
                3 => self.condvar(&world).await,
                4 => self.notify(&world).await,
                5 => self.event(&world).await,
                6 => self.lock(&world).await,
                _ => {
                    let _done = self.try_wait(world.barrier.wait()).await;
                }
            }
        }
    }
}

/// The life of a runtime. Some of its tasks are awaited; the others die with it.
fn live(world: &Arc<World>, tally: &Arc<Tally>, seed: u64, herd: usize, steps: usize) {
    tally.runtimes.fetch_add(1, SeqCst);
    runtime().block_on(async {
        let worker = |n: usize| Worker {
            world: Arc::clone(world),
            tally: Arc::clone(tally),
            random: Random::new(seed.wrapping_mul(1009) + n as u64),
        };
        let tasks: Vec<_> = (0..herd).map(|n| spawn(worker(n).work(steps))).collect();
        for (n, task) in tasks.into_iter().enumerate() {
            if n % 4 == 3 {
                task.detach();
            } else {
                task.await.unwrap();
            }
        }
    });
}

/// Tasks of two runtimes, all woken at once by a third thread while some give up.
fn stampede(world: &Arc<World>, tally: &Arc<Tally>, seed: u64, herd: usize) {
    let go = Arc::new(Event::new());
    thread::scope(|scope| {
        for at in 0..2 {
            let go = Arc::clone(&go);
            scope.spawn(move || {
                tally.runtimes.fetch_add(1, SeqCst);
                runtime().block_on(async {
                    let tasks: Vec<_> = (0..herd)
                        .map(|n| {
                            let mut worker = Worker {
                                world: Arc::clone(world),
                                tally: Arc::clone(tally),
                                random: Random::new(seed + (2 * n + at) as u64),
                            };
                            let go = Arc::clone(&go);
                            spawn(async move {
                                if n % 8 == 0 {
                                    worker.try_wait(go.wait()).await;
                                } else {
                                    worker.wait(go.wait()).await;
                                }
                            })
                        })
                        .collect();
                    for task in tasks {
                        task.await.unwrap();
                    }
                });
            });
        }
        // Whether all wait by now or not: who comes later is let through.
        while go.waiter_count() < herd {
            thread::yield_now();
        }
        go.set();
    });
    assert_eq!(go.waiter_count(), 0);
}

/// A thread of no runtime, which waits by blocking.
fn block(world: &World, seed: u64, rounds: usize) {
    let mut random = Random::new(seed);
    for _ in 0..rounds {
        match random.below(3) {
            0 => drop(world.semaphore.blocking_acquire_many(1 + random.below(2))),
            1 => {
                let mut guard = world.mutex.blocking_lock();
                guard.0 += 1;
                guard.1 += 1;
            }
            _ => drop(world.lock.blocking_read()),
        }
    }
}

fn main() {
    let seconds = env::var("SOAK_SECONDS").map_or(3, |s| s.parse().expect("a number of seconds"));
    let (herd, steps) = if common::is_slow() {
        (8, 20)
    } else {
        (24, 200)
    };
    let tally = Arc::new(Tally::default());
    let current = Arc::new(std::sync::Mutex::new(Arc::new(World::new())));
    let over = Arc::new(AtomicBool::new(false));
    let watchdog = thread::spawn({
        let (tally, current, over) = (tally.clone(), current.clone(), over.clone());
        move || {
            let (mut steps, mut since) = (0, Instant::now());
            while !over.load(SeqCst) {
                thread::park_timeout(Duration::from_secs(1));
                let now = tally.steps();
                if now != steps {
                    (steps, since) = (now, Instant::now());
                } else if since.elapsed() > Duration::from_secs(60) {
                    eprintln!("nothing has happened for a minute:");
                    current.lock().unwrap().print();
                    process::exit(101);
                }
            }
        }
    });
    let start = Instant::now();
    let mut rounds = 0;
    while rounds == 0 || start.elapsed() < Duration::from_secs(seconds) {
        rounds += 1;
        let world = Arc::new(World::new());
        *current.lock().unwrap() = Arc::clone(&world);
        thread::scope(|scope| {
            for at in 0..2 {
                let (world, tally) = (&world, &tally);
                scope.spawn(move || {
                    for life in 0..3 {
                        live(world, tally, rounds * 6 + at * 3 + life, herd, steps);
                    }
                });
            }
            scope.spawn(|| block(&world, rounds, 10 * steps));
        });
        world.check();
        stampede(&world, &tally, rounds, 20 * herd);
        world.check();
    }
    over.store(true, SeqCst);
    watchdog.thread().unpark();
    watchdog.join().unwrap();
    println!(
        "soak: {rounds} rounds in {} s: {} waits woken, {} given up while they waited, {} runtimes",
        start.elapsed().as_secs(),
        tally.woken.load(SeqCst),
        tally.dropped.load(SeqCst),
        tally.runtimes.load(SeqCst),
    );
}
