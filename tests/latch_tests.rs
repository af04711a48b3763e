//! What the latch promises: it opens at zero, once, and lets all through.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{
    Hand, Probe, in_runtime, on_each_road, on_runtimes, panic_message, rounds, spawn, until,
    watchdog,
};
use compio_sync::Latch;

#[test]
fn it_opens_at_zero_and_stays_open() {
    let _dog = watchdog();
    let latch = Latch::new(3);
    let mut wait = Hand::waiting(latch.wait());
    assert!(!latch.count_down());
    assert!(!latch.is_done());
    wait.expect_pending();
    assert!(!latch.count_down_by(1));
    assert_eq!((latch.count(), wait.wakes()), (1, 0));
    assert!(latch.count_down());
    assert_eq!((latch.count(), wait.wakes()), (0, 1));
    assert!(latch.is_done());
    wait.expect_ready();
    for _ in 0..3 {
        Hand::new(latch.wait()).expect_ready();
    }
    latch.blocking_wait();
}

#[test]
fn a_guard_counts_down_when_it_is_dropped_whatever_ends_its_task() {
    let _dog = watchdog();
    let latch = Arc::new(Latch::new(4));
    let mut wait = Hand::waiting(latch.wait());
    let (guard, owned) = (latch.guard(), latch.guard_owned());
    assert!(std::ptr::eq(guard.latch(), &**owned.latch()));
    assert_eq!(
        format!("{guard:?} {owned:?}"),
        "LatchGuard { .. } OwnedLatchGuard { .. }"
    );
    assert_eq!(latch.count(), 4, "only when they are dropped");
    drop((guard, owned));
    assert_eq!(latch.count(), 2);
    in_runtime(async || {
        let guard = latch.guard_owned();
        let panics = spawn(async move {
            let _guard = guard;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panics.await.is_err());
        let guard = latch.guard_owned();
        let cancelled = spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        assert_eq!((latch.count(), wait.wakes()), (1, 0));
        assert!(cancelled.cancel().await.is_none());
    });
    assert_eq!((latch.count(), wait.wakes()), (0, 1));
    wait.expect_ready();
    drop(latch.guard());
    assert_eq!((latch.count(), Arc::strong_count(&latch)), (0, 1));
}

#[test]
fn it_does_not_go_below_zero() {
    let _dog = watchdog();
    let latch = Latch::new(2);
    assert!(latch.count_down_by(usize::MAX));
    assert_eq!(latch.count(), 0);
    assert!(!latch.count_down());
    assert!(!latch.count_down_by(usize::MAX));
    assert_eq!(latch.count(), 0);
    Hand::new(latch.wait()).expect_ready();
}

#[test]
fn counts_of_nothing_and_of_very_much() {
    let _dog = watchdog();
    let open = Latch::new(0);
    assert!(open.is_done());
    assert!(!open.count_down_by(0));
    Hand::new(open.wait()).expect_ready();

    let latch = Latch::new(Latch::MAX_COUNT);
    let mut wait = Hand::waiting(latch.wait());
    assert!(!latch.count_down_by(0));
    assert!(!latch.count_down_by(Latch::MAX_COUNT - 1));
    assert_eq!(latch.count(), 1);
    assert!(!latch.count_down_by(0), "nothing does not open it");
    wait.expect_pending();
    assert!(latch.count_down());
    wait.expect_ready();
}

#[test]
fn all_are_woken_once_in_the_order_in_which_they_came() {
    let _dog = watchdog();
    let latch = Latch::new(2);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let waits: Vec<_> = (0..100)
        .map(|i| {
            let order = order.clone();
            let probe = Probe::with_hook(move |act| {
                if act == common::Act::Wake {
                    order.lock().unwrap().push(i);
                }
            });
            let mut wait = Hand::with_probe(latch.wait(), probe);
            wait.expect_pending();
            wait
        })
        .collect();
    latch.count_down();
    assert!(order.lock().unwrap().is_empty());
    assert_eq!(latch.waiter_count(), 100);
    latch.count_down();
    latch.count_down();
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    assert_eq!(latch.waiter_count(), 0);
    drop(waits);
}

#[test]
fn dropped_in_each_state_it_leaves_the_others_alone() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let latch = Latch::new(1);
        drop(latch.wait());
        let gone = road.wait(latch.wait());
        let woken = road.wait(latch.wait());
        let mut stays = road.wait(latch.wait());
        drop(gone);
        assert_eq!(latch.waiter_count(), 2);
        assert!(road.send(|| latch.count_down()));
        road.check_on_its_way(&woken);
        road.send(move || drop(woken));
        stays.expect_ready();
        assert_eq!(latch.waiter_count(), 0);
    });
}

#[compio::test]
async fn tasks_wait_for_tasks() {
    let _dog = watchdog();
    let latch = Arc::new(Latch::new(10));
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let latch = latch.clone();
            spawn(async move { latch.wait().await })
        })
        .collect();
    until(|| latch.waiter_count() == 10).await;
    for _ in 0..10 {
        assert!(!latch.is_done());
        let latch = latch.clone();
        spawn(async move { latch.count_down() }).await.unwrap();
    }
    for task in waiting {
        task.await.unwrap();
    }
}

#[test]
fn what_was_done_before_each_count_is_seen_by_all() {
    let _dog = watchdog();
    let steps: Vec<_> = (0..rounds(1000))
        .map(|_| ([const { AtomicUsize::new(0) }; 3], Latch::new(3)))
        .collect();
    let opened: usize = on_runtimes(3, async |me| {
        let mut opened = 0;
        for (data, latch) in &steps {
            data[me].store(1, Relaxed);
            opened += usize::from(latch.count_down());
            latch.wait().await;
            assert!(data.iter().all(|one| one.load(Relaxed) == 1));
        }
        opened
    })
    .into_iter()
    .sum();
    assert_eq!(opened, steps.len(), "each by one of the three");
    assert!(steps.iter().all(|(_, latch)| latch.waiter_count() == 0));
}

#[test]
fn threads_are_let_through_and_a_runtime_must_not_be_blocked() {
    let _dog = watchdog();
    let latch = Latch::new(1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| latch.blocking_wait());
        }
        in_runtime(async || {
            until(|| latch.waiter_count() == 3).await;
            assert!(panic_message(|| latch.blocking_wait()).contains("cannot block"));
            latch.count_down();
        });
    });
}

#[test]
fn a_poll_after_ready_panics() {
    let _dog = watchdog();
    let latch = Latch::new(0);
    let mut wait = Hand::new(latch.wait());
    wait.expect_ready();
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
}

#[compio::test]
async fn a_timeout_composes() {
    let _dog = watchdog();
    let latch = Latch::new(1);
    let limit = Duration::from_millis(1);
    assert!(compio::time::timeout(limit, latch.wait()).await.is_err());
    assert_eq!(latch.waiter_count(), 0);
    latch.count_down();
    compio::time::timeout(limit, latch.wait()).await.unwrap();
}

#[test]
fn debug_output_tells_the_state() {
    let _dog = watchdog();
    let latch = Latch::new(2);
    let mut wait = Hand::waiting(latch.wait());
    assert_eq!(format!("{latch:?}"), "Latch { count: 2, waiter_count: 1 }");
    assert!(format!("{:?}", wait.as_ref()).starts_with("LatchWait { queued: true, done: false"));
    latch.count_down_by(2);
    wait.expect_ready();
    assert!(format!("{:?}", wait.as_ref()).contains("queued: false, done: true"));
}
