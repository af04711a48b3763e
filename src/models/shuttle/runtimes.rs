//! Runtimes that end while their tasks wait, and all primitives in one program.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use shuttle::thread;

use super::{Room, below, explore, join, perhaps, spawn};
use crate::{
    Barrier, CancellationToken, Condvar, Event, Latch, Mutex, Notify, OnceCell, RwLock, Semaphore,
    WaitGroup,
    waiter_queue::{Kind, Runtime},
};

/// What waits in a runtime that ends is dropped after it, and passes on what it got.
#[test]
fn runtimes_end() {
    explore(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let ends = (0..2).map(|_| {
            let semaphore = semaphore.clone();
            thread::spawn(move || {
                let runtime = Runtime::new();
                let waker = runtime.waker(Kind::Task);
                let mut wait = pin!(semaphore.acquire());
                let mut second = pin!(semaphore.acquire());
                let cx = &mut Context::from_waker(&waker);
                let first = wait.as_mut().poll(cx).map(drop);
                let _second = second.as_mut().poll(cx).map(drop);
                if below(2) == 0 {
                    runtime.drain_if_rung();
                }
                drop(runtime);
                if first == Poll::Pending && below(2) == 0 {
                    thread::yield_now();
                }
            })
        });
        let stays = {
            let semaphore = semaphore.clone();
            spawn(async move || {
                for _ in 0..2 {
                    drop(semaphore.acquire().await);
                }
            })
        };
        let gives = {
            let semaphore = semaphore.clone();
            spawn(async move || {
                semaphore.add_permits(1);
                semaphore.add_permits(1);
            })
        };
        join(ends.chain([stays, gives]));
        assert_eq!(semaphore.available_permits(), 2);
    });
}

/// The same for the lock: an heir that ends leaves it to the next.
#[test]
fn runtimes_end_with_an_heir() {
    explore(|| {
        let mutex = Arc::new(Mutex::new(()));
        let room = Arc::new(Room::new(1));
        let ends = {
            let mutex = mutex.clone();
            thread::spawn(move || {
                let runtime = Runtime::new();
                let waker = runtime.waker(Kind::Task);
                let mut wait = pin!(mutex.lock());
                let _guard = wait.as_mut().poll(&mut Context::from_waker(&waker));
                thread::yield_now();
                drop(runtime);
            })
        };
        let others = (0..3).map(|_| {
            let (mutex, room) = (mutex.clone(), room.clone());
            spawn(async move || {
                for _ in 0..2 {
                    let _guard = mutex.lock().await;
                    room.visit(1);
                }
            })
        });
        join(others.chain([ends]));
        assert!(!mutex.is_locked());
        assert_eq!(mutex.waiter_count(), 0);
    });
}

/// Everything at once, at random, until somebody says that it is over.
#[test]
fn everything() {
    const WORKERS: usize = 5;
    struct All {
        semaphore: Semaphore,
        mutex: Mutex<usize>,
        condvar: Condvar,
        notify: Notify,
        over: Event,
        rwlock: RwLock<usize>,
        cell: OnceCell<usize>,
        barrier: Barrier,
        latch: Latch,
        group: WaitGroup,
        token: CancellationToken,
    }
    explore(|| {
        let all = Arc::new(All {
            semaphore: Semaphore::new(2),
            mutex: Mutex::new(0),
            condvar: Condvar::new(),
            notify: Notify::new(),
            over: Event::new(),
            rwlock: RwLock::new(0),
            cell: OnceCell::new(),
            barrier: Barrier::new(WORKERS),
            latch: Latch::new(WORKERS),
            group: WaitGroup::new(),
            token: CancellationToken::new(),
        });
        let workers = (0..WORKERS).map(|_| {
            let all = all.clone();
            spawn(async move || {
                let child = all.token.child_token();
                let guard = all.group.add();
                for _ in 0..2 {
                    match below(7) {
                        0 => drop(perhaps(all.semaphore.acquire_many(1 + below(2))).await),
                        1 => {
                            if let Some(mut guard) = perhaps(all.mutex.lock()).await {
                                *guard += 1;
                                all.condvar.notify_one();
                            }
                        }
                        2 => {
                            all.notify.notify_one();
                            perhaps(all.notify.notified()).await;
                            all.notify.notify_one();
                        }
                        3 => {
                            if let Some(mut guard) = perhaps(all.rwlock.write()).await {
                                *guard += 1;
                            }
                        }
                        4 => drop(perhaps(all.rwlock.read()).await),
                        5 => {
                            perhaps(all.cell.get_or_init(async || 1 + below(2))).await;
                            super::give_up(all.cell.wait(), 1 + below(2)).await;
                        }
                        _ => {
                            let guard = all.mutex.lock().await;
                            let wait = all.condvar.wait_while(guard, |n| *n == 0);
                            super::give_up(wait, 1 + below(3)).await;
                        }
                    }
                }
                *all.mutex.lock().await += 1;
                all.condvar.notify_all();
                all.barrier.wait().await;
                all.latch.count_down();
                drop(guard);
                perhaps(all.group.wait()).await;
                all.over.wait().await;
                child.cancelled().await;
            })
        });
        let last = {
            let all = all.clone();
            spawn(async move || {
                let guard = all.mutex.lock().await;
                drop(all.condvar.wait_while(guard, |n| *n < WORKERS).await);
                all.latch.wait().await;
                all.group.wait().await;
                all.over.set();
                all.token.cancel();
            })
        };
        join(workers.chain([last]));
        assert_eq!(all.semaphore.available_permits(), 2);
        assert!(!all.mutex.is_locked());
        let waiters = [
            all.semaphore.waiter_count(),
            all.mutex.waiter_count(),
            all.condvar.waiter_count(),
            all.notify.waiter_count(),
            all.over.waiter_count(),
            all.rwlock.waiter_count(),
            all.cell.waiter_count(),
            all.barrier.waiter_count(),
            all.latch.waiter_count(),
            all.group.waiter_count(),
            all.token.waiter_count(),
        ];
        assert_eq!(waiters, [0; 11]);
        assert!(!all.rwlock.is_locked());
    });
}
