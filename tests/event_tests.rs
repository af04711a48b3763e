//! What the event promises: it stays set, and lets all through.

mod common;

use std::{sync::Arc, time::Duration};

use common::{Hand, in_runtime, on_runtimes, panic_message, rounds, spawn, until, watchdog};
use compio_sync::Event;

#[compio::test]
async fn all_waiting_tasks_are_let_through() {
    let _dog = watchdog();
    let event = Arc::new(Event::new());
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let event = event.clone();
            spawn(async move { event.wait().await })
        })
        .collect();
    until(|| event.waiter_count() == 100).await;
    assert!(!event.set());
    assert_eq!(event.waiter_count(), 0);
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn once_set_nobody_waits() {
    let _dog = watchdog();
    let event = Event::new();
    assert!(!event.is_set());
    assert!(!event.set());
    assert!(event.is_set());
    assert!(event.set(), "again: it was set before");
    for _ in 0..3 {
        Hand::new(event.wait()).expect_ready();
    }
    event.blocking_wait();
    assert!(event.is_set());
}

#[test]
fn reset_makes_it_block_again() {
    let _dog = watchdog();
    let event = Event::new();
    assert!(!event.reset());
    event.set();
    assert!(event.reset());
    assert!(!event.is_set());
    let mut wait = Hand::waiting(event.wait());
    assert!(!event.reset());
    wait.expect_pending();
    event.set();
    assert_eq!(wait.wakes(), 1);
    wait.expect_ready();
}

#[test]
fn who_waited_when_it_was_set_gets_through_a_reset() {
    let _dog = watchdog();
    let event = Event::new();
    let mut waits: Vec<_> = (0..100).map(|_| Hand::waiting(event.wait())).collect();
    let mut made_but_not_waiting = Hand::new(event.wait());
    event.set();
    event.reset();
    made_but_not_waiting.expect_pending();
    for wait in &mut waits {
        assert_eq!(wait.wakes(), 1);
        wait.expect_ready();
    }
    assert_eq!(event.waiter_count(), 1);
}

#[test]
fn all_are_woken_in_the_order_in_which_they_came() {
    let _dog = watchdog();
    let event = Event::new();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let waits: Vec<_> = (0..100)
        .map(|i| {
            let order = order.clone();
            let probe = common::Probe::with_hook(move |act| {
                if act == common::Act::Wake {
                    order.lock().unwrap().push(i);
                }
            });
            let mut wait = Hand::with_probe(event.wait(), probe);
            wait.expect_pending();
            wait
        })
        .collect();
    event.set();
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    drop(waits);
}

#[test]
fn a_poll_after_ready_panics() {
    let _dog = watchdog();
    let event = Event::new();
    let mut wait = Hand::waiting(event.wait());
    event.set();
    wait.expect_ready();
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
}

#[test]
fn threads_are_let_through_and_a_runtime_must_not_be_blocked() {
    let _dog = watchdog();
    let event = Event::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| event.blocking_wait()))
            .collect();
        in_runtime(async || {
            until(|| event.waiter_count() == 3).await;
            assert!(panic_message(|| event.blocking_wait()).contains("cannot block"));
            event.set();
        });
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn set_and_reset_race_with_waits() {
    let _dog = watchdog();
    // Each step is set once; nobody may miss one or pass one early.
    let steps: Vec<_> = (0..rounds(2000))
        .map(|_| [Event::new(), Event::new()])
        .collect();
    on_runtimes(2, async |me| {
        for step in &steps {
            step[me].set();
            step[1 - me].wait().await;
            assert!(step[1 - me].is_set());
        }
    });
    assert!(
        steps
            .iter()
            .flatten()
            .all(|event| event.waiter_count() == 0)
    );
}

#[test]
fn what_was_done_before_set_is_seen_after_the_wait() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    let _dog = watchdog();
    let steps: Vec<_> = (0..rounds(2000))
        .map(|_| (AtomicUsize::new(0), Event::new()))
        .collect();
    on_runtimes(2, async |me| {
        for (data, event) in &steps {
            if me == 0 {
                data.store(1, Relaxed);
                event.set();
            } else {
                event.wait().await;
                assert_eq!(data.load(Relaxed), 1);
            }
        }
    });
}

#[compio::test]
async fn a_timeout_composes() {
    let _dog = watchdog();
    let event = Event::new();
    let limit = Duration::from_millis(1);
    assert!(compio::time::timeout(limit, event.wait()).await.is_err());
    assert_eq!(event.waiter_count(), 0);
    event.set();
    let enough = Duration::from_secs(100);
    compio::time::timeout(enough, event.wait()).await.unwrap();
}

#[test]
fn debug_output_tells_the_state() {
    let _dog = watchdog();
    let event = Event::default();
    let mut wait = Hand::waiting(event.wait());
    assert_eq!(
        format!("{event:?}"),
        "Event { is_set: false, waiter_count: 1 }"
    );
    assert!(format!("{:?}", wait.as_ref()).starts_with("EventWait { queued: true, done: false"));
    event.set();
    wait.expect_ready();
    assert!(format!("{:?}", wait.as_ref()).contains("queued: false, done: true"));
    assert_eq!(
        format!("{event:?}"),
        "Event { is_set: true, waiter_count: 0 }"
    );
}
