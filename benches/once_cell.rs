//! Cells that are set once, beside tokio's and async-lock's: a value that is there, one that is made, and many
//! that wait for it.
//!
//! `cargo bench --bench once_cell [-- FILTER]`. Times are for a look, a cell, or a cell with
//! all its waiters.

mod common;

use std::{hint::black_box, sync::Arc, time::Duration, time::Instant};

use common::{on_runtime, turn};
use compio_runtime::{Runtime, spawn};
use criterion::{BenchmarkId, Criterion};

/// The value is there.
fn set(c: &mut Criterion) {
    let ours = compio_sync::OnceCell::from(1_u64);
    let tokios = tokio::sync::OnceCell::from(1_u64);
    let async_locks = async_lock::OnceCell::from(1_u64);
    let mut group = c.benchmark_group("once_cell/get of a set one");
    group.bench_function("compio-sync", |b| b.iter(|| black_box(&ours).get()));
    group.bench_function("tokio", |b| b.iter(|| black_box(&tokios).get()));
    group.bench_function("async-lock", |b| b.iter(|| black_box(&async_locks).get()));
    group.finish();
    let mut group = c.benchmark_group("once_cell/get_or_init of a set one");
    group.bench_function("compio-sync", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    black_box(black_box(&ours).get_or_init(async || 2).await);
                }
            })
        });
    });
    group.bench_function("tokio", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    black_box(black_box(&tokios).get_or_init(async || 2).await);
                }
            })
        });
    });
    group.bench_function("async-lock", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    black_box(black_box(&async_locks).get_or_init(async || 2).await);
                }
            })
        });
    });
}

/// Nobody else is there.
fn alone(c: &mut Criterion) {
    let mut group = c.benchmark_group("once_cell/get_or_init of a new one");
    group.bench_function("compio-sync", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    let cell = compio_sync::OnceCell::new();
                    black_box(black_box(&cell).get_or_init(async || 2_u64).await);
                }
            })
        });
    });
    group.bench_function("tokio", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    let cell = tokio::sync::OnceCell::new();
                    black_box(black_box(&cell).get_or_init(async || 2_u64).await);
                }
            })
        });
    });
    group.bench_function("async-lock", |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    let cell = async_lock::OnceCell::new();
                    black_box(black_box(&cell).get_or_init(async || 2_u64).await);
                }
            })
        });
    });
}

/// `many` tasks of one runtime ask at once; the first makes the value in a turn of its own.
fn herd(c: &mut Criterion) {
    let mut group = c.benchmark_group("once_cell/get_or_init by tasks");
    for many in [10, 100, 1000] {
        group.bench_with_input(BenchmarkId::new("compio-sync", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let begin = || {
                    let cell = Arc::new(compio_sync::OnceCell::new());
                    move || {
                        let cell = cell.clone();
                        async move { *cell.get_or_init(made).await }
                    }
                };
                until_all_have_it(n, many, begin)
            });
        });
        group.bench_with_input(BenchmarkId::new("tokio", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let begin = || {
                    let cell = Arc::new(tokio::sync::OnceCell::new());
                    move || {
                        let cell = cell.clone();
                        async move { *cell.get_or_init(made).await }
                    }
                };
                until_all_have_it(n, many, begin)
            });
        });
        group.bench_with_input(BenchmarkId::new("async-lock", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let begin = || {
                    let cell = Arc::new(async_lock::OnceCell::new());
                    move || {
                        let cell = cell.clone();
                        async move { *cell.get_or_init(made).await }
                    }
                };
                until_all_have_it(n, many, begin)
            });
        });
    }
}

async fn made() -> u64 {
    turn().await;
    1
}

fn until_all_have_it<F: Future<Output = u64> + 'static, A: Fn() -> F>(
    n: u64,
    many: usize,
    begin: impl Fn() -> A,
) -> Duration {
    Runtime::new().unwrap().block_on(async {
        let mut took = Duration::ZERO;
        for _ in 0..n {
            let ask = begin();
            let start = Instant::now();
            let tasks: Vec<_> = (0..many).map(|_| spawn(ask())).collect();
            for task in tasks {
                assert_eq!(task.await.unwrap(), 1);
            }
            took += start.elapsed();
        }
        took
    })
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    set(&mut criterion);
    alone(&mut criterion);
    herd(&mut criterion);
    criterion.final_summary();
}
