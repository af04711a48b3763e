//! The condition variable: two that take turns, a herd that is notified at once, tasks that meet,
//! and a bounded buffer.
//!
//! `cargo bench --bench condvar [-- FILTER]`. Times are for a turn, a waiter, or an item.

mod common;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{on_runtime, on_runtimes, tasks, turn, turns};
use compio_runtime::{Runtime, spawn};
use compio_sync::{Condvar, Mutex};
use criterion::{BenchmarkId, Criterion, Throughput};

/// A notification that nobody waits for.
fn nobody(c: &mut Criterion) {
    let condvar = Condvar::new();
    let mut group = c.benchmark_group("condvar/nobody waits");
    group.bench_function("notify_one", |b| b.iter(|| condvar.notify_one()));
    group.bench_function("notify_all", |b| b.iter(|| condvar.notify_all()));
}

/// Two runtimes, or two tasks of one, which pass a number back and forth.
fn take_turns(c: &mut Criterion) {
    async fn player(table: Arc<(Mutex<u64>, Condvar)>, me: u64, n: u64) {
        let (count, moved) = &*table;
        loop {
            let guard = count.lock().await;
            let mut guard = moved
                .wait_while(guard, |count| *count < n && *count % 2 != me)
                .await;
            if *guard >= n {
                break;
            }
            *guard += 1;
            drop(guard);
            moved.notify_one();
        }
        moved.notify_one();
    }
    let mut group = c.benchmark_group("condvar/turns");
    group.bench_function("of two tasks", |b| {
        b.iter_custom(|n| {
            let table = Arc::new((Mutex::new(0), Condvar::new()));
            on_runtime(async || {
                let other = spawn(player(table.clone(), 1, n));
                player(table.clone(), 0, n).await;
                other.await.unwrap();
            })
        });
    });
    group.bench_function("of two runtimes", |b| {
        b.iter_custom(|n| {
            let table = Arc::new((Mutex::new(0), Condvar::new()));
            let seat = std::sync::atomic::AtomicU64::new(0);
            on_runtimes(2, async || {
                let me = seat.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                player(table.clone(), me, n).await;
            })
        });
    });
}

/// `many` tasks of one runtime wait and are notified at once: until all have had the mutex.
fn herd(c: &mut Criterion) {
    let mut group = c.benchmark_group("condvar/notify_all of tasks");
    for many in [1, 10, 100, 1000] {
        group.throughput(Throughput::Elements(many as u64));
        group.bench_with_input(BenchmarkId::from_parameter(many), &many, |b, &many| {
            let runtime = Runtime::new().unwrap();
            b.iter_custom(|n| {
                runtime.block_on(async {
                    let mut took = Duration::ZERO;
                    for _ in 0..n {
                        let shared = Arc::new((Mutex::new(false), Condvar::new()));
                        let waiting: Vec<_> = (0..many)
                            .map(|_| {
                                let shared = shared.clone();
                                spawn(async move {
                                    let guard = shared.0.lock().await;
                                    drop(shared.1.wait_while(guard, |go| !*go).await);
                                })
                            })
                            .collect();
                        while shared.1.waiter_count() < many {
                            turn().await;
                        }
                        let start = Instant::now();
                        *shared.0.lock().await = true;
                        shared.1.notify_all();
                        for one in waiting {
                            one.await.unwrap();
                        }
                        took += start.elapsed();
                    }
                    took
                })
            });
        });
    }
}

/// 16 tasks of so many runtimes meet again and again: the last that comes notifies the others, under
/// the mutex or after it. Kept: who comes back keeps the mutex while the others have a turn.
fn meet(c: &mut Criterion) {
    const TASKS: usize = 16;
    type Table = (Mutex<(usize, u64)>, Condvar);
    async fn come(table: Arc<Table>, generations: u64, kept: bool, under: bool) {
        let (state, full) = &*table;
        for _ in 0..generations {
            let mut state = state.lock().await;
            let generation = state.1;
            state.0 += 1;
            if state.0 == TASKS {
                *state = (0, generation + 1);
                if !under {
                    drop(state);
                }
                full.notify_all();
                continue;
            }
            let state = full.wait_while(state, |now| now.1 == generation).await;
            if kept {
                turn().await;
            }
            drop(state);
        }
    }
    let mut group = c.benchmark_group("condvar/16 tasks meet, runtimes");
    group.throughput(Throughput::Elements(TASKS as u64));
    for (name, kept, under) in [
        ("at once", false, false),
        ("under the mutex", false, true),
        ("kept for a turn", true, false),
    ] {
        for runtimes in [1, 2] {
            group.bench_with_input(
                BenchmarkId::new(name, runtimes),
                &runtimes,
                |b, &runtimes| {
                    b.iter_custom(|n| {
                        let table = Arc::<Table>::default();
                        on_runtimes(runtimes, async || {
                            let task = || come(table.clone(), n, kept, under);
                            tasks(TASKS / runtimes, task).await;
                        })
                    });
                },
            );
        }
    }
}

#[derive(Default)]
struct Buffer {
    items: Mutex<VecDeque<u64>>,
    filled: Condvar,
    emptied: Condvar,
}

impl Buffer {
    const ROOM: usize = 16;

    async fn put(&self, item: u64) {
        let items = self.items.lock().await;
        let mut items = self
            .emptied
            .wait_while(items, |items| items.len() == Self::ROOM)
            .await;
        items.push_back(item);
        drop(items);
        self.filled.notify_one();
    }

    async fn take(&self) -> u64 {
        let items = self.items.lock().await;
        let mut items = self
            .filled
            .wait_while(items, |items| items.is_empty())
            .await;
        let item = items.pop_front().unwrap();
        drop(items);
        self.emptied.notify_one();
        item
    }
}

/// Four producers and four consumers of each of the runtimes, with room for 16.
fn bounded_buffer(c: &mut Criterion) {
    const PAIRS: usize = 4;
    let mut group = c.benchmark_group("condvar/bounded buffer, runtimes");
    for runtimes in [1, 2] {
        group.bench_with_input(
            BenchmarkId::from_parameter(runtimes),
            &runtimes,
            |b, &runtimes| {
                b.iter_custom(|n| {
                    let buffer = Arc::new(Buffer::default());
                    let each = turns(n, runtimes * PAIRS);
                    on_runtimes(runtimes, async || {
                        let pair = || {
                            let buffer = buffer.clone();
                            async move {
                                let consumer = spawn({
                                    let buffer = buffer.clone();
                                    async move {
                                        for _ in 0..each {
                                            buffer.take().await;
                                        }
                                    }
                                });
                                for item in 0..each {
                                    buffer.put(item).await;
                                }
                                consumer.await.unwrap();
                            }
                        };
                        tasks(PAIRS, pair).await;
                    })
                });
            },
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    nobody(&mut criterion);
    take_turns(&mut criterion);
    herd(&mut criterion);
    meet(&mut criterion);
    bounded_buffer(&mut criterion);
    criterion.final_summary();
}
