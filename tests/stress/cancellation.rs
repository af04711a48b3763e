//! Waits that are dropped while they are being woken.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    task::Poll,
};

use super::{
    common::{
        Hand, Random, on_another_thread, orders::Orders, park_on, rounds, settle, spawn, until,
        watchdog, yield_now,
    },
    steady::{in_runtime, on_runtimes},
};
use compio_sync::{Event, Mutex, Notify, Semaphore};
use futures_util::future::{Either, join_all, select};

/// Polls `future` a few times, and drops it if it is not ready by then.
async fn give_up<F: Future>(future: F, patience: usize) -> Option<F::Output> {
    let patience = async {
        for _ in 0..patience {
            yield_now().await;
        }
    };
    match select(std::pin::pin!(future), std::pin::pin!(patience)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

#[compio::test]
async fn a_future_dropped_while_it_waits_leaves_a_usable_semaphore() {
    let dog = watchdog();
    let semaphore = dog.shown(Semaphore::new(1));
    let permit = semaphore.acquire().await;
    assert!(give_up(semaphore.acquire(), 3).await.is_none());
    drop(semaphore.acquire());
    drop(permit);
    drop(semaphore.acquire().await);
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (1, 0)
    );
}

#[test]
fn impatient_tasks_of_several_runtimes_lose_no_permit() {
    let dog = watchdog();
    let semaphore = dog.shown(Semaphore::new(3));
    let got: usize = on_runtimes(3, async |me| {
        let tasks: Vec<_> = (0..30)
            .map(|i| {
                let semaphore = semaphore.clone();
                spawn(async move {
                    let mut random = Random::new((me * 30 + i) as u64 + 1);
                    let mut got = 0;
                    for _ in 0..rounds(300) {
                        let wait = semaphore.acquire_many(1 + random.below(3));
                        let patience = random.below(6);
                        if let Some(permit) = give_up(wait, patience).await {
                            got += permit.num_permits();
                            if random.one_in(3) {
                                yield_now().await;
                            }
                        }
                    }
                    got
                })
            })
            .collect();
        let mut got = 0;
        for task in tasks {
            got += task.await.unwrap();
        }
        got
    })
    .into_iter()
    .sum();
    assert!(got > 0);
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (3, 0)
    );
}

#[test]
fn impatient_tasks_of_several_runtimes_leave_the_mutex_free() {
    let dog = watchdog();
    let mutex = dog.shown(Mutex::new(0));
    let got: usize = on_runtimes(3, async |me| {
        let tasks: Vec<_> = (0..30)
            .map(|i| {
                let mutex = mutex.clone();
                spawn(async move {
                    let mut random = Random::new((me * 30 + i) as u64 + 7);
                    let mut got = 0;
                    for _ in 0..rounds(300) {
                        let patience = random.below(6);
                        if let Some(mut guard) = give_up(mutex.lock(), patience).await {
                            let n = *guard;
                            if random.one_in(3) {
                                yield_now().await;
                            }
                            *guard = n + 1;
                            got += 1;
                        }
                    }
                    got
                })
            })
            .collect();
        let mut got = 0;
        for task in tasks {
            got += task.await.unwrap();
        }
        got
    })
    .into_iter()
    .sum();
    assert_eq!(mutex.waiter_count(), 0);
    assert_eq!(mutex.try_lock().map(|counted| *counted), Some(got));
}

#[test]
fn impatient_consumers_lose_no_notification_of_a_condvar() {
    let dog = watchdog();
    let n = rounds(400);
    let orders = dog.shown(Orders::new());
    let sums = on_runtimes(3, async |me| {
        if me == 0 {
            return orders.produce(n, Random::new(1)).await;
        }
        // Some of each runtime are patient, so that somebody is there for every item.
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let orders = orders.clone();
                spawn(async move {
                    if i < 2 {
                        orders.patient(|| ()).await
                    } else {
                        orders.impatient(Random::new((me * 20 + i) as u64)).await
                    }
                })
            })
            .collect();
        let mut taken = 0;
        for task in tasks {
            taken += task.await.unwrap();
        }
        taken
    });
    assert_eq!(sums[0], sums[1] + sums[2]);
    orders.check();
}

