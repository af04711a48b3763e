//! Every wait dropped in every state, on every road that a wake-up may take: what it had
//! goes to the next, and nothing else happens.

mod common;

use std::sync::Arc;

use common::{Hand, on_each_road, probe::woken, watchdog};
use compio_sync::{Condvar, Event, Mutex, Notify, RwLock, RwLockUpgradableReadGuard, Semaphore};

/// So many that the lock is handed to who comes in vain after them, and not yet kept.
const OVERTAKES: usize = 10;

#[test]
fn dropped_before_the_first_poll_nothing_has_happened() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(1));
    let mutex = Arc::new(Mutex::new(()));
    let (condvar, notify, event) = (Condvar::new(), Arc::new(Notify::new()), Event::new());
    drop((semaphore.acquire(), semaphore.acquire_owned()));
    drop((mutex.lock(), mutex.lock_owned()));
    let rwlock = Arc::new(RwLock::new(()));
    drop((rwlock.read(), rwlock.read_owned()));
    drop((rwlock.write(), rwlock.write_owned()));
    drop((rwlock.upgradable_read(), rwlock.upgradable_read_owned()));
    assert!(!rwlock.is_locked());
    drop(condvar.wait(mutex.try_lock().unwrap()));
    assert!(!mutex.is_locked(), "the guard in it is dropped");
    drop(condvar.wait_while(mutex.try_lock().unwrap(), |()| true));
    assert!(!mutex.is_locked());
    drop((notify.notified(), notify.notified_owned(), event.wait()));
    assert_eq!(semaphore.available_permits(), 1);
    assert_eq!(semaphore.waiter_count() + mutex.waiter_count(), 0);
    assert_eq!(
        condvar.waiter_count() + notify.waiter_count() + event.waiter_count(),
        0
    );
    assert_eq!(Arc::strong_count(&semaphore) + Arc::strong_count(&mutex), 2);

    // A stored notification is not eaten by one that never asked.
    notify.notify_one();
    drop(notify.notified());
    Hand::new(notify.notified()).expect_ready();
}

/// Waits `n` times, drops the one at `at`, and checks that the others are served in order.
fn drop_one_of<F: Future>(
    n: usize,
    at: usize,
    wait: impl Fn() -> F,
    count: impl Fn() -> usize,
    serve: impl Fn(),
) where
    F::Output: std::fmt::Debug,
{
    let mut waits: Vec<_> = (0..n).map(|_| Hand::waiting(wait())).collect();
    assert_eq!(count(), n);
    let probe = waits[at].probe().clone();
    drop(waits.remove(at));
    assert_eq!(probe.live(), 0, "its waker is dropped with it");
    assert_eq!(probe.wakes(), 0);
    assert_eq!(count(), n - 1);
    for i in 0..waits.len() {
        serve();
        assert_eq!(woken(&waits), (0..=i).collect::<Vec<_>>());
        // The output (a permit, a guard) is not given back before the end.
        std::mem::forget(waits[i].expect_ready());
    }
    assert_eq!(count(), 0);
}

#[test]
fn dropped_while_queued_the_others_keep_their_order() {
    let _dog = watchdog();
    for (n, at) in [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (7, 3)] {
        let semaphore = Semaphore::new(0);
        drop_one_of(
            n,
            at,
            || semaphore.acquire(),
            || semaphore.waiter_count(),
            || semaphore.add_permits(1),
        );
        assert_eq!(semaphore.available_permits(), 0);

        let notify = Notify::new();
        drop_one_of(
            n,
            at,
            || notify.notified(),
            || notify.waiter_count(),
            || notify.notify_one(),
        );
        assert!(format!("{notify:?}").contains("stored: false"));
    }
}

#[test]
fn dropped_while_queued_for_the_mutex_the_others_move_up() {
    let _dog = watchdog();
    for (n, at) in [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (7, 3)] {
        let mutex = Mutex::new(());
        let mut guard = mutex.try_lock();
        let mut waits: Vec<_> = (0..n).map(|_| Hand::waiting(mutex.lock())).collect();
        drop(waits.remove(at));
        assert_eq!(mutex.waiter_count(), n - 1);
        for wait in &mut waits {
            drop(guard);
            assert_eq!(wait.wakes(), 1);
            guard = Some(wait.expect_ready());
        }
        drop(guard);
        assert!(!mutex.is_locked());
        assert_eq!(mutex.waiter_count(), 0);
    }
}

