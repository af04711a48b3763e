//! The barrier, beside tokio's and async-lock's: tasks that keep step, of one runtime or of two.
//!
//! `cargo bench --bench barrier [-- FILTER]`. Times are for a step of all of them together.

mod common;

use std::sync::Arc;

use common::{on_runtimes, tasks};
use criterion::{BenchmarkId, Criterion};

/// `many` tasks on each of the runtimes take `n` steps.
fn steps(c: &mut Criterion, runtimes: usize) {
    let mut group = c.benchmark_group(format!("barrier/step, runtimes: {runtimes}, tasks on each"));
    for many in [1, 10, 100] {
        group.bench_with_input(BenchmarkId::new("compio-sync", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let barrier = Arc::new(compio_sync::Barrier::new(runtimes * many));
                on_runtimes(runtimes, async || {
                    let task = || {
                        let barrier = barrier.clone();
                        async move {
                            for _ in 0..n {
                                barrier.wait().await;
                            }
                        }
                    };
                    tasks(many, task).await;
                })
            });
        });
        // compio 0.19 takes 64 wakes from other threads at a time; with more than that of each
        // other two runtimes can wait for ever.
        if runtimes > 1 && many > 32 {
            continue;
        }
        group.bench_with_input(BenchmarkId::new("tokio", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let barrier = Arc::new(tokio::sync::Barrier::new(runtimes * many));
                on_runtimes(runtimes, async || {
                    let task = || {
                        let barrier = barrier.clone();
                        async move {
                            for _ in 0..n {
                                barrier.wait().await;
                            }
                        }
                    };
                    tasks(many, task).await;
                })
            });
        });
        group.bench_with_input(BenchmarkId::new("async-lock", many), &many, |b, &many| {
            b.iter_custom(|n| {
                let barrier = Arc::new(async_lock::Barrier::new(runtimes * many));
                on_runtimes(runtimes, async || {
                    let task = || {
                        let barrier = barrier.clone();
                        async move {
                            for _ in 0..n {
                                barrier.wait().await;
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
    steps(&mut criterion, 1);
    steps(&mut criterion, 2);
    criterion.final_summary();
}
