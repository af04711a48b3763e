//! The mutex alone, beside tokio's and std's: without anybody waiting, with tasks of one runtime
//! and of two.
//!
//! `cargo bench --bench mutex [-- FILTER]`. Times are for locking and unlocking once.

mod common;

use std::{hint::black_box, sync::Arc};

use common::{on_runtime, on_runtimes, tasks, turn, turns};
use compio_sync::Mutex;
use criterion::{BenchmarkId, Criterion};

fn uncontended(c: &mut Criterion) {
    let mut group = c.benchmark_group("mutex/uncontended");
    let (ours, tokios, stds) = (
        Mutex::new(0_u64),
        tokio::sync::Mutex::new(0_u64),
        std::sync::Mutex::new(0_u64),
    );
    group.bench_function("try_lock", |b| b.iter(|| *ours.try_lock().unwrap() += 1));
    group.bench_function("lock", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    *black_box(&ours).lock().await += 1;
                }
            })
        });
    });
    group.bench_function("lock, tokio", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    *black_box(&tokios).lock().await += 1;
                }
            })
        });
    });
    group.bench_function("blocking_lock", |b| b.iter(|| *ours.blocking_lock() += 1));
    group.bench_function("lock, std", |b| b.iter(|| *stds.lock().unwrap() += 1));
}

/// `many` tasks of each of `runtimes` runtimes, which keep the lock for a turn.
fn contended(c: &mut Criterion) {
    for (runtimes, many) in [(1, 8), (1, 128), (2, 1), (2, 8)] {
        let mut group = c.benchmark_group(format!("mutex/{runtimes} runtimes, tasks of each"));
        group.bench_with_input(BenchmarkId::new("ours", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let mutex = Arc::new(Mutex::new(0_u64));
                on_runtimes(runtimes, async || {
                    let task = || {
                        let mutex = mutex.clone();
                        async move {
                            for _ in 0..turns(n, runtimes * many) {
                                let mut guard = mutex.lock().await;
                                turn().await;
                                *guard += 1;
                            }
                        }
                    };
                    tasks(many, task).await;
                })
            });
        });
        group.bench_with_input(BenchmarkId::new("tokio", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let mutex = Arc::new(tokio::sync::Mutex::new(0_u64));
                on_runtimes(runtimes, async || {
                    let task = || {
                        let mutex = mutex.clone();
                        async move {
                            for _ in 0..turns(n, runtimes * many) {
                                let mut guard = mutex.lock().await;
                                turn().await;
                                *guard += 1;
                            }
                        }
                    };
                    tasks(many, task).await;
                })
            });
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    uncontended(&mut criterion);
    contended(&mut criterion);
    criterion.final_summary();
}
