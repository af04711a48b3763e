//! Mixed operations, and all that at the same time as runtimes come and go.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use super::{
    common::{Random, rounds, spawn, until, watchdog, yield_now},
    steady::{in_runtime, on_runtimes},
};
use compio_sync::{Condvar, Event, Mutex, Notify, Semaphore};

#[test]
fn permits_made_and_forgotten_while_others_use_them() {
    let dog = watchdog();
    let semaphore = dog.shown(Semaphore::new(5));
    let inside = AtomicUsize::new(0);
    on_runtimes(3, async |me| {
        let mut random = Random::new(me as u64 + 1);
        for _ in 0..rounds(3000) {
            if me == 0 {
                // Never below two, so that everybody gets through.
                let forgotten = semaphore.forget_permits(random.below(4));
                yield_now().await;
                semaphore.add_permits(forgotten);
            } else {
                let n = 1 + random.below(2);
                let permit = semaphore.acquire_many(n).await;
                assert!(inside.fetch_add(n, SeqCst) + n <= 5);
                if random.one_in(4) {
                    yield_now().await;
                }
                inside.fetch_sub(n, SeqCst);
                drop(permit);
            }
        }
    });
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (5, 0)
    );
}

#[test]
fn mixed_operations_of_tasks_on_one_set_of_primitives() {
    let _dog = watchdog();
    let shared = Arc::new((
        Semaphore::new(4),
        Mutex::new(0),
        Condvar::new(),
        Notify::new(),
        Event::new(),
    ));
    let added: usize = on_runtimes(3, async |me| {
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let shared = shared.clone();
                spawn(async move {
                    let (semaphore, mutex, condvar, notify, event) = &*shared;
                    let mut random = Random::new((me * 20 + i) as u64 + 99);
                    let mut added = 0;
                    for _ in 0..rounds(200) {
                        match random.below(8) {
                            0 => drop(semaphore.try_acquire()),
                            1 => drop(semaphore.acquire_many(random.below(5)).await),
                            2 => {
                                *mutex.lock().await += 1;
                                added += 1;
                                condvar.notify_one();
                            }
                            3 => {
                                if let Some(mut guard) = mutex.try_lock() {
                                    *guard += 1;
                                    added += 1;
                                }
                                condvar.notify_all();
                            }
                            4 => {
                                notify.notify_one();
                                notify.notified().await;
                                notify.notify_one();
                            }
                            5 => {
                                event.set();
                                event.wait().await;
                            }
                            6 => notify.notify_waiters(),
                            _ => yield_now().await,
                        }
                    }
                    added
                })
            })
            .collect();
        let mut added = 0;
        for task in tasks {
            added += task.await.unwrap();
        }
        added
    })
    .into_iter()
    .sum();
    assert_eq!(shared.0.available_permits(), 4);
    assert_eq!(*shared.1.try_lock().unwrap(), added);
    assert_eq!(shared.0.waiter_count() + shared.1.waiter_count(), 0);
    assert_eq!(shared.3.waiter_count() + shared.4.waiter_count(), 0);
}

#[test]
fn runtimes_come_and_go_while_others_wake_their_tasks() {
    let dog = watchdog();
    let semaphore = dog.shown(Semaphore::new(3));
    let (notify, mutex) = (Arc::new(Notify::new()), Arc::new(Mutex::new(0)));
    std::thread::scope(|scope| {
        for seed in 0..3 {
            let (semaphore, notify, mutex) = (&semaphore, &notify, &mutex);
            scope.spawn(move || {
                let mut random = Random::new(seed + 5);
                for _ in 0..rounds(100) {
                    // Its tasks are dropped wherever they are when the main future ends.
                    in_runtime(async || {
                        for _ in 0..20 {
                            let (semaphore, notify, mutex) =
                                (semaphore.clone(), notify.clone(), mutex.clone());
                            spawn(async move {
                                loop {
                                    let permit = semaphore.acquire().await;
                                    *mutex.lock().await += 1;
                                    yield_now().await;
                                    drop(permit);
                                    notify.notify_waiters();
                                    notify.notified().await;
                                }
                            })
                            .detach();
                        }
                        for _ in 0..random.below(20) {
                            yield_now().await;
                        }
                    });
                }
            });
        }
    });
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (3, 0)
    );
    assert!(!mutex.is_locked());
    assert_eq!((mutex.waiter_count(), notify.waiter_count()), (0, 0));
}

#[test]
fn a_chain_of_runtimes_passes_every_token_around() {
    let _dog = watchdog();
    const RUNTIMES: usize = 4;
    let posts: Vec<_> = (0..RUNTIMES).map(|_| Semaphore::new(0)).collect();
    let turns = rounds(500);
    on_runtimes(RUNTIMES, async |me| {
        let next = &posts[(me + 1) % RUNTIMES];
        if me == 0 {
            next.add_permits(3);
        }
        for _ in 0..3 * turns {
            posts[me].acquire().await.forget();
            next.add_permits(1);
        }
    });
    let left: Vec<_> = posts.iter().map(Semaphore::available_permits).collect();
    assert_eq!(left.iter().sum::<usize>(), 3, "{left:?}");
}

#[test]
fn a_runtime_waits_for_its_own_last_task() {
    let _dog = watchdog();
    for _ in 0..rounds(200) {
        in_runtime(async || {
            let event = Arc::new(Event::new());
            let count = Arc::new(AtomicUsize::new(0));
            for _ in 0..10 {
                let (event, count) = (event.clone(), count.clone());
                spawn(async move {
                    yield_now().await;
                    if count.fetch_add(1, SeqCst) == 9 {
                        event.set();
                    }
                })
                .detach();
            }
            event.wait().await;
            until(|| Arc::strong_count(&event) == 1).await;
        });
    }
}