#[test]
fn dropped_while_queued_for_a_condvar_or_event_the_others_stay() {
    let _dog = watchdog();
    for (n, at) in [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)] {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        let mut waits: Vec<_> = (0..n)
            .map(|_| Hand::waiting(condvar.wait(mutex.try_lock().unwrap())))
            .collect();
        drop(waits.remove(at));
        assert_eq!(condvar.waiter_count(), n - 1);
        for wait in &mut waits {
            condvar.notify_one();
            assert_eq!(wait.wakes(), 1);
            drop(wait.expect_ready());
        }
        assert!(!mutex.is_locked());

        let event = Event::new();
        let mut waits: Vec<_> = (0..n).map(|_| Hand::waiting(event.wait())).collect();
        drop(waits.remove(at));
        assert_eq!(event.waiter_count(), n - 1);
        event.set();
        waits.iter_mut().for_each(Hand::expect_ready);
    }
}

#[test]
fn a_partly_collected_request_hands_on_what_it_has() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let semaphore = Semaphore::new(2);
        let large = road.wait(semaphore.acquire_many(5));
        let mut second = road.wait(semaphore.acquire());
        let mut third = road.wait(semaphore.acquire_many(3));
        road.send(|| semaphore.add_permits(1));
        road.send(move || drop(large));
        // Of the three, one went to the second, and the third has two of its three.
        drop(second.expect_ready());
        assert_eq!(semaphore.waiter_count(), 0);
        drop(third.expect_ready());
        assert_eq!(semaphore.available_permits(), 3);
    });
    let semaphore = Semaphore::new(2);
    drop(Hand::waiting(semaphore.acquire_many(5)));
    assert_eq!(
        semaphore.available_permits(),
        2,
        "nobody else: they are free again"
    );
}

#[test]
fn dropped_after_it_was_granted_a_permit_the_next_gets_it() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let semaphore = Arc::new(Semaphore::new(0));
        let first = road.wait(semaphore.acquire());
        let second = road.wait(semaphore.acquire_owned());
        let mut third = road.wait(semaphore.acquire_many(2));
        road.send(|| semaphore.add_permits(2));
        road.check_on_its_way(&first);
        assert_eq!(semaphore.waiter_count(), 1);
        assert_eq!(semaphore.available_permits(), 0);
        drop(first);
        third.expect_pending();
        road.send(move || drop(second));
        let permit = third.expect_ready();
        assert_eq!(semaphore.available_permits(), 0);
        drop(permit);
        assert_eq!(semaphore.available_permits(), 2);

        let last = road.wait(semaphore.acquire_many(3));
        semaphore.add_permits(1);
        drop(last);
        assert_eq!(
            semaphore.available_permits(),
            3,
            "nobody else: they are free again"
        );
        assert_eq!(semaphore.waiter_count(), 0);
    });
}

#[test]
fn an_heir_of_the_mutex_that_is_dropped_wakes_the_next() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.try_lock().unwrap();
        let first = road.wait(mutex.lock());
        let second = road.wait(mutex.lock_owned());
        let mut third = road.wait(mutex.lock());
        road.send(move || drop(guard));
        road.check_on_its_way(&first);
        assert_eq!(mutex.waiter_count(), 2);
        road.send(move || drop(first));
        road.check_on_its_way(&second);
        assert_eq!(mutex.waiter_count(), 1);
        road.send(move || drop(second));
        road.check_on_its_way(&third);
        drop(third.expect_ready());
        assert!(!mutex.is_locked());
        assert_eq!(mutex.waiter_count(), 0);
    });
}

#[test]
fn an_heir_that_is_dropped_while_another_has_the_lock_leaves_it_to_the_next() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let mutex = Mutex::new(0);
        let guard = mutex.try_lock().unwrap();
        let first = road.wait(mutex.lock());
        let mut second = road.wait(mutex.lock());
        road.send(move || drop(guard));
        let overtaker = mutex.try_lock().unwrap();
        drop(first);
        assert_eq!(mutex.waiter_count(), 1, "the holder will care for it");
        second.expect_pending();
        road.send(move || drop(overtaker));
        drop(second.expect_ready());
        assert!(!mutex.is_locked());
    });
}

