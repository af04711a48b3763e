//! Cancellation tokens beside tokio-util's: looks, children that come and go, and trees that
//! are cancelled with tasks in them.
//!
//! `cargo bench --bench cancellation_token [-- FILTER]`. Times are for a look, a child, or a tree
//! with all its tasks. All tasks are of one runtime: to wake many of another, tokio-util's waits
//! for that one to make room, which two that cancel at once can do for ever.

mod common;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use common::turn;
use compio_runtime::{Runtime, spawn};
use criterion::{BenchmarkId, Criterion};

/// Nobody has cancelled it.
fn look(c: &mut Criterion) {
    let ours = compio_sync::CancellationToken::new();
    let tokios = tokio_util::sync::CancellationToken::new();
    let mut group = c.benchmark_group("cancellation_token/is_cancelled");
    group.bench_function("compio-sync", |b| {
        b.iter(|| black_box(&ours).is_cancelled())
    });
    group.bench_function("tokio-util", |b| {
        b.iter(|| black_box(&tokios).is_cancelled());
    });
    group.finish();
}

/// A child that is made and dropped, beside so many others.
fn child(c: &mut Criterion) {
    let mut group = c.benchmark_group("cancellation_token/child, others");
    for others in [0, 1000] {
        group.bench_with_input(BenchmarkId::new("compio-sync", others), &others, |b, _| {
            let root = compio_sync::CancellationToken::new();
            let _others: Vec<_> = (0..others).map(|_| root.child_token()).collect();
            b.iter(|| root.child_token());
        });
        group.bench_with_input(BenchmarkId::new("tokio-util", others), &others, |b, _| {
            let root = tokio_util::sync::CancellationToken::new();
            let _others: Vec<_> = (0..others).map(|_| root.child_token()).collect();
            b.iter(|| root.child_token());
        });
    }
    group.finish();
}

/// So many tasks wait, each with a child of its own, until the root is cancelled.
fn tree(c: &mut Criterion) {
    let mut group = c.benchmark_group("cancellation_token/cancel, tasks");
    for many in [1, 100, 10_000] {
        group.bench_with_input(BenchmarkId::new("compio-sync", many), &many, |b, &many| {
            b.iter_custom(|n| {
                until_all_have_ended(n, many, || {
                    let root = compio_sync::CancellationToken::new();
                    let child = root.clone();
                    let wait = move || child.child_token().cancelled_owned();
                    (wait, move || root.cancel())
                })
            });
        });
        group.bench_with_input(BenchmarkId::new("tokio-util", many), &many, |b, &many| {
            b.iter_custom(|n| {
                until_all_have_ended(n, many, || {
                    let root = tokio_util::sync::CancellationToken::new();
                    let child = root.clone();
                    let wait = move || child.child_token().cancelled_owned();
                    (wait, move || root.cancel())
                })
            });
        });
    }
    group.finish();
}

/// From the cancellation on, not counting how the tasks are made and begin to wait.
fn until_all_have_ended<F: Future<Output = ()> + 'static, W: Fn() -> F, C: FnOnce()>(
    n: u64,
    many: usize,
    begin: impl Fn() -> (W, C),
) -> Duration {
    Runtime::new().unwrap().block_on(async {
        let mut took = Duration::ZERO;
        for _ in 0..n {
            let (wait, cancel) = begin();
            let tasks: Vec<_> = (0..many).map(|_| spawn(wait())).collect();
            // All have begun to wait after as many rounds as they take.
            for _ in 0..=many / 32 {
                turn().await;
            }
            let start = Instant::now();
            cancel();
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
    look(&mut criterion);
    child(&mut criterion);
    tree(&mut criterion);
    criterion.final_summary();
}
