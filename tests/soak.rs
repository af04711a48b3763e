//! Everything at once, for as long as `SOAK_SECONDS` says: runtimes that are born and die with
//! tasks in every state, herds that are woken together, waits that are given up at any moment.
//!
//! A program of its own, run in rounds. After each all runtimes are gone, and then nothing may be
//! held, queued or lost. If nothing happens for a minute, all that there is is printed as it
//! stands, and the process ends. Between them there are games in which some never give up, and go on
//! only if they are woken.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

#[path = "common/mod.rs"]
mod common;
#[path = "soak/patient.rs"]
mod patient;
#[path = "soak/worker.rs"]
mod worker;
#[path = "soak/world.rs"]
mod world;

use common::{Random, runtime, spawn};
use worker::Worker;
use world::{Tally, World};

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
    let (go, token) = (&world.go, &world.stop);
    thread::scope(|scope| {
        for at in 0..2 {
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
                            let world = Arc::clone(world);
                            let token = token.child_token();
                            spawn(async move {
                                if n % 8 == 0 {
                                    worker.try_wait(world.go.wait()).await;
                                } else {
                                    worker.wait(world.go.wait()).await;
                                }
                                if n % 8 == 1 {
                                    worker.try_wait(token.cancelled()).await;
                                } else {
                                    worker.wait(token.cancelled()).await;
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
        // Most have gone on to wait for it, or not.
        while go.waiter_count() > 0 {
            thread::yield_now();
        }
        token.cancel();
    });
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
    let current = Arc::new(std::sync::Mutex::new(Arc::new(World::new(steps / 4))));
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
                } else if since.elapsed() > Duration::from_secs(6) {
                    eprintln!("nothing has happened for a minute:");
                    let world = Arc::clone(&current.lock().unwrap());
                    world.print_and_abort();
                }
            }
        }
    });
    let start = Instant::now();
    let mut rounds = 0;
    while rounds == 0 || start.elapsed() < Duration::from_secs(seconds) {
        rounds += 1;
        let world = Arc::new(World::new(steps / 4));
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
        patient::play(&world, &tally, rounds);
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
