//! Guards and futures that are leaked: nothing is unsound, and the others starve as documented.

use std::sync::Arc;

use super::{
    common::{Hand, forget, keep, on_each_road, watchdog},
    kinds::kinds,
};
use compio_sync::{
    Barrier, CancellationToken, Condvar, Event, Latch, Lazy, Mutex, MutexGuard, Notify, OnceCell,
    OwnedMutexGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard,
    Semaphore, WaitGroup,
};

#[test]
fn a_forgotten_guard_keeps_the_mutex_locked_and_that_is_all() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(1));
    forget(mutex.try_lock());
    assert!(mutex.is_locked());
    let waits = Hand::waiting(mutex.lock());
    assert_eq!(mutex.waiter_count(), 1);
    drop(waits);
    assert_eq!(mutex.waiter_count(), 0);
    assert_eq!(Arc::into_inner(mutex).unwrap().into_inner(), 1);
}

/// Nobody goes through but by counting down for it.
#[test]
fn a_forgotten_guard_of_a_latch_or_a_wait_group_counts_for_ever() {
    let _dog = watchdog();
    let (latch, group) = (Arc::new(Latch::new(2)), Arc::new(WaitGroup::new()));
    forget(latch.guard());
    forget(latch.guard_owned());
    forget(group.add());
    forget(group.add_owned());
    let mut open = Hand::waiting(latch.wait());
    let mut empty = Hand::waiting(group.wait());
    open.expect_pending();
    empty.expect_pending();
    assert_eq!((latch.count(), group.len()), (2, 2));
    assert_eq!(
        (Arc::strong_count(&latch), Arc::strong_count(&group)),
        (2, 2)
    );
    assert!(latch.count_down_by(2), "counted down by hand");
    open.expect_ready();
}

#[test]
fn a_forgotten_mapped_guard_keeps_its_lock_locked() {
    let _dog = watchdog();
    let (mutex, lock) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::new(1)));
    forget(MutexGuard::map(mutex.try_lock().unwrap(), |n| n));
    assert!(mutex.try_lock().is_none());
    forget(RwLockReadGuard::map(lock.try_read().unwrap(), |n| n));
    assert!(lock.try_write().is_none() && lock.try_read().is_some());
    let (mutex, lock) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::new(1)));
    forget(OwnedMutexGuard::map(mutex.try_lock_owned().unwrap(), |n| n));
    assert!(mutex.try_lock().is_none());
    forget(OwnedRwLockWriteGuard::map(
        lock.try_write_owned().unwrap(),
        |n| n,
    ));
    assert!(lock.try_read().is_none());
    assert_eq!(
        (Arc::strong_count(&mutex), Arc::strong_count(&lock)),
        (2, 2)
    );
}

#[test]
fn a_forgotten_owned_guard_or_permit_keeps_its_primitive_alive() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(()));
    forget(mutex.try_lock_owned());
    assert_eq!(Arc::strong_count(&mutex), 2);
    let semaphore = Arc::new(Semaphore::new(1));
    forget(semaphore.try_acquire_owned());
    assert_eq!(Arc::strong_count(&semaphore), 2);
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_forgotten_wait_that_is_queued_takes_its_turn_with_it() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let semaphore = keep(Semaphore::new(0));
        forget(road.wait(semaphore.acquire()));
        let mut next = road.wait(semaphore.acquire());
        road.send(|| semaphore.add_permits(1));
        assert_eq!(
            semaphore.available_permits(),
            0,
            "it went to the leaked one"
        );
        assert_eq!(semaphore.waiter_count(), 1);
        road.send(|| semaphore.add_permits(1));
        drop(next.expect_ready());
    });
}

#[test]
fn a_forgotten_wait_that_was_granted_leaks_its_permit_alone() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let semaphore = keep(Semaphore::new(0));
        let granted = road.wait(semaphore.acquire());
        road.send(|| semaphore.add_permits(2));
        forget(granted);
        assert_eq!(semaphore.available_permits(), 1);
        drop(Hand::new(semaphore.acquire()).expect_ready());
    });
}

#[test]
fn a_forgotten_heir_of_the_mutex_is_overtaken_and_then_has_the_lock() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let mutex = keep(Mutex::new(()));
        let guard = mutex.try_lock();
        let heir = road.wait(mutex.lock());
        road.send(|| drop(guard));
        forget(heir);
        let times = std::iter::from_fn(|| mutex.try_lock()).take(1000).count();
        assert_eq!(times, 64, "then the lock is kept for who never comes");
        assert!(mutex.is_locked());
    });
}

#[test]
fn forgotten_waits_of_the_others_stay_in_the_queue_until_they_are_told() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let notify = keep(Notify::new());
        let event = keep(Event::new());
        forget(road.wait(notify.notified()));
        forget(road.wait(event.wait()));
        let mut told = road.wait(notify.notified());
        let mut set = road.wait(event.wait());
        assert_eq!((notify.waiter_count(), event.waiter_count()), (2, 2));
        road.send(|| {
            notify.notify_waiters();
            event.set();
        });
        told.expect_ready();
        set.expect_ready();
        assert_eq!((notify.waiter_count(), event.waiter_count()), (0, 0));
    });
}

