//! What the condition variable promises: notifications in order, and no loss.

mod common;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use common::{
    Hand, in_runtime, on_another_thread, on_runtimes, panic_message, park_on, probe::woken, rounds,
    spawn, until, watchdog,
};
use compio_sync::{Condvar, CondvarWait, Mutex};

/// `n` waits that have begun, for one mutex.
fn waits<'a, T: std::fmt::Debug>(
    n: usize,
    mutex: &'a Mutex<T>,
    condvar: &'a Condvar,
) -> Vec<Hand<CondvarWait<'a, T>>> {
    (0..n)
        .map(|_| Hand::waiting(condvar.wait(mutex.try_lock().unwrap())))
        .collect()
}

#[compio::test]
async fn a_waiter_sees_the_change_it_is_notified_of() {
    let _dog = watchdog();
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let task = spawn({
        let shared = shared.clone();
        async move {
            let mut guard = shared.0.lock().await;
            while !*guard {
                guard = shared.1.wait(guard).await;
            }
            *guard
        }
    });
    until(|| shared.1.waiter_count() == 1).await;
    *shared.0.lock().await = true;
    shared.1.notify_one();
    assert!(task.await.unwrap());
}

#[test]
fn waiting_unlocks_the_mutex_and_ready_locks_it_again() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = Hand::new(condvar.wait(mutex.try_lock().unwrap()));
    assert!(mutex.is_locked(), "until it is polled the guard is in it");
    assert_eq!(condvar.waiter_count(), 0);
    wait.expect_pending();
    assert!(!mutex.is_locked());
    assert_eq!(condvar.waiter_count(), 1);
    *mutex.try_lock().unwrap() = 5;
    condvar.notify_one();
    let guard = wait.expect_ready();
    assert!(mutex.is_locked());
    assert_eq!(*guard, 5);
    drop(guard);
    assert!(!mutex.is_locked());
}

#[test]
fn unlocking_to_wait_wakes_who_waits_for_the_mutex() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = Hand::new(condvar.wait(mutex.try_lock().unwrap()));
    let mut lock = Hand::waiting(mutex.lock());
    wait.expect_pending();
    assert_eq!(lock.wakes(), 1);
    drop(lock.expect_ready());
}

#[test]
fn notify_one_goes_to_the_one_that_waited_longest() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let mut waits = waits(4, &mutex, &condvar);
    for i in 0..4 {
        condvar.notify_one();
        assert_eq!(woken(&waits), (0..=i).collect::<Vec<_>>());
        assert_eq!(condvar.waiter_count(), 3 - i);
        drop(waits[i].expect_ready());
    }
    assert!(waits.iter().all(|wait| wait.wakes() == 1));
}

#[test]
fn a_notification_without_a_waiter_is_lost() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    condvar.notify_one();
    condvar.notify_all();
    let mut wait = Hand::new(condvar.wait(mutex.try_lock().unwrap()));
    // Nor does one count that comes before the wait has begun.
    condvar.notify_one();
    wait.expect_pending();
    wait.expect_pending();
    assert_eq!(condvar.waiter_count(), 1);
}

#[test]
fn it_never_wakes_without_a_notification() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let mut waits = waits(3, &mutex, &condvar);
    for _ in 0..100 {
        drop(mutex.try_lock().unwrap());
        waits.iter_mut().for_each(Hand::expect_pending);
    }
    assert!(woken(&waits).is_empty());
}

#[test]
fn who_is_notified_under_the_lock_is_woken_at_once_and_waits_for_the_lock() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut waits = waits(2, &mutex, &condvar);
    let guard = mutex.try_lock().unwrap();
    for _ in 0..3 {
        condvar.notify_one();
    }
    assert_eq!(woken(&waits), [0, 1]);
    waits.iter_mut().for_each(Hand::expect_pending);
    assert_eq!(mutex.waiter_count(), 2);
    drop(guard);
    assert_eq!((waits[0].wakes(), waits[1].wakes()), (2, 1));
    drop(waits[0].expect_ready());
    assert_eq!(waits[1].wakes(), 2);
    drop(waits[1].expect_ready());
    assert!(!mutex.is_locked());
}

#[test]
fn notify_all_does_not_reach_those_that_come_later() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut early = waits(3, &mutex, &condvar);
    condvar.notify_all();
    let mut late = Hand::new(condvar.wait(early[0].expect_ready()));
    late.expect_pending();
    drop(early[1].expect_ready());
    drop(early[2].expect_ready());
    late.expect_pending();
    assert_eq!(condvar.waiter_count(), 1);
    condvar.notify_all();
    drop(late.expect_ready());
}

#[test]
fn the_notified_queue_behind_those_that_wait_for_the_mutex() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut notified = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    let guard = mutex.try_lock();
    let mut lock = Hand::waiting(mutex.lock());
    condvar.notify_one();
    notified.expect_pending();
    drop(guard);
    assert_eq!((lock.wakes(), notified.wakes()), (1, 1));
    drop(lock.expect_ready());
    assert_eq!(notified.wakes(), 2);
    drop(notified.expect_ready());
}

