//! What `Notify` promises, which is what tokio's does.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use common::{
    Hand, in_runtime, on_runtimes, panic_message, probe::woken, rounds, spawn, until, watchdog,
};
use compio_sync::Notify;

fn is_stored(notify: &Notify) -> bool {
    format!("{notify:?}").contains("stored: true")
}

#[compio::test]
async fn a_task_is_notified() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    let task = spawn({
        let notify = notify.clone();
        async move { notify.notified().await }
    });
    until(|| notify.waiter_count() == 1).await;
    notify.notify_one();
    task.await.unwrap();
    assert!(!is_stored(&notify));
}

#[test]
fn a_notification_is_stored_for_the_next() {
    let _dog = watchdog();
    for store in [Notify::notify_one, Notify::notify_last] {
        let notify = Notify::new();
        store(&notify);
        assert!(is_stored(&notify));
        Hand::new(notify.notified()).expect_ready();
        assert!(!is_stored(&notify));
        Hand::new(notify.notified()).expect_pending();
    }
}

#[test]
fn stored_notifications_do_not_add_up() {
    let _dog = watchdog();
    let notify = Notify::new();
    for _ in 0..3 {
        notify.notify_one();
        notify.notify_last();
    }
    Hand::new(notify.notified()).expect_ready();
    Hand::new(notify.notified()).expect_pending();
}

#[test]
fn notify_one_goes_to_the_first_in_the_order_of_first_polls() {
    let _dog = watchdog();
    let notify = Notify::new();
    let mut waits: Vec<_> = (0..4).map(|_| Hand::new(notify.notified())).collect();
    waits.iter_mut().rev().for_each(Hand::expect_pending);
    for i in (0..4).rev() {
        notify.notify_one();
        assert_eq!(woken(&waits), (i..4).collect::<Vec<_>>());
        assert_eq!(notify.waiter_count(), i);
        waits[i].expect_ready();
    }
    assert!(!is_stored(&notify));
}

#[test]
fn notify_last_goes_to_the_last() {
    let _dog = watchdog();
    let notify = Notify::new();
    let mut waits: Vec<_> = (0..4).map(|_| Hand::waiting(notify.notified())).collect();
    for i in (0..4).rev() {
        notify.notify_last();
        assert_eq!(woken(&waits), (i..4).collect::<Vec<_>>());
        waits[i].expect_ready();
    }
    let mut ends: Vec<_> = (0..3).map(|_| Hand::waiting(notify.notified())).collect();
    notify.notify_one();
    notify.notify_last();
    assert_eq!(woken(&ends), [0, 2]);
    notify.notify_last();
    ends.iter_mut().for_each(Hand::expect_ready);
}

#[test]
fn notify_waiters_reaches_all_that_wait_and_stores_nothing() {
    let _dog = watchdog();
    let notify = Notify::new();
    let mut waits: Vec<_> = (0..1000)
        .map(|_| Hand::waiting(notify.notified()))
        .collect();
    notify.notify_waiters();
    assert_eq!(notify.waiter_count(), 0);
    assert!(!is_stored(&notify));
    for wait in &mut waits {
        assert_eq!(wait.wakes(), 1);
        wait.expect_ready();
    }
    Hand::new(notify.notified()).expect_pending();
}

#[test]
fn notify_waiters_reaches_what_was_made_before_and_not_what_is_made_after() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    let mut made_before = Hand::new(notify.notified());
    let mut owned_before = Hand::new(notify.notified_owned());
    let mut to_enable = Hand::new(notify.notified());
    notify.notify_waiters();
    let mut made_after = Hand::new(notify.notified());
    made_after.expect_pending();
    made_before.expect_ready();
    owned_before.expect_ready();
    assert!(to_enable.as_mut().enable());
    to_enable.expect_ready();
    notify.notify_waiters();
    made_after.expect_ready();
}

#[test]
fn notify_waiters_leaves_a_stored_notification() {
    let _dog = watchdog();
    let notify = Notify::new();
    notify.notify_one();
    let mut before = Hand::new(notify.notified());
    notify.notify_waiters();
    before.expect_ready();
    assert!(is_stored(&notify), "it was ready without it");
    Hand::new(notify.notified()).expect_ready();
    assert!(!is_stored(&notify));
}

#[test]
fn who_comes_while_notify_waiters_runs_is_not_meant() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    // Each waker queues another waiter, which must not be reached by the same call.
    let late = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut waits: Vec<_> = (0..200)
        .map(|_| {
            let (notify, late) = (notify.clone(), late.clone());
            let probe = common::Probe::with_hook({
                let notify = notify.clone();
                move |act| {
                    if act == common::Act::Wake {
                        let wait = Hand::waiting(notify.clone().notified_owned());
                        late.lock().unwrap().push(wait);
                    }
                }
            });
            let mut wait = Hand::with_probe(notify.notified_owned(), probe);
            wait.expect_pending();
            wait
        })
        .collect();
    notify.notify_waiters();
    waits.iter_mut().for_each(Hand::expect_ready);
    drop(waits);
    let mut late = std::mem::take(&mut *late.lock().unwrap());
    assert_eq!((late.len(), notify.waiter_count()), (200, 200));
    late.iter_mut().for_each(Hand::expect_pending);
    notify.notify_waiters();
    late.iter_mut().for_each(Hand::expect_ready);
}

