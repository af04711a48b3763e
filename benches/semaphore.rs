//! The semaphore alone, beside tokio's: without anybody waiting, with tasks of one runtime and of
//! two, and with a long queue.
//!
//! `cargo bench --bench semaphore [-- FILTER]`. Times are for one permit taken and given back.

mod common;

use std::{
    hint::black_box,
    sync::Arc,
    task::{Context, Waker},
    time::Instant,
};

use common::{on_runtime, on_runtimes, tasks, turn, turns};
use compio_sync::Semaphore;
use criterion::{BenchmarkId, Criterion};

fn uncontended(c: &mut Criterion) {
    let mut group = c.benchmark_group("semaphore/uncontended");
    let (ours, tokios) = (Semaphore::new(100), tokio::sync::Semaphore::new(100));
    group.bench_function("try_acquire", |b| b.iter(|| black_box(ours.try_acquire())));
    group.bench_function("try_acquire, tokio", |b| {
        b.iter(|| black_box(tokios.try_acquire()));
    });
    group.bench_function("acquire", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    drop(black_box(ours.acquire().await));
                }
            })
        });
    });
    group.bench_function("acquire, tokio", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    drop(black_box(tokios.acquire().await));
                }
            })
        });
    });
    group.bench_function("blocking_acquire", |b| {
        b.iter(|| black_box(ours.blocking_acquire()));
    });
}

/// Tasks of one runtime, which keep each permit for a turn.
fn tasks_of_one_runtime(c: &mut Criterion) {
    let mut group = c.benchmark_group("semaphore/one permit, tasks");
    for many in [2, 8, 32, 128] {
        group.bench_with_input(BenchmarkId::new("ours", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let semaphore = Arc::new(Semaphore::new(1));
                on_runtime(async || {
                    let task = || {
                        let semaphore = semaphore.clone();
                        async move {
                            for _ in 0..turns(n, many) {
                                let _permit = semaphore.acquire().await;
                                turn().await;
                            }
                        }
                    };
                    tasks(many, task).await;
                })
            });
        });
        group.bench_with_input(BenchmarkId::new("tokio", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let semaphore = Arc::new(tokio::sync::Semaphore::new(1));
                on_runtime(async || {
                    let task = || {
                        let semaphore = semaphore.clone();
                        async move {
                            for _ in 0..turns(n, many) {
                                let _permit = semaphore.acquire().await.unwrap();
                                turn().await;
                            }
                        }
                    };
                    tasks(many, task).await;
                })
            });
        });
    }
}

/// Two runtimes with 16 tasks each, and four permits.
fn two_runtimes(c: &mut Criterion) {
    const TASKS: usize = 16;
    let mut group = c.benchmark_group("semaphore/two runtimes");
    group.bench_function("ours", |b| {
        b.iter_custom(|n| {
            let semaphore = Arc::new(Semaphore::new(4));
            on_runtimes(2, async || {
                let task = || {
                    let semaphore = semaphore.clone();
                    async move {
                        for _ in 0..turns(n, 2 * TASKS) {
                            let _permit = semaphore.acquire().await;
                            turn().await;
                        }
                    }
                };
                tasks(TASKS, task).await;
            })
        });
    });
    group.bench_function("tokio", |b| {
        b.iter_custom(|n| {
            let semaphore = Arc::new(tokio::sync::Semaphore::new(4));
            on_runtimes(2, async || {
                let task = || {
                    let semaphore = semaphore.clone();
                    async move {
                        for _ in 0..turns(n, 2 * TASKS) {
                            let _permit = semaphore.acquire().await.unwrap();
                            turn().await;
                        }
                    }
                };
                tasks(TASKS, task).await;
            })
        });
    });
}

/// To wait and to give up, with others before and behind: the same however many there are.
fn queue(c: &mut Criterion) {
    let mut group = c.benchmark_group("semaphore/wait and give up in a queue of");
    for length in [10, 1000, 100_000] {
        group.bench_with_input(
            BenchmarkId::from_parameter(length),
            &length,
            |b, &length| {
                let semaphore = Semaphore::new(0);
                let mut cx = Context::from_waker(Waker::noop());
                let wait = || Box::pin(semaphore.acquire());
                let mut others: Vec<_> = (0..length).map(|_| wait()).collect();
                for other in &mut others {
                    assert!(other.as_mut().poll(&mut cx).is_pending());
                }
                // One from the middle leaves, and comes again as the last.
                let mut middle = length / 2;
                b.iter_custom(|n| {
                    let start = Instant::now();
                    for _ in 0..n {
                        others[middle] = wait();
                        assert!(others[middle].as_mut().poll(&mut cx).is_pending());
                        middle = (middle + 7) % length;
                    }
                    start.elapsed()
                });
            },
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    uncontended(&mut criterion);
    tasks_of_one_runtime(&mut criterion);
    two_runtimes(&mut criterion);
    queue(&mut criterion);
    criterion.final_summary();
}
