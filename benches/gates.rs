//! Latches and wait groups. No rival has them: beside a guard that counts in a wait group is a
//! share of an `Arc`, which is what other wait groups count with, and beside a latch that opens
//! are the waiters of tokio's `Notify` that are all notified.
//!
//! `cargo bench --bench gates [-- FILTER]`. Times are for a guard, or for a herd of tasks of one
//! runtime.

mod common;

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use common::turn;
use compio_runtime::{Runtime, spawn};
use compio_sync::{Latch, WaitGroup};
use criterion::{BenchmarkId, Criterion};

/// Beside others, as a share of an `Arc` is: so nobody is told that it was the last.
fn guard(c: &mut Criterion) {
    let (group_of_ours, shared) = (WaitGroup::new(), Arc::new(()));
    let _stays = group_of_ours.add();
    let mut group = c.benchmark_group("gates/a guard, made and dropped");
    group.bench_function("compio-sync", |b| {
        b.iter(|| drop(black_box(black_box(&group_of_ours).add())));
    });
    group.bench_function("Arc", |b| {
        b.iter(|| drop(black_box(Arc::clone(black_box(&shared)))));
    });
}

/// `many` tasks wait, and all are let through.
fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("gates/all are let through, tasks");
    for many in [10, 100, 1000] {
        group.bench_with_input(BenchmarkId::new("compio-sync", many), &many, |b, &many| {
            b.iter_custom(|n| {
                herd(
                    n,
                    many,
                    || Arc::new(Latch::new(1)),
                    async |latch: Arc<Latch>| latch.wait().await,
                    |latch| assert!(latch.count_down()),
                )
            });
        });
        group.bench_with_input(BenchmarkId::new("tokio", many), &many, |b, &many| {
            b.iter_custom(|n| {
                herd(
                    n,
                    many,
                    || Arc::new(tokio::sync::Notify::new()),
                    async |notify: Arc<tokio::sync::Notify>| notify.notified().await,
                    |notify| notify.notify_waiters(),
                )
            });
        });
    }
}

fn herd<T: 'static>(
    n: u64,
    many: usize,
    make: impl Fn() -> Arc<T>,
    wait: impl AsyncFn(Arc<T>) + Copy + 'static,
    open: impl Fn(&T),
) -> Duration {
    Runtime::new().unwrap().block_on(async {
        let mut took = Duration::ZERO;
        for _ in 0..n {
            let gate = make();
            let tasks: Vec<_> = (0..many)
                .map(|_| {
                    let gate = Arc::clone(&gate);
                    spawn(async move { wait(gate).await })
                })
                .collect();
            // All have begun to wait after as many rounds as they take.
            for _ in 0..=many / 32 {
                turn().await;
            }
            let start = Instant::now();
            open(&gate);
            for task in tasks {
                task.await.unwrap();
            }
            took += start.elapsed();
        }
        took
    })
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    guard(&mut criterion);
    open(&mut criterion);
    criterion.final_summary();
}