#[test]
fn a_notified_waiter_that_finds_the_mutex_taken_waits_for_it() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    condvar.notify_one();
    let overtaker = mutex.try_lock();
    assert!(overtaker.is_some());
    wait.expect_pending();
    assert_eq!((condvar.waiter_count(), mutex.waiter_count()), (0, 1));
    drop(overtaker);
    assert_eq!(wait.wakes(), 2);
    drop(wait.expect_ready());
    assert!(!mutex.is_locked());
}

#[test]
fn a_waiter_keeps_its_notification_when_it_is_requeued_in_the_mutex() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut first = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    let mut second = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    condvar.notify_one();
    let overtaker = mutex.try_lock();
    first.expect_pending();
    // First in the queue of the mutex by now; still a notification that is not used up.
    drop(first);
    drop(overtaker);
    drop(second.expect_ready());
    assert!(!mutex.is_locked());
}

#[test]
fn two_mutexes_at_a_time_panic() {
    let _dog = watchdog();
    let (one, two, condvar) = (Mutex::new(1), Mutex::new(2), Condvar::new());
    let mut wait = Hand::waiting(condvar.wait(one.try_lock().unwrap()));
    let mut other = Hand::new(condvar.wait(two.try_lock().unwrap()));
    assert!(panic_message(|| other.poll()).contains("two mutexes"));
    drop(other);
    assert!(!two.is_locked(), "the guard went with the future");
    assert_eq!(condvar.waiter_count(), 1);
    condvar.notify_one();
    drop(wait.expect_ready());
    // Nobody waits any more: another mutex is fine.
    let mut wait = Hand::waiting(condvar.wait(two.try_lock().unwrap()));
    condvar.notify_all();
    assert_eq!(*wait.expect_ready(), 2);
}

#[test]
fn wait_while_does_not_wait_if_there_is_nothing_to_wait_for() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(1), Condvar::new());
    let guard = mutex.try_lock().unwrap();
    let mut calls = 0;
    let mut wait = Hand::new(condvar.wait_while(guard, |n| {
        calls += 1;
        *n == 0
    }));
    assert_eq!(*wait.expect_ready(), 1);
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
    drop(wait);
    assert_eq!(calls, 1);
    assert!(!mutex.is_locked());
}

#[test]
fn wait_while_waits_as_long_as_the_condition_holds() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let guard = mutex.try_lock().unwrap();
    let mut wait = Hand::waiting(condvar.wait_while(guard, |n| {
        *n += 1;
        *n < 3
    }));
    assert_eq!(*mutex.try_lock().unwrap(), 1);
    wait.expect_pending();
    assert_eq!(
        *mutex.try_lock().unwrap(),
        1,
        "asked only after a notification"
    );
    condvar.notify_one();
    wait.expect_pending();
    assert!(!mutex.is_locked());
    assert_eq!((*mutex.try_lock().unwrap(), condvar.waiter_count()), (2, 1));
    condvar.notify_one();
    assert_eq!(*wait.expect_ready(), 3);
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
}

#[test]
fn a_panicking_condition_unlocks_when_its_future_is_dropped() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    // In the first look, before it has ever waited.
    let guard = mutex.try_lock().unwrap();
    let mut wait = Hand::new(condvar.wait_while(guard, |_| panic!("on purpose")));
    assert_eq!(panic_message(|| wait.poll()), "on purpose");
    drop(wait);
    assert!(!mutex.is_locked());
    // After a notification.
    let guard = mutex.try_lock().unwrap();
    let mut first = true;
    let mut wait = Hand::waiting(condvar.wait_while(guard, move |_| {
        assert!(std::mem::take(&mut first), "on purpose");
        true
    }));
    let mut other = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    condvar.notify_all();
    assert_eq!(panic_message(|| wait.poll()), "on purpose");
    drop(wait);
    drop(other.expect_ready());
    assert!(!mutex.is_locked());
}

#[test]
fn a_poll_after_ready_panics() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut wait = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    condvar.notify_one();
    drop(wait.expect_ready());
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
    drop(wait);
    assert!(!mutex.is_locked());
}