#[test]
fn an_heir_that_is_dropped_when_the_lock_was_kept_for_it_lets_it_go() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for others in [0, 2] {
            let mutex = Mutex::new(0);
            let guard = mutex.try_lock().unwrap();
            let mut first = road.wait(mutex.lock());
            let mut rest: Vec<_> = (0..others).map(|_| road.wait(mutex.lock())).collect();
            drop(guard);
            // It comes in vain when others have overtaken it, so that the next unlock keeps
            // the lock for it.
            (0..OVERTAKES).for_each(|_| drop(mutex.try_lock().unwrap()));
            let overtaker = mutex.try_lock().unwrap();
            first.expect_pending();
            road.send(move || drop(overtaker));
            assert!(mutex.try_lock().is_none(), "kept");
            assert_eq!(mutex.waiter_count(), others);
            road.send(move || drop(first));
            for wait in &mut rest {
                drop(wait.expect_ready());
            }
            assert!(!mutex.is_locked());
        }
    });
}

#[test]
fn a_first_waiter_that_came_in_vain_and_is_dropped_leaves_no_trace() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let mutex = Mutex::new(0);
        let guard = mutex.try_lock().unwrap();
        let mut first = road.wait(mutex.lock());
        road.send(move || drop(guard));
        (0..OVERTAKES).for_each(|_| drop(mutex.try_lock().unwrap()));
        let overtaker = mutex.try_lock().unwrap();
        first.expect_pending();
        assert_eq!(mutex.waiter_count(), 1);
        drop(first);
        assert_eq!(mutex.waiter_count(), 0);
        drop(overtaker);
        assert!(!mutex.is_locked(), "nothing is kept for anybody");
        drop(mutex.try_lock().unwrap());
    });
}

/// Each kind of wait for a read-write lock, given the lock and dropped; a writer behind it.
fn given_and_dropped<F>(
    road: &common::Road,
    lock: &Arc<RwLock<u8>>,
    wait: impl Fn(&Arc<RwLock<u8>>) -> F,
) where
    F: Future + Send,
    F::Output: std::fmt::Debug,
{
    let guard = lock.try_write().unwrap();
    let given = road.wait(wait(lock));
    let mut behind = road.wait(lock.write());
    let mut last = road.wait(lock.read());
    road.send(move || drop(guard));
    road.check_on_its_way(&given);
    assert!(lock.is_locked(), "it is kept for who was woken");
    assert_eq!(lock.waiter_count(), 2);
    behind.expect_pending();
    road.send(move || drop(given));
    assert_eq!(lock.waiter_count(), 1);
    drop(behind.expect_ready());
    drop(last.expect_ready());
    assert!(!lock.is_locked());
    assert_eq!(lock.waiter_count(), 0);
}

#[test]
fn a_given_read_write_lock_that_is_not_taken_goes_to_the_next() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = Arc::new(RwLock::new(0));
        given_and_dropped(road, &lock, |lock| lock.read_owned());
        given_and_dropped(road, &lock, |lock| lock.write_owned());
        given_and_dropped(road, &lock, |lock| lock.upgradable_read_owned());
        assert_eq!(Arc::strong_count(&lock), 1);
    });
}

#[test]
fn a_first_writer_that_is_dropped_lets_the_readers_behind_it_in() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = RwLock::new(0);
        let reader = lock.try_read();
        let writer = road.wait(lock.write());
        let mut readers: Vec<_> = (0..3).map(|_| road.wait(lock.read())).collect();
        let mut upgradable = road.wait(lock.upgradable_read());
        let mut last = road.wait(lock.write());
        road.send(move || drop(writer));
        assert_eq!(lock.waiter_count(), 1);
        let guards: Vec<_> = readers.iter_mut().map(Hand::expect_ready).collect();
        drop(upgradable.expect_ready());
        last.expect_pending();
        drop((reader, guards));
        drop(last.expect_ready());
        assert!(!lock.is_locked());
    });
}

#[test]
fn a_first_upgradable_that_is_dropped_lets_the_readers_behind_it_in() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = RwLock::new(0);
        let guard = lock.try_upgradable_read();
        let first = road.wait(lock.upgradable_read());
        let mut readers: Vec<_> = (0..2).map(|_| road.wait(lock.read())).collect();
        road.send(move || drop(first));
        assert_eq!(lock.waiter_count(), 0);
        for reader in &mut readers {
            drop(reader.expect_ready());
        }
        drop(guard);
        assert!(!lock.is_locked());
    });
}

