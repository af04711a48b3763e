//! Who waits for ever, and how long one may be overtaken.

use std::{
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering::SeqCst},
    task::Poll,
};

use super::common::{
    Hand, Meeting, in_runtime, keep, on_each_road, on_runtimes, rounds, spawn, watchdog, yield_now,
};
use compio_sync::{
    Barrier, CancellationToken, Event, Latch, Mutex, Notify, OnceCell, RwLock, Semaphore, WaitGroup,
};

/// Two runtimes, each with many tasks that wait, and each of which wakes those of the other by
/// one call.
fn wake_each_other<T: Sync + 'static, F: Future + 'static>(
    make: fn() -> T,
    wait: fn(&'static T) -> F,
    waiter_count: fn(&T) -> usize,
    wake: fn(&T),
) {
    let both = [make(), make()].map(keep);
    let all_wait = Meeting::new(2);
    on_runtimes(2, async |me| {
        let mine = both[me];
        let tasks: Vec<_> = (0..MANY).map(|_| spawn(wait(mine))).collect();
        while waiter_count(mine) < tasks.len() {
            yield_now().await;
        }
        all_wait.wait().await;
        wake(both[1 - me]);
        for task in tasks {
            task.await.expect("no task panics");
        }
    });
}

const MANY: usize = 300;

/// compio 1044: a thread that wakes more than 64 tasks of another runtime waits for that
/// runtime; two that do so to each other wait for ever.
#[test]
fn compio_1044_two_runtimes_that_wake_many_tasks_of_each_other_do_not_hang() {
    let _dog = watchdog();
    wake_each_other(Event::new, Event::wait, Event::waiter_count, |event| {
        event.set();
    });
    wake_each_other(
        || Latch::new(1),
        Latch::wait,
        Latch::waiter_count,
        |latch| {
            latch.count_down();
        },
    );
    wake_each_other(
        CancellationToken::new,
        CancellationToken::cancelled,
        CancellationToken::waiter_count,
        |token| {
            token.cancel();
        },
    );
    wake_each_other(
        OnceCell::new,
        OnceCell::wait,
        OnceCell::waiter_count,
        |cell| cell.set(()).expect("it is empty"),
    );
    // The last to come lets the others go.
    wake_each_other(
        || Barrier::new(MANY + 1),
        Barrier::wait,
        Barrier::waiter_count,
        |barrier| {
            Hand::new(barrier.wait()).expect_ready();
        },
    );
    let counted = || {
        let group = keep(WaitGroup::new());
        (group, std::sync::Mutex::new(Some(group.add())))
    };
    wake_each_other(
        counted,
        |(group, _)| group.wait(),
        |(group, _)| group.waiter_count(),
        |(_, guard)| drop(guard.lock().unwrap().take()),
    );
}

/// compio 984: the same without a crowd at once. Two runtimes that wake the tasks of each other
/// one by one spin for ever, each for a place that only the other could make.
#[test]
fn compio_984_two_runtimes_that_wake_tasks_of_each_other_one_by_one_do_not_spin() {
    let _dog = watchdog();
    let notifies = [const { Notify::new() }; 2];
    let notifies = keep(notifies);
    let all_wait = Meeting::new(2);
    on_runtimes(2, async |me| {
        let tasks: Vec<_> = (0..300).map(|_| spawn(notifies[me].notified())).collect();
        while notifies[me].waiter_count() < tasks.len() {
            yield_now().await;
        }
        all_wait.wait().await;
        // Without a turn for the runtime in between.
        for _ in 0..tasks.len() {
            notifies[1 - me].notify_one();
        }
        for task in tasks {
            task.await.expect("no task panics");
        }
    });
}

/// compio 948: a task that two threads wake at about the same time, and nobody else ever, is
/// marked as scheduled, stands in no queue, and is never polled again.
#[test]
fn compio_948_a_task_that_two_threads_wake_at_once_is_not_stranded() {
    let _dog = watchdog();
    let rounds = rounds(2000);
    let (semaphore, got) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let both = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 1..=rounds {
                    both.wait();
                    semaphore.add_permits(1);
                    while got.load(SeqCst) < 2 * round {
                        std::thread::yield_now();
                    }
                }
            });
        }
        let (semaphore, got) = (semaphore.clone(), got.clone());
        in_runtime(async move || {
            let task = spawn(async move {
                for _ in 0..2 * rounds {
                    semaphore.acquire().await.forget();
                    got.fetch_add(1, SeqCst);
                }
            });
            task.await.expect("the task does not panic");
        });
    });
}

