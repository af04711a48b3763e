//! All that are notified at once: woken in order, each once, they lock the mutex one after another.
//! And which mutex that is, also when waits are leaked.

mod common;

use std::sync::{Arc, Mutex as Log};

use common::{
    Hand, forget, in_runtime, on_another_thread, probe::Act, probe::Probe, probe::woken, settle,
    spawn, until, watchdog, yield_now,
};
use compio_sync::{Condvar, CondvarWait, Mutex};

/// `n` waits that have begun, for one mutex.
fn waits<'a>(
    n: usize,
    mutex: &'a Mutex<usize>,
    condvar: &'a Condvar,
) -> Vec<Hand<CondvarWait<'a, usize>>> {
    (0..n)
        .map(|_| Hand::waiting(condvar.wait(mutex.try_lock().unwrap())))
        .collect()
}

/// More than are woken under one lock of the queue.
const MANY: usize = 300;

#[test]
fn all_are_woken_at_once_and_each_once() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut waits = waits(MANY, &mutex, &condvar);
    condvar.notify_all();
    assert_eq!((condvar.waiter_count(), mutex.waiter_count()), (0, 0));
    assert!(!mutex.is_locked(), "it is nobody's yet");
    assert!(waits.iter().all(|wait| wait.wakes() == 1));
    condvar.notify_all();
    condvar.notify_one();
    for (i, wait) in waits.iter_mut().enumerate() {
        let mut guard = wait.expect_ready();
        assert_eq!(*guard, i);
        *guard += 1;
    }
    assert!(waits.iter().all(|wait| wait.wakes() == 1));
    assert!(!mutex.is_locked());
}

#[test]
fn they_are_woken_in_the_order_in_which_they_began_to_wait() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let log = Arc::new(Log::new(Vec::new()));
    let mut waits: Vec<_> = (0..MANY)
        .map(|i| {
            let log = log.clone();
            let probe = Probe::with_hook(move |act| {
                if act == Act::Wake {
                    log.lock().unwrap().push(i);
                }
            });
            let mut wait = Hand::with_probe(condvar.wait(mutex.try_lock().unwrap()), probe);
            wait.expect_pending();
            wait
        })
        .collect();
    drop(waits.remove(7));
    condvar.notify_all();
    let expected: Vec<_> = (0..MANY).filter(|i| *i != 7).collect();
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn those_that_find_the_mutex_locked_queue_and_have_it_in_order() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut waits = waits(MANY, &mutex, &condvar);
    let guard = mutex.try_lock().unwrap();
    condvar.notify_all();
    assert_eq!(woken(&waits).len(), MANY, "also while it is locked");
    assert_eq!((condvar.waiter_count(), mutex.waiter_count()), (0, 0));
    for (i, wait) in waits.iter_mut().enumerate() {
        wait.expect_pending();
        assert_eq!(mutex.waiter_count(), i + 1);
    }
    drop(guard);
    for i in 0..MANY {
        let again = waits.iter().filter(|wait| wait.wakes() == 2).count();
        assert_eq!(again, i + 1, "by the mutex, one at a time");
        drop(waits[i].expect_ready());
    }
    assert!(waits.iter().all(|wait| wait.wakes() == 2));
    assert!(!mutex.is_locked());
}

#[test]
fn they_queue_behind_those_that_wait_for_the_mutex() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut waits = waits(3, &mutex, &condvar);
    let guard = mutex.try_lock();
    let mut lock = Hand::waiting(mutex.lock());
    condvar.notify_all();
    waits.iter_mut().for_each(Hand::expect_pending);
    assert_eq!(mutex.waiter_count(), 4);
    drop(guard);
    assert!(lock.is_woken() && waits.iter().all(|wait| wait.wakes() == 1));
    drop(lock.expect_ready());
    waits.iter_mut().for_each(|wait| drop(wait.expect_ready()));
}

