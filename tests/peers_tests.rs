//! Defects that users of other libraries have met, each under the number of its public
//! thread: none of them is here. What others do is no reproach; it is where one looks first.

mod common;

use std::{
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering::SeqCst},
    task::Poll,
};

use common::{
    Act, Hand, Meeting, Probe, in_runtime, on_each_road, on_runtimes, settle, spawn, watchdog,
    yield_now,
};
use compio_sync::{Barrier, Condvar, Event, Mutex, Notify, RwLock, Semaphore};

/// compio 1044, 984: a thread that wakes more than 64 tasks of another runtime waits for that
/// runtime; two that do so to each other wait for ever.
#[test]
fn compio_1044_two_runtimes_that_wake_many_tasks_of_each_other_do_not_hang() {
    let _dog = watchdog();
    let events = [const { Event::new() }; 2].map(|event| &*Box::leak(Box::new(event)));
    let all_wait = Meeting::new(2);
    on_runtimes(2, async |me| {
        let mine = events[me];
        let tasks: Vec<_> = (0..300).map(|_| spawn(mine.wait())).collect();
        while mine.waiter_count() < tasks.len() {
            yield_now().await;
        }
        all_wait.wait().await;
        events[1 - me].set();
        for task in tasks {
            task.await.expect("no task panics");
        }
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
    let locks = [const { RwLock::new(0) }; 2].map(|lock| &*Box::leak(Box::new(lock)));
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

/// Calls `act` when a waker is dropped and when it is called: while a wait changes its waker,
/// is woken, and goes.
fn with_wakers_that_act<T, F: Future>(
    primitive: &Arc<T>,
    act: fn(&T),
    wait: impl Fn() -> F,
    wake: impl Fn(),
) where
    T: Send + Sync + 'static,
{
    let acted = Arc::new(AtomicUsize::new(0));
    let probe = || {
        let (primitive, acted) = (primitive.clone(), acted.clone());
        Probe::with_hook(move |what| {
            if what != Act::Clone {
                act(&primitive);
                acted.fetch_add(1, SeqCst);
            }
        })
    };
    let mut changes = Hand::with_probe(wait(), probe());
    let _first = changes.poll();
    let mut goes = Hand::with_probe(wait(), probe());
    let _first = goes.poll();
    changes.set_waker(probe().waker());
    let _again = changes.poll();
    drop(goes);
    wake();
    drop(changes);
    assert!(acted.load(SeqCst) >= 4, "the wakers have acted");
}

/// tokio 5429, asyncband 125 and 189: a waker that uses the primitive when it is dropped or
/// called deadlocks, since that happens under the primitive's lock.
#[test]
fn tokio_5429_wakers_that_use_the_primitive_do_not_deadlock() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    with_wakers_that_act(
        &notify,
        Notify::notify_waiters,
        || notify.clone().notified_owned(),
        || notify.notify_one(),
    );
    let semaphore = Arc::new(Semaphore::new(0));
    with_wakers_that_act(
        &semaphore,
        |semaphore| semaphore.add_permits(1),
        || semaphore.acquire_many_owned(100),
        || semaphore.add_permits(100),
    );
    let event = Arc::new(Event::new());
    with_wakers_that_act(
        &event,
        |event| {
            event.set();
        },
        || event.wait(),
        || {
            event.set();
        },
    );
    let mutex = Arc::new(Mutex::new(()));
    let guard = std::cell::Cell::new(mutex.try_lock());
    with_wakers_that_act(
        &mutex,
        |mutex| drop(mutex.try_lock()),
        || mutex.lock_owned(),
        || drop(guard.take()),
    );
    let rwlock = Arc::new(RwLock::new(()));
    let guard = std::cell::Cell::new(rwlock.try_write());
    with_wakers_that_act(
        &rwlock,
        |rwlock| drop((rwlock.try_read(), rwlock.try_write())),
        || rwlock.read_owned(),
        || drop(guard.take()),
    );
    let both = Arc::new((Mutex::new(()), Condvar::new()));
    with_wakers_that_act(
        &both,
        |(mutex, condvar)| {
            condvar.notify_all();
            drop(mutex.try_lock());
        },
        || both.1.wait(both.0.try_lock().unwrap()),
        || both.1.notify_one(),
    );
}

/// The same of a read-write lock: a writer that waits and gives up lets in the readers that it
/// kept out, and so does an upgrade.
#[test]
fn embassy_6964_a_first_writer_that_gives_up_lets_the_readers_in() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = RwLock::new(());
        let reader = lock.try_read();
        let writer = road.wait(lock.write());
        let mut behind: Vec<_> = (0..3).map(|_| road.wait(lock.read())).collect();
        road.send(|| drop(writer));
        for wait in &mut behind {
            drop(wait.expect_ready());
        }
        let guard = lock.try_upgradable_read().unwrap();
        let upgrade = road.wait(compio_sync::RwLockUpgradableReadGuard::upgrade(guard));
        let mut behind = road.wait(lock.read());
        road.send(|| drop(upgrade));
        drop(behind.expect_ready());
        drop(reader);
        assert!(!lock.is_locked());
    });
}

