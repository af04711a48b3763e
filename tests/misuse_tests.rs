//! What one should not do: it leaks, waits or panics, as documented, and harms nobody else.

mod common;

use std::{
    mem::forget,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use common::{
    Hand, in_runtime, on_another_thread, on_each_road, panic_message, settle, spawn, watchdog,
};
use compio_sync::{
    Condvar, Event, Mutex, MutexGuard, Notify, OwnedMutexGuard, Semaphore, SemaphorePermit,
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

#[test]
fn a_forgotten_owned_guard_or_permit_keeps_its_primitive_alive() {
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
        let semaphore: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
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
        let semaphore: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
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
        let mutex: &'static Mutex<()> = Box::leak(Box::new(Mutex::new(())));
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
        let notify: &'static Notify = Box::leak(Box::new(Notify::new()));
        let event: &'static Event = Box::leak(Box::new(Event::new()));
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

#[test]
fn what_is_polled_after_it_was_ready_panics_and_can_still_be_dropped() {
    let _dog = watchdog();
    let (semaphore, mutex) = (Semaphore::new(2), Mutex::new(()));
    let (notify, event, condvar) = (Notify::new(), Event::new(), Condvar::new());
    fn again<F: Future>(mut hand: Hand<F>) {
        let first = hand.poll();
        assert!(first.is_ready());
        for _ in 0..2 {
            let message = panic_message(|| hand.poll().is_ready());
            assert_eq!(message, "a future was polled after it was ready");
        }
    }
    again(Hand::new(semaphore.acquire_many(2)));
    again(Hand::new(mutex.lock()));
    event.set();
    again(Hand::new(event.wait()));
    notify.notify_one();
    again(Hand::new(notify.notified()));
    let mut wait = Hand::new(condvar.wait(mutex.try_lock().unwrap()));
    assert!(wait.poll().is_pending());
    condvar.notify_one();
    again(wait);
    assert_eq!(semaphore.available_permits(), 2);
    assert!(!mutex.is_locked());
    assert_eq!(mutex.waiter_count() + condvar.waiter_count(), 0);
}

#[test]
fn a_guard_or_permit_may_be_dropped_on_another_thread() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let (mutex, semaphore) = (Arc::new(Mutex::new(1)), Arc::new(Semaphore::new(1)));
        let (guard, permit) = (mutex.lock().await, semaphore.acquire().await);
        let waits = spawn({
            let (mutex, semaphore) = (mutex.clone(), semaphore.clone());
            async move {
                let _permit = semaphore.acquire().await;
                *mutex.lock().await += 1;
            }
        });
        common::until(|| semaphore.waiter_count() == 1).await;
        on_another_thread(move || drop((guard, permit)));
        waits.await.unwrap();
        assert_eq!(*mutex.lock().await, 2);
    });
}

#[test]
fn a_panic_with_guards_and_permits_in_hand_gives_them_back() {
    let _dog = watchdog();
    let (mutex, semaphore) = (Arc::new(Mutex::new(0)), Arc::new(Semaphore::new(3)));
    let mut lock = None;
    let mut permit = None;
    let message = panic_message(AssertUnwindSafe(|| {
        let _guard = OwnedMutexGuard::map(mutex.try_lock_owned().unwrap(), |n| n);
        let mut both = semaphore.try_acquire_many(3).unwrap();
        let _one = both.split(1);
        lock = Some(Hand::waiting(mutex.lock()));
        permit = Some(Hand::waiting(semaphore.acquire_many(2)));
        panic!("of the user");
    }));
    assert_eq!(message, "of the user");
    drop(lock.unwrap().expect_ready());
    drop(permit.unwrap().expect_ready());
    assert_eq!(semaphore.available_permits(), 3);
    assert!(!mutex.is_locked());
}

