//! The work: what is done so many times, and what of it is measured.

pub(crate) mod alone;
pub(crate) mod contended;
pub(crate) mod herd;
pub(crate) mod queue;
pub(crate) mod rwlock;
pub(crate) mod together;

use std::{
    future::poll_fn,
    hint::black_box,
    sync::Barrier,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use compio::runtime::{Runtime, spawn};

/// Runs in a task of a runtime.
pub(crate) fn in_task<T: 'static>(task: impl Future<Output = T> + 'static) -> T {
    Runtime::new()
        .expect("a runtime")
        .block_on(async { spawn(task).await.unwrap_or_else(|_| panic!("a task")) })
}

/// What each of so many calls takes, with the drop of what it returns.
pub(crate) fn repeat<T, R>(n: u64, thing: &T, call: impl Fn(&T) -> R) -> Vec<f64> {
    let thing = black_box(thing);
    let start = Instant::now();
    for _ in 0..n {
        drop(black_box(call(thing)));
    }
    each(start.elapsed(), n)
}

/// The same for calls to be waited for.
pub(crate) fn repeat_in_task<T: 'static, R>(
    n: u64,
    thing: T,
    call: impl AsyncFn(&T) -> R + 'static,
) -> Vec<f64> {
    in_task(async move {
        let thing = black_box(&thing);
        let start = Instant::now();
        for _ in 0..n {
            drop(black_box(call(thing).await));
        }
        each(start.elapsed(), n)
    })
}

/// What it takes until each of so many runtimes has done its part.
fn in_runtimes(runtimes: usize, part: impl AsyncFn() + Sync) -> Duration {
    let begin = Barrier::new(runtimes);
    let run = || {
        Runtime::new().expect("a runtime").block_on(async {
            begin.wait();
            let start = Instant::now();
            part().await;
            (start, Instant::now())
        })
    };
    if runtimes == 1 {
        let (start, end) = run();
        return end - start;
    }
    thread::scope(|scope| {
        let threads: Vec<_> = (0..runtimes).map(|_| scope.spawn(run)).collect();
        let times: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().expect("a runtime's thread"))
            .collect();
        let start = times.iter().map(|(start, _)| *start).min();
        let end = times.iter().map(|(_, end)| *end).max();
        end.expect("a runtime") - start.expect("a runtime")
    })
}

/// Gives the other tasks a turn.
async fn turn() {
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

/// Nanoseconds for each of `n`.
fn each(took: Duration, n: u64) -> Vec<f64> {
    vec![took.as_nanos() as f64 / n as f64]
}