/// Some go before they have come to the mutex; or from its queue, and when they were woken for it.
#[test]
fn those_that_go_take_nothing_from_the_others() {
    let _dog = watchdog();
    for locked in [false, true] {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let mut waits: Vec<_> = waits(MANY, &mutex, &condvar)
            .into_iter()
            .map(Some)
            .collect();
        condvar.notify_all();
        let mut late = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
        let guard = locked.then(|| mutex.try_lock().unwrap());
        if locked {
            let all = waits.iter_mut().flatten();
            all.for_each(Hand::expect_pending);
        }
        waits.iter_mut().step_by(3).for_each(|wait| *wait = None);
        drop(guard);
        for (i, mut wait) in waits.into_iter().flatten().enumerate() {
            assert_eq!(wait.wakes(), 1 + usize::from(locked));
            if i % 2 == 0 {
                drop(wait.expect_ready());
            }
        }
        late.expect_pending();
        assert_eq!((condvar.waiter_count(), mutex.waiter_count()), (1, 0));
        assert!(!mutex.is_locked());
        condvar.notify_one();
        drop(late.expect_ready());
    }
}

/// Who is notified by `notify_one` passes that on, also among those that are notified together.
#[test]
fn one_that_goes_passes_its_notification_on_to_those_that_came_later() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut early = waits(3, &mutex, &condvar);
    condvar.notify_one();
    condvar.notify_all();
    let mut late = waits(2, &mutex, &condvar);
    drop(early.remove(2));
    assert!(woken(&late).is_empty(), "it was notified with all");
    drop(early.remove(0));
    assert_eq!(woken(&late), [0], "it was notified alone");
    drop(early[0].expect_ready());
    drop(late[0].expect_ready());
    late[1].expect_pending();
}

#[derive(Clone, Copy, Debug)]
enum By {
    ATaskOfTheirs,
    /// Before it has unlocked the mutex.
    ATaskThatHasTheMutex,
    AnotherThread,
}

/// Tasks of one runtime that are notified `by` one lock in the order in which they began to wait.
fn tasks_lock_in_order(by: By, kept: bool) {
    let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
    in_runtime(async || {
        settle().await;
        let mut tasks = Vec::new();
        for i in 0..MANY {
            let shared = shared.clone();
            tasks.push(spawn({
                let shared = shared.clone();
                async move {
                    let guard = shared.0.lock().await;
                    let mut guard = shared.1.wait(guard).await;
                    guard.push(i);
                    if kept {
                        yield_now().await;
                    }
                }
            }));
            until(|| shared.1.waiter_count() == i + 1).await;
        }
        match by {
            By::ATaskOfTheirs => shared.1.notify_all(),
            By::ATaskThatHasTheMutex => {
                let guard = shared.0.lock().await;
                shared.1.notify_all();
                drop(guard);
            }
            By::AnotherThread => on_another_thread(|| shared.1.notify_all()),
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    let order = shared.0.try_lock().unwrap();
    assert_eq!(*order, (0..MANY).collect::<Vec<_>>(), "by {by:?}");
}

#[test]
fn tasks_of_a_runtime_lock_in_the_order_in_which_they_began_to_wait() {
    let _dog = watchdog();
    for by in [
        By::ATaskOfTheirs,
        By::ATaskThatHasTheMutex,
        By::AnotherThread,
    ] {
        tasks_lock_in_order(by, false);
    }
}

#[test]
fn so_they_do_if_each_keeps_it_for_a_turn() {
    let _dog = watchdog();
    for by in [By::ATaskOfTheirs, By::ATaskThatHasTheMutex] {
        tasks_lock_in_order(by, true);
    }
}

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
    assert!(!other.is_locked());
    // Nobody waits any more.
    let mut wait = Hand::waiting(condvar.wait(other.try_lock().unwrap()));
    condvar.notify_all();
    assert_eq!(*wait.expect_ready(), 2);
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

/// Who was notified does not wait any more, even before it has come to its mutex: another mutex
/// may follow.
#[test]
fn another_mutex_may_follow_before_the_notified_have_come() {
    let _dog = watchdog();
    let (first, second, condvar) = (Mutex::new(0), Mutex::new(0), Condvar::new());
    let mut early = waits(3, &first, &condvar);
    condvar.notify_all();
    let mut late = waits(2, &second, &condvar);
    assert_eq!(condvar.waiter_count(), 2);
    condvar.notify_all();
    let held = early[0].expect_ready();
    let other = late[0].expect_ready();
    early[1].expect_pending();
    late[1].expect_pending();
    assert_eq!((first.waiter_count(), second.waiter_count()), (1, 1));
    drop((other, held));
    for wait in early[1..].iter_mut().chain(&mut late[1..]) {
        drop(wait.expect_ready());
    }
    assert!(!first.is_locked() && !second.is_locked());
}