#[test]
fn a_waiting_upgrade_that_is_dropped_gives_up_the_upgradable_lock() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = RwLock::new(0);
        let reader = lock.try_read();
        let guard = lock.try_upgradable_read().unwrap();
        let upgrade = road.wait(RwLockUpgradableReadGuard::upgrade(guard));
        let mut late = road.wait(lock.read());
        let mut upgradable = road.wait(lock.upgradable_read());
        let mut writer = road.wait(lock.write());
        assert_eq!(lock.waiter_count(), 4);
        road.send(move || drop(upgrade));
        assert_eq!(lock.waiter_count(), 1);
        drop(late.expect_ready());
        drop(upgradable.expect_ready());
        writer.expect_pending();
        drop(reader);
        drop(writer.expect_ready());
        assert!(!lock.is_locked());
    });
}

#[test]
fn an_upgrade_that_was_given_the_lock_and_is_dropped_unlocks() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = RwLock::new(0);
        let reader = lock.try_read();
        let guard = lock.try_upgradable_read().unwrap();
        let upgrade = road.wait(RwLockUpgradableReadGuard::upgrade(guard));
        let mut late = road.wait(lock.read());
        road.send(move || drop(reader));
        road.check_on_its_way(&upgrade);
        late.expect_pending();
        road.send(move || drop(upgrade));
        drop(late.expect_ready());
        assert!(!lock.is_locked());
        // Not polled at all: as the guard.
        let guard = lock.try_upgradable_read().unwrap();
        drop(road.hand(RwLockUpgradableReadGuard::upgrade(guard)));
        assert!(!lock.is_locked());
    });
}

/// In the middle and at the end of the queue, nobody else notices.
#[test]
fn a_wait_for_a_read_write_lock_that_is_dropped_in_the_queue_leaves_no_trace() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = RwLock::new(0);
        let guard = lock.try_write();
        let mut first = road.wait(lock.write());
        let goes = (
            road.wait(lock.read()),
            road.wait(lock.upgradable_read()),
            road.wait(lock.write()),
        );
        let mut last = road.wait(lock.read());
        let goes_too = road.wait(lock.write());
        road.send(move || drop((goes, goes_too)));
        assert_eq!(lock.waiter_count(), 2);
        first.expect_pending();
        drop(guard);
        drop(first.expect_ready());
        drop(last.expect_ready());
        let guard = lock.try_write();
        let only = road.wait(lock.read());
        road.send(move || drop(only));
        drop(guard);
        assert!(!lock.is_locked());
        assert!(
            lock.try_read().is_some(),
            "nothing says that somebody waits"
        );
    });
}

#[test]
fn a_notified_waiter_that_is_dropped_passes_the_notification_on() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let notify = Arc::new(Notify::new());
        let first = road.wait(notify.notified());
        let second = road.wait(notify.notified_owned());
        let mut third = road.wait(notify.notified());
        road.send(|| notify.notify_one());
        road.check_on_its_way(&first);
        road.send(move || drop(first));
        assert_eq!(notify.waiter_count(), 1);
        road.send(move || drop(second));
        assert_eq!(notify.waiter_count(), 0);
        third.expect_ready();
        assert!(format!("{notify:?}").contains("stored: false"));

        let last = road.wait(notify.notified());
        road.send(|| notify.notify_one());
        drop(last);
        assert!(
            format!("{notify:?}").contains("stored: true"),
            "nobody else: stored"
        );
        road.hand(notify.notified()).expect_ready();
    });
}

#[test]
fn notify_last_is_passed_on_to_the_last() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let notify = Notify::new();
        let mut first = road.wait(notify.notified());
        let mut second = road.wait(notify.notified());
        let third = road.wait(notify.notified());
        road.send(|| notify.notify_last());
        road.check_on_its_way(&third);
        road.send(move || drop(third));
        first.expect_pending();
        second.expect_ready();
        first.expect_pending();
        assert_eq!(notify.waiter_count(), 1);
    });
}