/// embassy 6964, futures-intrusive 61, shuttle 167: the first waiter asks for more than there
/// is and gives up; those behind it could have what there is, and are not woken.
#[test]
fn embassy_6964_a_first_waiter_that_gives_up_lets_the_next_through() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let semaphore = Semaphore::new(1);
        let first = Hand::waiting(semaphore.acquire_many(2));
        let mut next = road.wait(semaphore.acquire());
        let mut last = Hand::waiting(semaphore.acquire());
        road.send(|| drop(first));
        let permit = next.expect_ready();
        last.expect_pending();
        drop(permit);
        drop(last.expect_ready());
    });
}

/// tokio 4618: a wait that was notified and is dropped takes the notification with it; the
/// same with a permit.
#[test]
fn tokio_4618_a_dropped_wait_loses_no_notification() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let notify = Notify::new();
        let first = road.wait(notify.notified());
        road.send(|| notify.notify_one());
        drop(first);
        Hand::new(notify.notified()).expect_ready();

        let semaphore = Semaphore::new(0);
        let first = road.wait(semaphore.acquire());
        road.send(|| semaphore.add_permits(1));
        drop(first);
        drop(Hand::new(semaphore.acquire()).expect_ready());
    });
}

/// tokio 3652: the drop of a wait that `notify_waiters` reached erases a notification that
/// was stored since.
#[test]
fn tokio_3652_a_dropped_wait_leaves_what_was_stored_since() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let notify = Notify::new();
        let reached = road.wait(notify.notified());
        road.send(|| notify.notify_waiters());
        notify.notify_one();
        drop(reached);
        Hand::new(notify.notified()).expect_ready();
        Hand::waiting(notify.notified());
    });
}

/// tokio 3660: `notify_waiters` erases what is stored.
#[test]
fn tokio_3660_notify_waiters_leaves_what_is_stored() {
    let _dog = watchdog();
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_waiters();
    Hand::new(notify.notified()).expect_ready();
}

/// tokio 5396, 3661: `notify_waiters` lets go of its lock between batches, and reaches waits
/// that its own wake-ups have made.
#[test]
fn tokio_5396_notify_waiters_reaches_each_task_once() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    let late = Arc::new(std::sync::Mutex::new(Vec::new()));
    let probe = Probe::with_hook({
        let (notify, late) = (notify.clone(), late.clone());
        move |act| {
            if act == Act::Wake {
                late.lock()
                    .unwrap()
                    .push(Hand::waiting(notify.notified_owned()));
            }
        }
    });
    let mut early: Vec<_> = (0..200)
        .map(|_| Hand::with_probe(notify.notified(), probe.clone()))
        .collect();
    early.iter_mut().for_each(Hand::expect_pending);
    notify.notify_waiters();
    early.iter_mut().for_each(Hand::expect_ready);
    let mut late = std::mem::take(&mut *late.lock().unwrap());
    assert_eq!(late.len(), 200);
    late.iter_mut().for_each(Hand::expect_pending);
}

/// tokio 2739, 3742, 3892: a condition variable, in which no notification that follows a
/// change of the data is lost, whether the mutex is unlocked before or after.
#[test]
fn tokio_2739_a_condvar_that_loses_nothing() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for under_the_lock in [false, true] {
            let (mutex, condvar) = (Mutex::new(false), Condvar::new());
            let guard = mutex.try_lock().unwrap();
            let mut waits = road.wait(condvar.wait_while(guard, |ready| !*ready));
            road.send(|| {
                let mut guard = mutex.try_lock().expect("the wait has unlocked it");
                *guard = true;
                let held = under_the_lock.then_some(guard);
                condvar.notify_one();
                drop(held);
            });
            assert!(*waits.expect_ready());
        }
    });
}

