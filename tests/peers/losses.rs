//! Wake-ups that are lost, kept by who is gone, or too many.

use std::sync::Arc;

use super::common::{Act, Hand, Probe, on_each_road, watchdog};
use compio_sync::{Barrier, Condvar, Mutex, Notify, RwLock, RwLockUpgradableReadGuard, Semaphore};

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
        let upgrade = road.wait(RwLockUpgradableReadGuard::upgrade(guard));
        let mut behind = road.wait(lock.read());
        road.send(|| drop(upgrade));
        drop(behind.expect_ready());
        drop(reader);
        assert!(!lock.is_locked());
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

/// tokio 2739, 3742, 3892, 4557: a condition variable, in which no notification that follows a
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

/// tokio 5403, 5465: all that are woken fight for one lock. Here each that comes in order finds it
/// free, and is woken once; if it is locked, one at a time is woken for it.
#[test]
fn tokio_5403_notify_all_wakes_each_once_and_for_the_lock_one_at_a_time() {
    let _dog = watchdog();
    for locked in [false, true] {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        let mut herd: Vec<_> = (0..1000)
            .map(|_| Hand::waiting(condvar.wait(mutex.try_lock().unwrap())))
            .collect();
        let guard = locked.then(|| mutex.try_lock().unwrap());
        condvar.notify_all();
        if locked {
            herd.iter_mut().for_each(Hand::expect_pending);
        }
        drop(guard);
        for n in 0..herd.len() {
            let woken: usize = herd.iter().map(Hand::wakes).sum();
            let for_the_lock = if locked { n + 1 } else { 0 };
            assert_eq!(woken, herd.len() + for_the_lock);
            drop(herd[n].expect_ready());
        }
    }
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