#[test]
fn what_notify_waiters_told_is_not_passed_on() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let notify = Notify::new();
        let told = road.wait(notify.notified());
        road.send(|| notify.notify_waiters());
        let mut later = road.wait(notify.notified());
        drop(told);
        later.expect_pending();
        drop(later);
        assert!(format!("{notify:?}").contains("stored: false"));
        assert_eq!(notify.waiter_count(), 0);
    });
}

#[test]
fn an_enabled_notified_keeps_and_passes_on_its_notification() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let notify = Arc::new(Notify::new());
        // Enabled and waiting without a waker.
        let mut enabled = road.hand(notify.notified());
        assert!(!enabled.as_mut().enable());
        assert_eq!(notify.waiter_count(), 1);
        drop(enabled);
        assert_eq!(notify.waiter_count(), 0);
        // Notified in the queue, not asked again.
        let mut enabled = road.hand(notify.notified_owned());
        assert!(!enabled.as_mut().enable());
        let mut next = road.wait(notify.notified());
        road.send(|| notify.notify_one());
        road.send(move || drop(enabled));
        next.expect_ready();
        // Told that it is notified.
        let mut enabled = road.hand(notify.notified());
        road.send(|| notify.notify_one());
        assert!(enabled.as_mut().enable());
        assert!(enabled.as_mut().enable(), "and it stays so");
        let mut next = road.wait(notify.notified());
        road.send(move || drop(enabled));
        next.expect_ready();
        assert!(format!("{notify:?}").contains("stored: false"));
    });
}

#[test]
fn an_event_wait_has_nothing_to_lose() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let event = Event::new();
        let first = road.wait(event.wait());
        let mut second = road.wait(event.wait());
        road.send(|| event.set());
        road.check_on_its_way(&first);
        road.send(move || drop(first));
        second.expect_ready();
        assert_eq!(event.waiter_count(), 0);
        event.reset();
        drop(road.wait(event.wait()));
        assert_eq!(event.waiter_count(), 0);
    });
}

#[test]
fn a_notified_condvar_waiter_that_is_dropped_passes_both_on() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let first = road.wait(condvar.wait(mutex.try_lock().unwrap()));
        let mut second = road.wait(condvar.wait(mutex.try_lock().unwrap()));
        road.send(|| condvar.notify_one());
        road.check_on_its_way(&first);
        assert_eq!((condvar.waiter_count(), mutex.waiter_count()), (1, 0));
        road.send(move || drop(first));
        assert_eq!((condvar.waiter_count(), mutex.waiter_count()), (0, 0));
        drop(second.expect_ready());
        assert!(!mutex.is_locked());
    });
}

#[test]
fn a_condvar_waiter_dropped_in_the_queue_of_the_mutex_passes_its_notification_on() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let mut first = road.wait(condvar.wait(mutex.try_lock().unwrap()));
        let mut second = road.wait(condvar.wait(mutex.try_lock().unwrap()));
        let guard = mutex.try_lock().unwrap();
        road.send(|| condvar.notify_one());
        first.expect_pending();
        assert_eq!((condvar.waiter_count(), mutex.waiter_count()), (1, 1));
        road.send(move || drop(first));
        assert_eq!((condvar.waiter_count(), mutex.waiter_count()), (0, 0));
        second.expect_pending();
        assert_eq!(mutex.waiter_count(), 1);
        road.send(move || drop(guard));
        drop(second.expect_ready());
        assert!(!mutex.is_locked());
        assert_eq!(mutex.waiter_count(), 0);
    });
}

#[test]
fn what_notify_all_told_is_not_passed_on() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let first = road.wait(condvar.wait(mutex.try_lock().unwrap()));
        let mut second = road.wait(condvar.wait(mutex.try_lock().unwrap()));
        road.send(|| condvar.notify_all());
        let mut later = road.wait(condvar.wait(mutex.try_lock().unwrap()));
        road.send(move || drop(first));
        drop(second.expect_ready());
        later.expect_pending();
        assert_eq!((condvar.waiter_count(), mutex.waiter_count()), (1, 0));
        assert!(!mutex.is_locked());
    });
}

#[test]
fn a_notification_passed_on_with_nobody_left_is_gone() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let only = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    condvar.notify_one();
    drop(only);
    assert!(!mutex.is_locked());
    let mut later = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    later.expect_pending();
    assert_eq!(condvar.waiter_count(), 1);
}
