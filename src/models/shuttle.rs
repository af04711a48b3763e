//! Whole programs of many tasks for the shuttle checker, which runs them in orders that it
//! chooses at random, with cancellations at random. `scripts/shuttle.sh` runs them.
//!
//! A wait that is never woken is a deadlock, which shuttle reports, with the order to
//! replay. Each thread polls only when its own waker was called.

#[path = "shuttle/endings.rs"]
mod endings;
#[path = "shuttle/once.rs"]
mod once;
#[path = "shuttle/primitives.rs"]
mod primitives;
#[path = "shuttle/runtimes.rs"]
mod runtimes;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    time::Instant,
};

use shuttle::{
    Config, Runner,
    rand::{Rng, thread_rng},
    scheduler::{PctScheduler, RandomScheduler},
    thread,
};

use crate::waiter_queue::{Kind, Runtime, block_on};

/// The tests that share `SHUTTLE_ITERATIONS`.
const TESTS: usize = 18;

/// How many preemptions the second half of the orders has at most, among those that count.
const DEPTH: usize = 4;

/// Runs `model` in many orders: half of them with a switch anywhere, half with few.
fn explore(model: fn()) {
    let all = std::env::var("SHUTTLE_ITERATIONS").map_or(20_000, |all| {
        all.parse::<usize>()
            .expect("SHUTTLE_ITERATIONS is a number")
    });
    let half = all.div_ceil(2 * TESTS);
    let mut config = Config::new();
    config.silence_warnings = true;
    let start = Instant::now();
    let done = Runner::new(RandomScheduler::new(half), config.clone()).run(model)
        + Runner::new(PctScheduler::new(DEPTH, half), config).run(model);
    println!(
        "{}: {done} orders, {:.1} s",
        std::thread::current().name().unwrap_or("model"),
        start.elapsed().as_secs_f32(),
    );
}

fn below(n: usize) -> usize {
    thread_rng().gen_range(0..n)
}

/// Where a future runs.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// On a plain thread.
    Thread,
    /// In a runtime: as a task, as what it blocks on, or in another executor.
    Runtime(Kind),
}

/// Any of them.
fn anywhere() -> Place {
    match below(6) {
        0 => Place::Thread,
        1 => Place::Runtime(Kind::Driver),
        2 => Place::Runtime(Kind::Foreign),
        _ => Place::Runtime(Kind::Task),
    }
}

/// Runs what `make` makes, in some place, on a thread of its own.
fn spawn<F: Future<Output = ()>>(
    make: impl FnOnce() -> F + Send + 'static,
) -> thread::JoinHandle<()> {
    let place = anywhere();
    thread::spawn(move || run(place, make()))
}

fn run<F: Future>(place: Place, future: F) -> F::Output {
    match place {
        Place::Thread => block_on(future),
        Place::Runtime(kind) => Runtime::new().block_on(kind, future),
    }
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    // All of them run before one is waited for.
    for thread in threads.into_iter().collect::<Vec<_>>() {
        thread.join().expect("no thread panics");
    }
}

/// Waits, but no longer than until it has been polled so often.
async fn give_up<F: Future>(future: F, mut polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        let poll = future.as_mut().poll(cx).map(Some);
        if poll.is_pending() {
            thread::yield_now();
            cx.waker().wake_by_ref();
        }
        poll
    })
    .await
}

/// Waits as long as it takes, or gives up at random.
async fn perhaps<F: Future>(future: F) -> Option<F::Output> {
    match below(3) {
        0 => Some(future.await),
        _ => give_up(future, 1 + below(3)).await,
    }
}

/// Both, in one task.
async fn both<F: Future<Output = ()>, G: Future<Output = ()>>(first: F, second: G) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut done = [false; 2];
    poll_fn(|cx| {
        done[0] = done[0] || first.as_mut().poll(cx).is_ready();
        done[1] = done[1] || second.as_mut().poll(cx).is_ready();
        if done == [true; 2] {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Where no more than so many may be at a time. Not seen by the checker.
struct Room {
    inside: AtomicUsize,
    limit: usize,
}

impl Room {
    fn new(limit: usize) -> Self {
        Self {
            inside: AtomicUsize::new(0),
            limit,
        }
    }

    /// Stays for a moment.
    fn visit(&self, n: usize) {
        let inside = self.inside.fetch_add(n, Ordering::SeqCst) + n;
        assert!(inside <= self.limit, "{inside} at a time");
        thread::yield_now();
        self.inside.fetch_sub(n, Ordering::SeqCst);
    }
}