/// compio 1044, the user's case: the waker is called under a lock that the woken tasks need.
#[test]
fn compio_1044_waking_many_tasks_under_a_lock_that_they_need() {
    let _dog = watchdog();
    let shared = Arc::new((std::sync::Mutex::new(0), Notify::new()));
    let all_wait = Meeting::new(2);
    on_runtimes(2, async |me| {
        let (lock, notify) = &*shared;
        if me == 1 {
            all_wait.wait().await;
            let _held = lock.lock().unwrap();
            notify.notify_waiters();
            return;
        }
        let tasks: Vec<_> = (0..300)
            .map(|_| {
                let shared = shared.clone();
                spawn(async move {
                    shared.1.notified().await;
                    *shared.0.lock().unwrap() += 1;
                })
            })
            .collect();
        while notify.waiter_count() < tasks.len() {
            yield_now().await;
        }
        all_wait.wait().await;
        for task in tasks {
            task.await.expect("no task panics");
        }
        assert_eq!(*lock.lock().unwrap(), 300);
    });
}

/// compio 1044 with read-write locks, tokio's and others: the writers of two runtimes each let
/// in a herd of readers of the other, at once.
#[test]
fn compio_1044_two_writers_that_let_in_many_readers_of_each_other_do_not_hang() {
    let _dog = watchdog();
    let locks = [const { RwLock::new(0) }; 2].map(keep);
    let (all_lock, all_wait) = (Meeting::new(2), Meeting::new(2));
    on_runtimes(2, async |me| {
        let mut others = locks[1 - me].write().await;
        all_lock.wait().await;
        let mine = locks[me];
        let readers: Vec<_> = (0..300)
            .map(|_| spawn(async move { *mine.read().await }))
            .collect();
        while mine.waiter_count() < readers.len() {
            yield_now().await;
        }
        all_wait.wait().await;
        *others += 7;
        drop(others);
        for reader in readers {
            assert_eq!(reader.await.expect("no task panics"), 7);
        }
    });
    assert!(locks.iter().all(|lock| !lock.is_locked()));
}

/// async-lock 23: who comes by takes the permit of a waiter that has been woken, again and
/// again, and workers starve.
#[test]
fn async_lock_23_nobody_takes_the_permit_of_a_waiter() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.try_acquire().unwrap();
        let mut worker = road.wait(semaphore.acquire());
        road.send(|| drop(permit));
        for _ in 0..100 {
            assert!(semaphore.try_acquire().is_none(), "it is the worker's");
        }
        let mut late = Hand::waiting(semaphore.acquire());
        drop(worker.expect_ready());
        drop(late.expect_ready());
    });
}

/// The same with tasks: one that never lets go for long does not starve the others.
#[test]
fn async_lock_23_a_busy_worker_starves_nobody() {
    let _dog = watchdog();
    in_runtime(async || {
        let semaphore = Arc::new(Semaphore::new(1));
        let done = Arc::new(Event::new());
        let busy = spawn({
            let (semaphore, done) = (semaphore.clone(), done.clone());
            async move {
                while !done.is_set() {
                    let _permit = semaphore.acquire().await;
                    yield_now().await;
                }
            }
        });
        for _ in 0..100 {
            drop(semaphore.acquire().await);
        }
        done.set();
        busy.await.unwrap();
    });
}

/// omicron 9259, tokio 6450 (a "futurelock"): a task keeps a wait that was granted its permit
/// without polling it, and waits for the same semaphore by another one. First come, first
/// served, so that cannot end; it does when the first is polled or dropped.
#[test]
fn omicron_9259_a_granted_wait_that_is_not_polled_keeps_its_permit() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for dropped in [false, true] {
            let semaphore = Semaphore::new(1);
            let permit = semaphore.try_acquire().unwrap();
            let mut kept = Some(road.wait(semaphore.acquire()));
            road.send(|| drop(permit));
            let mut second = Hand::waiting(semaphore.acquire());
            second.expect_pending();
            if let Some(mut kept) = kept.take()
                && !dropped
            {
                drop(kept.expect_ready());
            }
            assert!(second.is_woken());
            drop(second.expect_ready());
        }
    });
}

/// The same with a mutex: the second wait gets a free lock, as long as the first has not been
/// overtaken too often; then the lock is kept for the first until it is polled or dropped.
#[test]
fn omicron_9259_a_woken_wait_for_the_mutex_that_is_not_polled_is_overtaken_and_then_not() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let mutex = Mutex::new(());
        let guard = mutex.try_lock().unwrap();
        let first = road.wait(mutex.lock());
        road.send(|| drop(guard));
        let mut times = 0;
        let mut second = loop {
            let mut wait = Hand::new(mutex.lock());
            match wait.poll() {
                Poll::Ready(guard) => drop(guard),
                Poll::Pending => break wait,
            }
            times += 1;
        };
        assert_eq!(times, 64);
        drop(first);
        drop(second.expect_ready());
    });
}

/// futures-locks 2: a future takes its place when it is made, so futures that are made in one
/// order and awaited in another never end.
#[test]
fn futures_locks_2_a_future_that_is_not_polled_takes_nothing() {
    let _dog = watchdog();
    let mutex = Mutex::new(Vec::new());
    let mut second = Hand::new(mutex.lock());
    let mut first = Hand::new(mutex.lock());
    first.expect_ready().push(1);
    second.expect_ready().push(2);
    assert_eq!(*mutex.try_lock().unwrap(), [1, 2]);
}
