//! More who want than there is.

use std::{cell::Cell, rc::Rc, sync::Arc};

use super::{
    common::{Meeting, Random, rounds, spawn, until, watchdog, yield_now},
    steady::{in_runtime, on_runtimes},
};
use compio_sync::{Condvar, Event, Mutex, Notify, Semaphore};

#[test]
fn a_thousand_tasks_share_one_permit() {
    let _dog = watchdog();
    in_runtime(async || {
        let semaphore = Arc::new(Semaphore::new(1));
        let inside = Rc::new(Cell::new(false));
        let done = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let (semaphore, inside, done) = (semaphore.clone(), inside.clone(), done.clone());
                spawn(async move {
                    let _permit = semaphore.acquire().await;
                    assert!(!inside.replace(true));
                    yield_now().await;
                    inside.set(false);
                    done.set(done.get() + 1);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(done.get(), 1000);
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn a_hundred_thousand_rapid_cycles() {
    let _dog = watchdog();
    in_runtime(async || {
        let semaphore = Semaphore::new(1);
        let mutex = Mutex::new(0);
        for _ in 0..rounds(100_000) {
            drop(semaphore.acquire().await);
            *mutex.lock().await += 1;
        }
        assert_eq!(semaphore.available_permits(), 1);
        assert_eq!(mutex.into_inner(), rounds(100_000));
    });
}

#[test]
fn rapid_cycles_of_several_runtimes_over_one_permit() {
    let dog = watchdog();
    let semaphore = dog.shown(Semaphore::new(1));
    let counter = std::sync::atomic::AtomicUsize::new(0);
    on_runtimes(3, async |_| {
        for _ in 0..rounds(10_000) {
            let permit = semaphore.acquire().await;
            // Not one step: it takes the permit to come out right.
            let n = counter.load(std::sync::atomic::Ordering::Relaxed);
            counter.store(n + 1, std::sync::atomic::Ordering::Relaxed);
            drop(permit);
        }
    });
    assert_eq!(counter.into_inner(), 3 * rounds(10_000));
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (1, 0)
    );
}

#[test]
fn requests_of_all_sizes_by_tasks_of_several_runtimes() {
    let dog = watchdog();
    let semaphore = dog.shown(Semaphore::new(7));
    on_runtimes(3, async |me| {
        let tasks: Vec<_> = (0..50)
            .map(|i| {
                let semaphore = semaphore.clone();
                spawn(async move {
                    let mut random = Random::new((me * 50 + i) as u64 + 1);
                    for _ in 0..rounds(100) {
                        let n = random.below(8);
                        let mut permit = semaphore.acquire_many_owned(n).await;
                        if random.one_in(4) {
                            yield_now().await;
                        }
                        let part = permit.split(n / 2);
                        drop(permit);
                        drop(part);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (7, 0)
    );
}

#[test]
fn one_lock_of_tasks_runtimes_and_threads() {
    let dog = watchdog();
    let mutex = dog.shown(Mutex::new(0));
    let turns = rounds(200);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..turns).for_each(|_| *mutex.blocking_lock() += 1));
        }
        on_runtimes(3, async |_| {
            let tasks: Vec<_> = (0..50)
                .map(|_| {
                    let mutex = mutex.clone();
                    spawn(async move {
                        for i in 0..turns {
                            let mut guard = mutex.lock().await;
                            let n = *guard;
                            if i % 16 == 0 {
                                yield_now().await;
                            }
                            *guard = n + 1;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
    assert_eq!(*mutex.try_lock().unwrap(), (2 + 3 * 50) * turns);
    assert_eq!(mutex.waiter_count(), 0);
}

#[test]
fn a_herd_of_several_runtimes_goes_through_event_condvar_and_notify() {
    let _dog = watchdog();
    const RUNTIMES: usize = 3;
    const HERD: usize = 300;
    let all = RUNTIMES * HERD;
    let shared = Arc::new((Event::new(), Mutex::new(0), Condvar::new(), Notify::new()));
    let meeting = Meeting::new(RUNTIMES);
    on_runtimes(RUNTIMES, async |me| {
        for _ in 0..rounds(10) {
            let tasks: Vec<_> = (0..HERD)
                .map(|_| {
                    let shared = shared.clone();
                    spawn(async move {
                        let (event, mutex, condvar, notify) = &*shared;
                        event.wait().await;
                        let mut guard = mutex.lock().await;
                        *guard += 1;
                        let count: usize = *guard;
                        let all_here = count.is_multiple_of(RUNTIMES * HERD);
                        if all_here {
                            condvar.notify_all();
                        } else {
                            guard = condvar.wait(guard).await;
                        }
                        drop(guard);
                        notify.notified().await;
                    })
                })
                .collect();
            meeting.wait().await;
            until(|| shared.0.waiter_count() == all || me != 0).await;
            if me == 0 {
                shared.0.set();
            }
            until(|| shared.3.waiter_count() == all || me != 0).await;
            if me == 0 {
                shared.0.reset();
                (0..all / 2).for_each(|_| shared.3.notify_one());
                shared.3.notify_waiters();
            }
            for task in tasks {
                task.await.unwrap();
            }
            meeting.wait().await;
        }
    });
    assert_eq!(*shared.1.try_lock().unwrap(), rounds(10) * all);
}
