//! Every kind of waiting and of giving up, at random, by tasks of two runtimes and a plain thread
//! at once: nothing is lost, and nobody is left waiting.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    thread,
};

use super::{
    common::{Hand, Random, rounds, runtime, spawn, watchdog, yield_now},
    steady::keeps_its_doorbell,
};
use compio_sync::{
    Condvar, Mutex, Notify, RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore,
};

/// Polls up to `polls` times, with turns in between, and gives up then.
async fn a_few_times<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        let now = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = now {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// Polls once, by a waker that does nothing.
fn once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Runs `task` in ten tasks of each of two runtimes, and `plain` in a thread.
fn everywhere<F: Future<Output = ()> + 'static>(
    task: impl Fn(Random) -> F + Sync,
    plain: impl FnOnce(Random) + Send,
) {
    let task = &task;
    thread::scope(|scope| {
        for at in 0..2 {
            scope.spawn(move || {
                runtime().block_on(keeps_its_doorbell(async {
                    let tasks: Vec<_> = (1..=10)
                        .map(|n| spawn(task(Random::new(at * 10 + n))))
                        .collect();
                    for task in tasks {
                        task.await.unwrap();
                    }
                }));
            });
        }
        scope.spawn(|| plain(Random::new(77)));
    });
}

/// Two numbers that writers change together, so that readers see them alike.
#[test]
fn whoever_reads_sees_all_or_nothing_of_what_was_written() {
    let _dog = watchdog();
    let (lock, total) = (Arc::new(RwLock::new((0, 0))), Arc::new(AtomicUsize::new(0)));
    everywhere(
        |mut random| {
            let (lock, total) = (lock.clone(), total.clone());
            let write = move |pair: &mut (usize, usize)| {
                *pair = (pair.0 + 1, pair.1 + 1);
                total.fetch_add(1, SeqCst);
            };
            async move {
                for _ in 0..rounds(3000) {
                    let polls = random.below(4);
                    match random.below(6) {
                        0..3 => {
                            if let Some(guard) = a_few_times(lock.read(), polls).await {
                                assert_eq!(guard.0, guard.1);
                                if random.one_in(4) {
                                    yield_now().await;
                                }
                                assert_eq!(guard.0, guard.1);
                            }
                        }
                        3 => {
                            let mut guard = lock.write().await;
                            write(&mut guard);
                            if random.one_in(4) {
                                yield_now().await;
                            }
                            let guard = RwLockWriteGuard::downgrade(guard);
                            assert_eq!(guard.0, guard.1);
                        }
                        4 => {
                            if let Some(mut guard) = a_few_times(lock.write(), polls).await {
                                write(&mut guard);
                            }
                        }
                        _ => {
                            let guard = lock.upgradable_read().await;
                            let before = *guard;
                            let upgrade = RwLockUpgradableReadGuard::upgrade(guard);
                            if let Some(mut guard) = a_few_times(upgrade, polls).await {
                                assert_eq!(*guard, before);
                                write(&mut guard);
                                drop(RwLockWriteGuard::downgrade_to_upgradable(guard));
                            }
                        }
                    }
                }
            }
        },
        |mut random| {
            for _ in 0..rounds(3000) {
                match random.below(3) {
                    0 => {
                        let mut guard = lock.blocking_write();
                        *guard = (guard.0 + 1, guard.1 + 1);
                        total.fetch_add(1, SeqCst);
                    }
                    1 => assert!(once(lock.read()).is_none_or(|guard| guard.0 == guard.1)),
                    _ => {
                        let guard = lock.blocking_upgradable_read();
                        let seen = *guard;
                        let guard = RwLockUpgradableReadGuard::blocking_upgrade(guard);
                        assert_eq!(*guard, seen);
                    }
                }
            }
        },
    );
    assert!(!lock.is_locked());
    assert_eq!(lock.waiter_count(), 0);
    let pair = *lock.try_write().unwrap();
    assert_eq!(pair, (total.load(SeqCst), total.load(SeqCst)));
}

#[test]
fn each_lock_of_a_mutex_is_the_only_one() {
    let _dog = watchdog();
    let (mutex, total) = (Arc::new(Mutex::new(0)), Arc::new(AtomicUsize::new(0)));
    everywhere(
        |mut random| {
            let (mutex, total) = (mutex.clone(), total.clone());
            async move {
                for _ in 0..rounds(3000) {
                    let guard = match random.below(4) {
                        0 => Some(mutex.lock().await),
                        1 => mutex.try_lock(),
                        _ => a_few_times(mutex.lock(), random.below(3)).await,
                    };
                    if let Some(mut guard) = guard {
                        *guard += 1;
                        total.fetch_add(1, SeqCst);
                        if random.one_in(4) {
                            yield_now().await;
                        }
                    }
                }
            }
        },
        |mut random| {
            for _ in 0..rounds(3000) {
                let guard = if random.one_in(2) {
                    Some(mutex.blocking_lock())
                } else {
                    once(mutex.lock())
                };
                if let Some(mut guard) = guard {
                    *guard += 1;
                    total.fetch_add(1, SeqCst);
                }
            }
        },
    );
    assert_eq!(mutex.waiter_count(), 0);
    assert_eq!(mutex.try_lock().map(|n| *n), Some(total.load(SeqCst)));
}