/// All behind it wait, from its turn on for ever; nobody else is locked out by it.
#[test]
fn a_forgotten_wait_for_a_read_write_lock_keeps_those_behind_it_waiting() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = keep(RwLock::new(()));
        let guard = lock.try_write();
        forget(road.wait(lock.write()));
        let mut behind = road.wait(lock.read());
        road.send(|| drop(guard));
        behind.expect_pending();
        assert!(lock.is_locked(), "it was given to who never comes");
        assert!(lock.try_read().is_none() && lock.try_write().is_none());
        drop(behind);

        let lock = keep(RwLock::new(()));
        let reader = lock.try_read();
        let guard = lock.try_upgradable_read().unwrap();
        forget(road.wait(RwLockUpgradableReadGuard::upgrade(guard)));
        let behind = road.wait(lock.read());
        road.send(|| drop(reader));
        assert!(lock.try_read().is_none(), "upgraded, for ever");
        drop(behind);
        assert_eq!(lock.waiter_count(), 0);
    });
}

#[test]
fn a_forgotten_notified_takes_one_notification() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let notify = keep(Notify::new());
        forget(road.wait(notify.notified()));
        let mut next = road.wait(notify.notified());
        road.send(|| notify.notify_one());
        next.expect_pending();
        road.send(|| notify.notify_one());
        next.expect_ready();
    });
}

#[test]
fn a_forgotten_condvar_wait_takes_one_notification_and_no_mutex() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let (mutex, condvar) = keep((Mutex::new(()), Condvar::new()));
        forget(road.wait(condvar.wait(mutex.try_lock().unwrap())));
        let mut next = road.wait(condvar.wait(mutex.try_lock().unwrap()));
        road.send(|| condvar.notify_one());
        next.expect_pending();
        assert!(!mutex.is_locked());
        road.send(|| condvar.notify_one());
        drop(next.expect_ready());
        // One that was not polled has the guard in it.
        forget(condvar.wait(mutex.try_lock().unwrap()));
        assert!(mutex.is_locked());
    });
}

#[test]
fn a_forgotten_wait_at_a_barrier_counts_for_its_generation() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let barrier = keep(Barrier::new(3));
        forget(road.wait(barrier.wait()));
        let mut second = road.wait(barrier.wait());
        assert!(road.send(|| Hand::new(barrier.wait()).expect_ready().is_leader()));
        assert!(!second.expect_ready().is_leader());
        let mut next = [(); 2].map(|()| road.wait(barrier.wait()));
        next.iter_mut().for_each(Hand::expect_pending);
        assert_eq!(barrier.waiter_count(), 2, "once");
    });
}

#[test]
fn a_forgotten_attempt_keeps_its_turn_until_the_cell_is_emptied() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let mut cell = Box::new(OnceCell::new());
        forget(road.wait(cell.get_or_init(std::future::pending::<u8>)));
        let mut behind = road.wait(cell.get_or_init(async || 1));
        behind.expect_pending();
        assert!(cell.set(2).is_err(), "somebody has the turn");
        drop(behind);
        assert_eq!(cell.take(), None);
        assert_eq!(cell.set(2), Ok(()));
        // A lazy value cannot be emptied; its owner can see that there is none.
        let mut lazy = Lazy::new(std::future::pending::<u8>);
        forget(Box::pin(lazy.get()));
        let runs = road.wait(lazy.get());
        road.wait(lazy.get()).expect_pending();
        drop(runs);
        assert_eq!(lazy.get_mut(), None);
    });
}

/// Those that take nothing with them: `Event`, `OnceCell`, `Latch`, `WaitGroup`, tokens.
#[test]
fn forgotten_waits_that_only_watch_keep_nothing_from_others() {
    let _dog = watchdog();
    const WATCH: [&str; 8] = [
        "Event::wait",
        "OnceCell::wait",
        "Latch::wait",
        "WaitGroup::wait",
        "cancelled",
        "cancelled_owned",
        "run_until_cancelled",
        "run_until_cancelled_owned",
    ];
    on_each_road(async |road| {
        let kinds: Vec<_> = kinds()
            .into_iter()
            .filter(|it| WATCH.contains(&it.name))
            .collect();
        assert_eq!(kinds.len(), WATCH.len());
        for kind in kinds {
            eprintln!("{}", kind.name);
            forget(road.wait(kind.wait()));
            let mut live = road.wait(kind.wait());
            road.send(|| kind.wake());
            live.expect_ready();
            assert!(kind.is_at_rest());
        }
    });
}

#[test]
fn a_forgotten_handle_or_guard_of_a_token_cancels_nothing() {
    let _dog = watchdog();
    let root = CancellationToken::new();
    forget(root.child_token());
    forget(root.clone().drop_guard());
    let child = root.child_token();
    assert!(!root.is_cancelled());
    root.cancel();
    Hand::new(child.cancelled()).expect_ready();
}

/// Of each kind: forgotten when it was let through, it has used up what it was given and no
/// more, and its place is free.
#[test]
fn a_forgotten_wait_that_was_let_through_is_in_no_queue() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for kind in kinds() {
            eprintln!("{}", kind.name);
            let wait = road.wait(kind.wait());
            road.send(|| kind.wake());
            forget(wait);
            // What it has of a lock is locked for ever.
            let keeps_a_lock = ["read", "write", "upgradable_read", "upgrade"]
                .iter()
                .any(|it| kind.name.starts_with(it));
            assert!(kind.is_at_rest() != keeps_a_lock);
        }
    });
}