/// tokio 5403, 5465: all that are woken fight for one lock.
#[test]
fn tokio_5403_notify_all_wakes_one_at_a_time_and_each_once() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let mut herd: Vec<_> = (0..1000)
        .map(|_| Hand::waiting(condvar.wait(mutex.try_lock().unwrap())))
        .collect();
    condvar.notify_all();
    for n in 0..herd.len() {
        let woken: usize = herd.iter().map(Hand::wakes).sum();
        assert_eq!(woken, n + 1, "one more for each that is done");
        drop(herd[n].expect_ready());
    }
    assert!(herd.iter().all(|hand| hand.wakes() == 1));
}

/// tokio 6494: a wait at a barrier that is dropped still counts, so the others are let through
/// before all have come.
#[test]
fn tokio_6494_a_dropped_wait_at_a_barrier_does_not_count() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let barrier = Barrier::new(2);
        for _ in 0..5 {
            let goes = road.wait(barrier.wait());
            road.send(|| drop(goes));
        }
        let mut first = road.wait(barrier.wait());
        first.expect_pending();
        assert_eq!(barrier.waiter_count(), 1);
        assert!(road.send(|| Hand::new(barrier.wait()).expect_ready().is_leader()));
        assert!(!first.expect_ready().is_leader());
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

/// jmalicki's compio-sync of 2025: a poll that nobody asked for counts as a wake-up.
#[test]
fn namesake_a_spurious_poll_is_no_wake_up() {
    let _dog = watchdog();
    let (semaphore, notify, event) = (Semaphore::new(0), Notify::new(), Event::new());
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let mut waits = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    let guard = mutex.try_lock();
    let mut lock = Hand::new(mutex.lock());
    let mut permit = Hand::new(semaphore.acquire());
    let (mut told, mut set) = (Hand::new(notify.notified()), Hand::new(event.wait()));
    for _ in 0..10 {
        lock.expect_pending();
        permit.expect_pending();
        told.expect_pending();
        set.expect_pending();
        waits.expect_pending();
    }
    assert_eq!(semaphore.waiter_count(), 1, "queued once");
    assert_eq!(mutex.waiter_count(), 1, "queued once");
    drop(guard);
}

/// The same: the waker of a wait that was dropped stays in the queue, and takes the next
/// wake-up.
#[test]
fn namesake_a_dropped_wait_takes_no_wake_up() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let goes = Hand::waiting(semaphore.acquire());
    let mut stays = Hand::waiting(semaphore.acquire());
    let gone = goes.probe().clone();
    drop(goes);
    assert_eq!(gone.live(), 0, "no waker of it is left");
    semaphore.add_permits(1);
    assert_eq!((gone.wakes(), stays.wakes()), (0, 1));
    drop(stays.expect_ready());
}

/// The same: `waiter_count` panics.
#[test]
fn namesake_waiter_count_counts() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut waits = Vec::new();
    for n in 0..5 {
        assert_eq!(semaphore.waiter_count(), n);
        waits.push(Hand::waiting(semaphore.acquire()));
    }
    semaphore.add_permits(2);
    assert_eq!(semaphore.waiter_count(), 3);
    waits.clear();
    assert_eq!(semaphore.waiter_count(), 0);
}

/// The same: the condition variable is a flag that stays set.
#[test]
fn namesake_a_condvar_remembers_no_notification() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    condvar.notify_one();
    condvar.notify_all();
    let mut waits = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    waits.expect_pending();
    condvar.notify_one();
    drop(waits.expect_ready());
}

/// The same: first come, first served is promised, and who comes by goes first.
#[test]
fn namesake_first_come_first_served() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let semaphore = Arc::new(Semaphore::new(0));
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let (semaphore, order) = (semaphore.clone(), order.clone());
                spawn(async move {
                    let _permit = semaphore.acquire().await;
                    order.lock().unwrap().push(n);
                })
            })
            .collect();
        while semaphore.waiter_count() < tasks.len() {
            yield_now().await;
        }
        semaphore.add_permits(1);
        assert!(semaphore.try_acquire().is_none());
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), Vec::from_iter(0..20));
    });
}