#[test]
fn no_permit_of_a_semaphore_is_lost() {
    let dog = watchdog();
    let semaphore = dog.shown(Semaphore::new(4));
    everywhere(
        |mut random| {
            let semaphore = semaphore.clone();
            async move {
                for _ in 0..rounds(3000) {
                    let n = 1 + random.below(4);
                    let permit = match random.below(4) {
                        0 => Some(semaphore.acquire_many(n).await),
                        1 => semaphore.try_acquire_many(n),
                        _ => a_few_times(semaphore.acquire_many(n), random.below(3)).await,
                    };
                    if permit.is_some() && random.one_in(4) {
                        yield_now().await;
                    }
                }
            }
        },
        |mut random| {
            for _ in 0..rounds(3000) {
                let n = random.below(4);
                if random.one_in(2) {
                    drop(semaphore.blocking_acquire_many(n));
                } else {
                    drop(once(semaphore.acquire_many(n)));
                }
            }
        },
    );
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (4, 0)
    );
}

/// A notification is the key to a room. Whoever loses it stops everybody.
#[test]
fn the_one_notification_goes_from_hand_to_hand() {
    let _dog = watchdog();
    let (notify, inside) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    notify.notify_one();
    everywhere(
        |mut random| {
            let (notify, inside) = (notify.clone(), inside.clone());
            async move {
                for _ in 0..rounds(3000) {
                    let got = match random.below(4) {
                        0 => {
                            notify.notified().await;
                            Some(())
                        }
                        1 => {
                            let mut notified = pin!(notify.notified());
                            notified.as_mut().enable();
                            a_few_times(notified, random.below(3)).await
                        }
                        _ => a_few_times(notify.notified(), random.below(3)).await,
                    };
                    if got.is_some() {
                        assert_eq!(inside.fetch_add(1, SeqCst), 0);
                        if random.one_in(4) {
                            yield_now().await;
                        }
                        inside.fetch_sub(1, SeqCst);
                        if random.one_in(2) {
                            notify.notify_one();
                        } else {
                            notify.notify_last();
                        }
                    }
                }
            }
        },
        |mut random| {
            for _ in 0..rounds(3000) {
                if random.one_in(2) {
                    notify.blocking_notified();
                    notify.notify_one();
                } else if once(notify.notified()).is_some() {
                    notify.notify_one();
                }
            }
        },
    );
    assert_eq!(notify.waiter_count(), 0);
    assert!(once(notify.notified()).is_some());
}

/// Threads that block take one token for each time that they are told, while others come and give
/// up. If a notification is lost its token stays, and the one that makes them waits for ever.
#[test]
fn no_token_of_a_condvar_is_lost() {
    let dog = watchdog();
    let n = rounds(5000);
    // How many block, and how many tokens there are; none any more when it is over.
    let state = dog.shown(Mutex::new((0_usize, Some(0_usize))));
    let come = dog.shown(Condvar::new());
    let took = thread::scope(|scope| {
        let patient = || {
            let mut took = 0;
            let mut guard = state.blocking_lock();
            while guard.1.is_some() {
                guard.0 += 1;
                guard = come.blocking_wait(guard);
                guard.0 -= 1;
                if let Some(tokens) = &mut guard.1 {
                    *tokens = tokens.checked_sub(1).expect("it was told of one");
                    took += 1;
                }
            }
            took
        };
        let impatient = |seed| {
            let mut random = Random::new(seed);
            let mut took = 0;
            loop {
                let guard = state.blocking_lock();
                if guard.1.is_none() {
                    return took;
                }
                let mut wait = Hand::new(come.wait(guard));
                for _ in 0..random.below(4) {
                    if let Poll::Ready(mut guard) = wait.poll() {
                        if let Some(tokens) = &mut guard.1 {
                            *tokens = tokens.checked_sub(1).expect("it was told of one");
                            took += 1;
                        }
                        break;
                    }
                    thread::yield_now();
                }
            }
        };
        let consumers = [
            scope.spawn(patient),
            scope.spawn(patient),
            scope.spawn(move || impatient(1)),
            scope.spawn(move || impatient(2)),
        ];
        for made in 0..=n {
            // Somebody blocks, and has nothing to take yet.
            let mut guard = state.blocking_lock();
            while guard.0 == 0 || guard.1 != Some(0) {
                drop(guard);
                thread::yield_now();
                guard = state.blocking_lock();
            }
            if made == n {
                guard.1 = None;
                come.notify_all();
                break;
            }
            guard.1 = Some(1);
            if made % 2 == 0 {
                drop(guard);
            }
            come.notify_one();
        }
        consumers
            .into_iter()
            .map(|consumer| consumer.join().expect("no consumer panics"))
            .sum::<usize>()
    });
    assert_eq!(took, n);
    assert_eq!((state.waiter_count(), come.waiter_count()), (0, 0));
}