#[test]
fn impatient_waiters_lose_no_notify_one() {
    let dog = watchdog();
    let notify = dog.shown(Notify::new());
    let work = AtomicUsize::new(0);
    let n = rounds(400);
    let done: usize = on_runtimes(3, async |me| {
        let mut random = Random::new(me as u64 + 3);
        if me == 0 {
            for _ in 0..n {
                work.fetch_add(1, SeqCst);
                if random.one_in(3) {
                    notify.notify_last();
                } else {
                    notify.notify_one();
                }
                if random.one_in(4) {
                    yield_now().await;
                }
                // Every piece of work is seen through a notification alone.
                until(|| work.load(SeqCst) == 0).await;
            }
            work.store(usize::MAX / 2, SeqCst);
            notify.notify_one();
            return 0;
        }
        let mut waits = Vec::new();
        for i in 0..10 {
            let (notify, work) = (&notify, &work);
            let mut random = Random::new((me * 10 + i) as u64);
            waits.push(async move {
                let mut done = 0;
                loop {
                    let wait = notify.notified();
                    let told = if i == 0 {
                        wait.await;
                        true
                    } else {
                        give_up(wait, random.below(8)).await.is_some()
                    };
                    if work.load(SeqCst) >= usize::MAX / 2 {
                        notify.notify_one();
                        return done;
                    }
                    if told {
                        let taken = work.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1));
                        done += usize::from(taken.is_ok());
                    }
                }
            });
        }
        join_all(waits).await.into_iter().sum()
    })
    .into_iter()
    .sum();
    assert_eq!(done, n);
    assert_eq!(notify.waiter_count(), 0);
}

#[test]
fn drops_by_hand_race_with_wakes() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let event = Event::new();
        let mut random = Random::new(42);
        for _ in 0..rounds(300) {
            // New ones, since those dropped leave permits and a notification behind.
            let (semaphore, notify) = (Semaphore::new(0), Notify::new());
            let mut got = 0;
            let mut permits: Vec<_> = (0..40)
                .map(|_| Hand::waiting(semaphore.acquire()))
                .collect();
            let told: Vec<_> = (0..40).map(|_| Hand::waiting(notify.notified())).collect();
            let set: Vec<_> = (0..40).map(|_| Hand::waiting(event.wait())).collect();
            let acts: Vec<_> = (0..40).map(|_| random.below(3)).collect();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for _ in 0..10 {
                        semaphore.add_permits(3);
                        notify.notify_one();
                    }
                    event.set();
                    notify.notify_waiters();
                });
                let mut act = acts.into_iter();
                permits.retain_mut(|wait| match act.next() {
                    Some(0) => match wait.poll() {
                        Poll::Ready(permit) => {
                            permit.forget();
                            got += 1;
                            false
                        }
                        Poll::Pending => true,
                    },
                    Some(1) => false,
                    _ => true,
                });
                drop((told, set));
            });
            for mut wait in permits {
                if let Poll::Ready(permit) = wait.poll() {
                    permit.forget();
                    got += 1;
                }
            }
            event.reset();
            assert_eq!(notify.waiter_count() + event.waiter_count(), 0);
            assert_eq!(semaphore.waiter_count(), 0);
            assert_eq!(semaphore.available_permits() + got, 30);
        }
    });
}

#[test]
fn threads_that_give_up_race_with_threads_that_wake() {
    let dog = watchdog();
    let semaphore = dog.shown(Semaphore::new(0));
    let mutex = dog.shown(Mutex::new(()));
    let n = rounds(3000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..n {
                semaphore.add_permits(1);
                drop(mutex.blocking_lock());
            }
        });
        for seed in 0..2 {
            let (semaphore, mutex) = (&semaphore, &mutex);
            scope.spawn(move || {
                let mut random = Random::new(seed + 1);
                for _ in 0..n {
                    let (patience, more) = (random.below(4), random.below(4));
                    park_on(async {
                        drop(give_up(semaphore.acquire_many(2), patience).await);
                        drop(give_up(mutex.lock(), more).await);
                    });
                }
            });
        }
    });
    on_another_thread(|| drop(mutex.blocking_lock()));
    assert!(!mutex.is_locked());
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (n, 0)
    );
}
