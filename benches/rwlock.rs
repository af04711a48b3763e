//! The read-write lock, beside tokio's and async-lock's: without anybody waiting, with readers
//! and writers of one runtime and of two, and with many readers let in at once.
//!
//! `cargo bench --bench rwlock [-- FILTER]`. Times are for locking and unlocking once.

mod common;

use std::{hint::black_box, ops::DerefMut, sync::Arc};

use common::{on_runtime, on_runtimes, tasks, turn, turns};
use criterion::{BenchmarkId, Criterion};

trait Lock: Send + Sync + 'static {
    const NAME: &str;
    fn new() -> Self;
    async fn read(&self) -> impl std::ops::Deref<Target = u64>;
    async fn write(&self) -> impl DerefMut<Target = u64>;
}

macro_rules! lock {
    ($type:path, $name:literal) => {
        impl Lock for $type {
            const NAME: &str = $name;
            fn new() -> Self {
                <$type>::new(0)
            }
            async fn read(&self) -> impl std::ops::Deref<Target = u64> {
                self.read().await
            }
            async fn write(&self) -> impl DerefMut<Target = u64> {
                self.write().await
            }
        }
    };
}

lock!(compio_sync::RwLock<u64>, "ours");
lock!(tokio::sync::RwLock<u64>, "tokio");
lock!(async_lock::RwLock<u64>, "async-lock");

fn uncontended<L: Lock>(c: &mut Criterion) {
    let mut group = c.benchmark_group("rwlock/uncontended");
    let lock = L::new();
    group.bench_function(format!("read, {}", L::NAME), |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    black_box(*black_box(&lock).read().await);
                }
            })
        });
    });
    group.bench_function(format!("write, {}", L::NAME), |b| {
        b.iter_custom(|n| {
            on_runtime(async || {
                for _ in 0..n {
                    *black_box(&lock).write().await += 1;
                }
            })
        });
    });
}

/// Ten tasks of each of `runtimes` runtimes, which keep the lock for a turn; of `every` locks one
/// is to write.
fn mixed<L: Lock>(c: &mut Criterion) {
    for (runtimes, every) in [(1, u64::MAX), (2, u64::MAX), (1, 10), (2, 10), (2, 2)] {
        let what = match every {
            u64::MAX => String::from("readers alone"),
            _ => format!("one of {every} writes"),
        };
        let mut group = c.benchmark_group(format!("rwlock/{runtimes} runtimes"));
        group.bench_with_input(BenchmarkId::new(L::NAME, what), &every, |b, &every| {
            b.iter_custom(|n| {
                let lock = Arc::new(L::new());
                on_runtimes(runtimes, async || {
                    let task = || {
                        let lock = lock.clone();
                        async move {
                            for at in 0..turns(n, runtimes * 10) {
                                if at % every == every - 1 {
                                    let mut guard = lock.write().await;
                                    turn().await;
                                    *guard += 1;
                                } else {
                                    let guard = lock.read().await;
                                    turn().await;
                                    black_box(*guard);
                                }
                            }
                        }
                    };
                    tasks(10, task).await;
                })
            });
        });
    }
}

fn all<L: Lock>(c: &mut Criterion) {
    uncontended::<L>(c);
    mixed::<L>(c);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    all::<compio_sync::RwLock<u64>>(&mut criterion);
    all::<tokio::sync::RwLock<u64>>(&mut criterion);
    all::<async_lock::RwLock<u64>>(&mut criterion);
    criterion.final_summary();
}
