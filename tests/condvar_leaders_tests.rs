//! Who leads the notified to their mutex, and to which, also when waits are dropped or leaked.

mod common;

use common::{Hand, forget, probe::woken, watchdog};
use compio_sync::{Condvar, Mutex};

/// Leaves a wait of a mutex behind that is gone, with another in its place: that one must
/// not be touched.
fn after_a_forgotten_wait(notify: impl FnOnce(&Condvar)) {
    let condvar = Condvar::new();
    let mut place = Some(Mutex::new(1_u64));
    let guard = place.as_ref().and_then(Mutex::try_lock).unwrap();
    forget(Hand::waiting(condvar.wait(guard)));
    place = None;
    let other = place.insert(Mutex::new(2));
    let held = other.try_lock().unwrap();
    notify(&condvar);
    assert_eq!(other.waiter_count(), 0, "somebody waits who never asked");
    drop(held);
}

#[test]
fn notify_one_after_a_forgotten_wait() {
    let _dog = watchdog();
    after_a_forgotten_wait(Condvar::notify_one);
}

#[test]
fn notify_all_after_a_forgotten_wait() {
    let _dog = watchdog();
    after_a_forgotten_wait(Condvar::notify_all);
}

#[test]
fn a_leader_that_is_dropped_while_the_mutex_is_free_leads_and_the_next_is_woken() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut waits: Vec<_> = (0..5)
        .map(|_| Hand::waiting(condvar.wait(mutex.try_lock().unwrap())))
        .collect();
    condvar.notify_all();
    assert_eq!(condvar.waiter_count(), 0);
    drop(waits.remove(0));
    for i in 0..waits.len() {
        assert_eq!(woken(&waits).len(), i + 1, "one at a time, in order");
        drop(waits[i].expect_ready());
    }
    assert!(!mutex.is_locked());
}

/// Another mutex may follow when the last wait is over, and no leader takes its waiters.
#[test]
fn a_late_leader_does_not_take_those_of_another_mutex() {
    let _dog = watchdog();
    let (first, second, condvar) = (Mutex::new(()), Mutex::new(()), Condvar::new());
    let mut leader = Hand::waiting(condvar.wait(first.try_lock().unwrap()));
    condvar.notify_all();
    let mut others: Vec<_> = (0..2)
        .map(|_| Hand::waiting(condvar.wait(second.try_lock().unwrap())))
        .collect();
    condvar.notify_all();
    let held = leader.expect_ready();
    assert_eq!(first.waiter_count(), 0);
    let other = others[0].expect_ready();
    others[1].expect_pending();
    assert_eq!((first.waiter_count(), second.waiter_count()), (0, 1));
    drop((other, held));
    drop(others[1].expect_ready());
}
