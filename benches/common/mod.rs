//! What the benchmarks share: runtimes that run a number of rounds and tell how long it took.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::{
    future::poll_fn,
    sync::Barrier,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use compio_runtime::{Runtime, spawn};

/// What `rounds` takes on a runtime.
pub(crate) fn on_runtime(rounds: impl AsyncFnOnce()) -> Duration {
    Runtime::new().unwrap().block_on(async {
        let start = Instant::now();
        rounds().await;
        start.elapsed()
    })
}

/// What it takes until each of `n` runtimes has run `rounds`.
pub(crate) fn on_runtimes(n: usize, rounds: impl AsyncFn() + Sync) -> Duration {
    let begin = Barrier::new(n + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..n)
            .map(|_| {
                scope.spawn(|| {
                    Runtime::new().unwrap().block_on(async {
                        begin.wait();
                        rounds().await;
                    });
                })
            })
            .collect();
        begin.wait();
        let start = Instant::now();
        for thread in threads {
            thread.join().unwrap();
        }
        start.elapsed()
    })
}

/// Runs `n` tasks of the current runtime to their end.
pub(crate) async fn tasks<F: Future<Output = ()> + 'static>(n: usize, task: impl Fn() -> F) {
    let tasks: Vec<_> = (0..n).map(|_| spawn(task())).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Gives the other tasks a turn.
pub(crate) async fn turn() {
    let mut first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// `n` rounds as so many turns of each of `tasks` as make at least `n`.
pub(crate) fn turns(n: u64, tasks: usize) -> u64 {
    n.div_ceil(tasks as u64)
}