#[test]
fn enable_takes_the_place_in_the_queue() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    let mut enabled = Hand::new(notify.notified());
    assert!(!enabled.as_mut().enable());
    assert!(!enabled.as_mut().enable());
    assert_eq!(notify.waiter_count(), 1);
    let mut owned = Hand::new(notify.notified_owned());
    assert!(!owned.as_mut().enable());
    let mut later = Hand::waiting(notify.notified());
    notify.notify_one();
    enabled.expect_ready();
    // Polled in between, it keeps its place and is woken.
    owned.expect_pending();
    notify.notify_one();
    assert_eq!(owned.wakes(), 1);
    assert!(owned.as_mut().enable());
    owned.expect_ready();
    later.expect_pending();
}

#[test]
fn enable_takes_a_stored_notification() {
    let _dog = watchdog();
    let notify = Notify::new();
    notify.notify_one();
    let mut enabled = Hand::new(notify.notified());
    assert!(enabled.as_mut().enable());
    assert!(!is_stored(&notify));
    Hand::new(notify.notified()).expect_pending();
    enabled.expect_ready();
    assert!(panic_message(|| enabled.as_mut().enable()).contains("after it was ready"));
    assert!(panic_message(|| enabled.poll()).contains("after it was ready"));
}

#[test]
fn a_poll_after_ready_panics() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    let mut wait = Hand::waiting(notify.notified_owned());
    notify.notify_one();
    wait.expect_ready();
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
    assert!(panic_message(|| wait.as_mut().enable()).contains("after it was ready"));
    drop(wait);
    assert!(!is_stored(&notify), "used up, so not passed on");
}

#[test]
fn threads_and_tasks_wait_in_one_queue() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    in_runtime(async || {
        let mut tasks = Vec::new();
        let mut threads = Vec::new();
        for i in 0..6 {
            let (notify2, order) = (notify.clone(), order.clone());
            if i % 2 == 0 {
                threads.push(std::thread::spawn(move || {
                    notify2.blocking_notified();
                    order.lock().unwrap().push(i);
                }));
            } else {
                tasks.push(spawn(async move {
                    notify2.notified().await;
                    order.lock().unwrap().push(i);
                }));
            }
            until(|| notify.waiter_count() == i + 1).await;
        }
        for i in 0..6 {
            notify.notify_one();
            until(|| order.lock().unwrap().len() == i + 1).await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(panic_message(|| notify.blocking_notified()).contains("cannot block"));
    });
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    assert!(!is_stored(&notify));
}

#[test]
fn two_runtimes_play_ping_pong() {
    let _dog = watchdog();
    let ball = [Notify::new(), Notify::new()];
    on_runtimes(2, async |me| {
        for _ in 0..rounds(3000) {
            if me == 0 {
                ball[1].notify_one();
                ball[0].notified().await;
            } else {
                ball[1].notified().await;
                ball[0].notify_one();
            }
        }
    });
    assert!(
        ball.iter()
            .all(|side| !is_stored(side) && side.waiter_count() == 0)
    );
}

#[compio::test]
async fn a_timeout_composes() {
    let _dog = watchdog();
    let limit = Duration::from_millis(1);
    let notify = Arc::new(Notify::new());
    assert!(
        compio::time::timeout(limit, notify.notified())
            .await
            .is_err()
    );
    assert!(
        compio::time::timeout(limit, notify.notified_owned())
            .await
            .is_err()
    );
    assert_eq!(notify.waiter_count(), 0);
    notify.notify_one();
    compio::time::timeout(limit, notify.notified())
        .await
        .unwrap();
}

#[test]
fn an_owned_wait_keeps_the_notify_alive_no_longer_than_itself() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::default());
    let mut wait = Hand::waiting(notify.notified_owned());
    assert_eq!(Arc::strong_count(&notify), 2);
    notify.notify_waiters();
    wait.expect_ready();
    drop(wait);
    assert_eq!(Arc::strong_count(&notify), 1);
}

#[test]
fn debug_output_tells_the_state() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    let mut wait = Hand::waiting(notify.notified());
    assert_eq!(
        format!("{notify:?}"),
        "Notify { stored: false, waiter_count: 1 }"
    );
    assert!(format!("{:?}", wait.as_ref()).starts_with("Notified { queued: true, done: false"));
    notify.notify_one();
    wait.expect_ready();
    assert!(format!("{:?}", wait.as_ref()).contains("queued: false, done: true"));
    assert!(format!("{:?}", notify.notified_owned()).starts_with("OwnedNotified {"));
}

/// Who has made its future too late for the call sees what was done before the call, though it
/// looks at it without any ordering of its own. Only weakly ordered machines, and Miri, can show
/// otherwise.
#[test]
fn who_is_too_late_for_notify_waiters_sees_what_was_done_before_it() {
    let _dog = watchdog();
    for _ in 0..rounds(500) {
        let (notify, ready) = (Notify::new(), AtomicBool::new(false));
        let (seen, notified) = thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let notified = notify.notified();
                (ready.load(Relaxed), notified)
            });
            ready.store(true, Relaxed);
            notify.notify_waiters();
            waiter.join().unwrap()
        });
        assert!(
            seen || Hand::new(notified).poll().is_ready(),
            "waits for ever"
        );
    }
}