#[test]
fn threads_and_tasks_wait_in_one_queue() {
    let _dog = watchdog();
    let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
    in_runtime(async || {
        let mut tasks = Vec::new();
        let mut threads = Vec::new();
        for i in 0..6 {
            let s = shared.clone();
            if i % 2 == 0 {
                tasks.push(spawn(async move {
                    let guard = s.0.lock().await;
                    s.1.wait(guard).await.push(i);
                }));
            } else {
                threads.push(std::thread::spawn(move || {
                    s.1.blocking_wait(s.0.blocking_lock()).push(i);
                }));
            }
            until(|| shared.1.waiter_count() == i + 1).await;
        }
        for i in 0..4 {
            shared.1.notify_one();
            let has_come = || {
                shared
                    .0
                    .try_lock()
                    .is_some_and(|order| order.len() == i + 1)
            };
            until(has_come).await;
        }
        shared.1.notify_all();
        for task in tasks {
            task.await.unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
    let mut order = shared.0.try_lock().unwrap();
    // A thread and a task that are notified together may come in any order.
    order[4..].sort_unstable();
    assert_eq!(*order, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn blocking_inside_of_a_runtime_panics_and_unlocks() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    in_runtime(async || {
        let guard = mutex.lock().await;
        assert!(panic_message(|| condvar.blocking_wait(guard)).contains("cannot block"));
        let guard = mutex.lock().await;
        let wait = || condvar.blocking_wait_while(guard, |_| true);
        assert!(panic_message(wait).contains("cannot block"));
        assert!(!mutex.is_locked());
    });
}

#[test]
fn blocking_wait_while_returns_when_the_condition_is_false() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3 {
                *mutex.blocking_lock() += 1;
                condvar.notify_one();
            }
        });
        let guard = condvar.blocking_wait_while(mutex.blocking_lock(), |n| *n < 3);
        assert_eq!(*guard, 3);
    });
}

#[test]
fn two_runtimes_take_turns() {
    let _dog = watchdog();
    let n = rounds(5000);
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    on_runtimes(2, async |me| {
        for _ in 0..n {
            let guard = mutex.lock().await;
            let mut guard = condvar.wait_while(guard, |turn| *turn % 2 != me).await;
            *guard += 1;
            drop(guard);
            condvar.notify_one();
        }
    });
    assert_eq!(mutex.into_inner(), 2 * n);
}

#[test]
fn a_bounded_queue_moves_everything_once() {
    let _dog = watchdog();
    let n = rounds(2000);
    let queue = Mutex::new(VecDeque::new());
    let (filled, emptied) = (Condvar::new(), Condvar::new());
    let sums = on_runtimes(3, async |me| {
        let mut sum = 0;
        for i in 0..n {
            let guard = queue.lock().await;
            if me == 0 {
                let mut guard = emptied.wait_while(guard, |queue| queue.len() >= 8).await;
                guard.extend([i, i]);
                drop(guard);
                filled.notify_all();
            } else {
                let mut guard = filled.wait_while(guard, |queue| queue.is_empty()).await;
                sum += guard.pop_front().expect("not empty");
                drop(guard);
                emptied.notify_one();
            }
        }
        sum
    });
    assert_eq!(sums[1] + sums[2], n * (n - 1));
    assert!(queue.into_inner().is_empty());
}

#[test]
fn a_waiter_may_be_the_last_owner_of_its_mutex() {
    let _dog = watchdog();
    for _ in 0..rounds(300) {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let waiter = std::thread::spawn({
            let shared = shared.clone();
            move || {
                park_on(async {
                    let guard = shared.0.lock().await;
                    drop(shared.1.wait_while(guard, |go| !*go).await);
                });
                shared
            }
        });
        *shared.0.blocking_lock() = true;
        shared.1.notify_all();
        drop(shared);
        drop(waiter.join().unwrap());
    }
}

#[compio::test]
async fn a_timeout_composes_and_leaves_the_mutex_unlocked() {
    let _dog = watchdog();
    let limit = Duration::from_millis(1);
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let guard = mutex.lock().await;
    assert!(
        compio::time::timeout(limit, condvar.wait(guard))
            .await
            .is_err()
    );
    assert!(!mutex.is_locked());
    let guard = mutex.lock().await;
    let wait = condvar.wait_while(guard, |_| true);
    assert!(compio::time::timeout(limit, wait).await.is_err());
    assert!(!mutex.is_locked());
    assert_eq!(condvar.waiter_count(), 0);
}

#[test]
fn debug_output_tells_the_state_and_no_data() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new("secret"), Condvar::default());
    let mut wait = Hand::new(condvar.wait(mutex.try_lock().unwrap()));
    let show = |wait: &Hand<CondvarWait<'_, &str>>| format!("{:?}", wait.as_ref());
    assert!(show(&wait).starts_with("CondvarWait { waiting: false, done: false"));
    wait.expect_pending();
    assert_eq!(format!("{condvar:?}"), "Condvar { waiter_count: 1 }");
    assert!(show(&wait).contains("waiting: true"));
    condvar.notify_one();
    assert!(show(&wait).contains("waiting: false"));
    drop(wait.expect_ready());
    assert!(show(&wait).contains("done: true"));
    assert!(!show(&wait).contains("secret"));
    let guard = mutex.try_lock().unwrap();
    let shown = format!("{:?}", condvar.wait_while(guard, |_| true));
    assert!(
        shown.starts_with("CondvarWaitWhile {") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn notifying_from_another_thread_reaches_a_waiter() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut waits = waits(2, &mutex, &condvar);
    on_another_thread(|| condvar.notify_all());
    for wait in &mut waits {
        drop(wait.expect_ready());
    }
}