#[test]
fn a_panicking_task_gives_back_what_it_holds_and_leaves_the_queue() {
    let _dog = watchdog();
    in_runtime(async || {
        let semaphore = Arc::new(Semaphore::new(1));
        let panics = spawn({
            let semaphore = semaphore.clone();
            async move {
                let _permit = semaphore.acquire().await;
                let _queued = Hand::waiting(semaphore.acquire());
                panic!("of the task");
            }
        });
        assert!(panics.await.is_err());
        assert_eq!(semaphore.waiter_count(), 0);
        drop(semaphore.acquire().await);
    });
}

#[test]
fn a_panicking_closure_of_map_or_wait_while_unlocks() {
    let _dog = watchdog();
    let (mutex, condvar) = (Arc::new(Mutex::new(1)), Condvar::new());
    let unlocks = |what: &dyn Fn()| {
        assert!(catch_unwind(AssertUnwindSafe(what)).is_err());
        assert!(!mutex.is_locked());
    };
    fn boom(_: &mut i32) -> &mut i32 {
        panic!("of the closure")
    }
    unlocks(&|| drop(MutexGuard::map(mutex.try_lock().unwrap(), boom)));
    unlocks(&|| {
        drop(MutexGuard::try_map(mutex.try_lock().unwrap(), |n| {
            Some(boom(n))
        }))
    });
    unlocks(&|| drop(OwnedMutexGuard::map(mutex.try_lock_owned().unwrap(), boom)));
    unlocks(&|| {
        let guard = MutexGuard::map(mutex.try_lock().unwrap(), |n| n);
        drop(compio_sync::MappedMutexGuard::map(guard, boom));
    });
    unlocks(&|| {
        let guard = OwnedMutexGuard::map(mutex.try_lock_owned().unwrap(), |n| n);
        drop(compio_sync::OwnedMappedMutexGuard::map(guard, boom));
    });
    // At the first look, and at one after a notification, with another behind it.
    let wait = || condvar.wait_while(mutex.try_lock().unwrap(), |n| *boom(n) == 0);
    unlocks(&|| assert!(Hand::new(wait()).poll().is_ready()));
    let mut looks = 0;
    let mut second = Hand::waiting(condvar.wait_while(mutex.try_lock().unwrap(), |n| {
        looks += 1;
        looks == 1 || *boom(n) == 0
    }));
    let mut other = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    condvar.notify_all();
    assert_eq!(panic_message(|| second.poll().is_ready()), "of the closure");
    other.expect_pending();
    drop(second);
    drop(other.expect_ready());
}

#[test]
fn more_permits_than_there_can_be_are_refused_everywhere() {
    let _dog = watchdog();
    const MAX: usize = Semaphore::MAX_PERMITS;
    let refused = |what: &dyn Fn()| assert!(panic_message(what).contains("semaphore"));
    refused(&|| drop(Semaphore::new(MAX + 1)));
    let semaphore = Semaphore::new(MAX);
    refused(&|| semaphore.add_permits(1));
    refused(&|| semaphore.add_permits(usize::MAX));
    refused(&|| drop(semaphore.acquire_many(MAX + 1)));
    assert!(semaphore.try_acquire_many(MAX + 1).is_none());
    assert!(semaphore.try_acquire_many(usize::MAX).is_none());
    assert_eq!(semaphore.available_permits(), MAX);
    assert_eq!(semaphore.forget_permits(usize::MAX), MAX);
    // Made in the place of some that are taken: too many when these come back.
    semaphore.add_permits(1);
    let permit = semaphore.try_acquire();
    semaphore.add_permits(MAX);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(permit))).is_err());
    assert_eq!(semaphore.available_permits(), MAX);
}

#[test]
fn a_refused_request_can_wait_for_all_there_can_be() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(1);
    let mut all = Hand::waiting(semaphore.acquire_many(Semaphore::MAX_PERMITS));
    semaphore.add_permits(Semaphore::MAX_PERMITS - 1);
    let permit: SemaphorePermit<'_> = all.expect_ready();
    assert_eq!(permit.num_permits(), Semaphore::MAX_PERMITS);
}
