//! What the wait group promises: who waits gets through when the last guard goes, each time.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{
    Hand, in_runtime, on_each_road, on_runtimes, panic_message, rounds, settle, spawn, until,
    watchdog, yield_now,
};
use compio_sync::WaitGroup;

#[test]
fn each_guard_counts_until_it_is_dropped() {
    let _dog = watchdog();
    let group = Arc::new(WaitGroup::new());
    assert!(group.is_empty());
    Hand::new(group.wait()).expect_ready();
    let first = group.add();
    let owned = group.add_owned();
    let clones = (first.clone(), owned.clone());
    assert_eq!(group.len(), 4);
    assert!(std::ptr::eq(first.group(), &**owned.group()));
    let mut wait = Hand::waiting(group.wait());
    drop((first, owned));
    drop(clones.0);
    assert_eq!((group.len(), wait.wakes()), (1, 0));
    wait.expect_pending();
    drop(clones.1);
    assert_eq!((group.len(), wait.wakes()), (0, 1));
    wait.expect_ready();
    assert_eq!(Arc::strong_count(&group), 1);
}

#[test]
fn it_can_be_used_again() {
    let _dog = watchdog();
    let group = WaitGroup::new();
    for _ in 0..3 {
        let guard = group.add();
        let mut waits: Vec<_> = (0..70).map(|_| Hand::waiting(group.wait())).collect();
        drop(guard);
        // Who waited gets through although the next guard is there before they have run.
        let next = group.add();
        let mut later = Hand::waiting(group.wait());
        for wait in &mut waits {
            assert_eq!(wait.wakes(), 1);
            wait.expect_ready();
        }
        later.expect_pending();
        assert_eq!(group.waiter_count(), 1);
        drop(next);
        later.expect_ready();
    }
}

#[test]
fn a_forgotten_guard_counts_for_ever() {
    let _dog = watchdog();
    let group = WaitGroup::new();
    std::mem::forget(group.add());
    drop(group.add());
    Hand::waiting(group.wait()).expect_pending();
    assert_eq!(group.len(), 1);
}

#[test]
fn dropped_in_each_state_a_wait_leaves_the_others_alone() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let group = WaitGroup::new();
        let guard = group.add();
        drop(group.wait());
        let gone = road.wait(group.wait());
        let woken = road.wait(group.wait());
        let mut stays = road.wait(group.wait());
        drop(gone);
        assert_eq!(group.waiter_count(), 2);
        road.send(move || drop(guard));
        road.check_on_its_way(&woken);
        let _next = group.add();
        road.send(move || drop(woken));
        stays.expect_ready();
        assert_eq!(group.waiter_count(), 0);
    });
}

#[test]
fn a_task_that_panics_or_is_cancelled_has_ended_too() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let group = Arc::new(WaitGroup::new());
        let guard = group.add_owned();
        let panics = spawn(async move {
            let _guard = guard;
            panic!("on purpose");
        });
        let guard = group.add_owned();
        let cancelled = spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        yield_now().await;
        assert!(panics.await.is_err());
        assert_eq!(group.len(), 1);
        drop(cancelled);
        group.wait().await;
    });
}

/// Nobody who waits for the end of a round is let through by the end of the one before.
#[test]
fn nobody_is_let_through_while_there_is_a_guard() {
    let _dog = watchdog();
    let group = WaitGroup::new();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds(20_000) {
                let guard = group.add();
                let another = guard.clone();
                drop(guard);
                drop(another);
            }
            over.store(true, Relaxed);
        });
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    group.blocking_wait();
                }
            });
        }
    });
    assert!(group.is_empty());
    assert_eq!(group.waiter_count(), 0);

    // With a guard of our own, which we take before each wait, none may pass.
    std::thread::scope(|scope| {
        over.store(false, Relaxed);
        scope.spawn(|| {
            while !over.load(Relaxed) {
                drop(group.add());
            }
        });
        for _ in 0..rounds(2000) {
            let guard = group.add();
            let mut wait = Hand::waiting(group.wait());
            for _ in 0..4 {
                std::thread::yield_now();
                wait.expect_pending();
            }
            drop(guard);
        }
        over.store(true, Relaxed);
    });
}

#[test]
fn what_was_done_under_each_guard_is_seen_after_the_wait() {
    let _dog = watchdog();
    let steps: Vec<_> = (0..rounds(1000))
        .map(|_| {
            let group = Arc::new(WaitGroup::new());
            let guards = [group.add_owned(), group.add_owned()];
            (
                [const { AtomicUsize::new(0) }; 2],
                std::sync::Mutex::new(guards.map(Some)),
                group,
            )
        })
        .collect();
    on_runtimes(3, async |me| {
        for (data, guards, group) in &steps {
            if me < 2 {
                let guard = guards.lock().unwrap()[me].take();
                data[me].store(1, Relaxed);
                drop(guard);
            }
            group.wait().await;
            assert!(data.iter().all(|one| one.load(Relaxed) == 1));
        }
    });
}

#[test]
fn tasks_of_several_runtimes_are_waited_for() {
    let _dog = watchdog();
    let group = Arc::new(WaitGroup::new());
    let ended = Arc::new(AtomicUsize::new(0));
    let all = 3 * rounds(200);
    let begun = common::Meeting::new(3);
    on_runtimes(3, async |me| {
        settle().await;
        for i in 0..all / 3 {
            let (guard, ended) = (group.add_owned(), ended.clone());
            spawn(async move {
                for _ in 0..(i + me) % 5 {
                    yield_now().await;
                }
                ended.fetch_add(1, Relaxed);
                drop(guard);
            })
            .detach();
        }
        begun.wait().await;
        group.wait().await;
        assert_eq!(ended.load(Relaxed), all / 3 * 3);
    });
}

#[test]
fn threads_are_let_through_and_a_runtime_must_not_be_blocked() {
    let _dog = watchdog();
    let group = WaitGroup::new();
    let guard = group.add();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| group.blocking_wait());
        }
        in_runtime(async || {
            until(|| group.waiter_count() == 3).await;
            assert!(panic_message(|| group.blocking_wait()).contains("cannot block"));
            drop(guard);
        });
    });
}

#[test]
fn a_poll_after_ready_panics() {
    let _dog = watchdog();
    let group = WaitGroup::default();
    let mut wait = Hand::new(group.wait());
    wait.expect_ready();
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
}

#[compio::test]
async fn a_timeout_composes() {
    let _dog = watchdog();
    let group = WaitGroup::new();
    let guard = group.add();
    let limit = Duration::from_millis(1);
    assert!(compio::time::timeout(limit, group.wait()).await.is_err());
    assert_eq!(group.waiter_count(), 0);
    drop(guard);
    compio::time::timeout(limit, group.wait()).await.unwrap();
}

#[test]
fn debug_output_tells_the_state() {
    let _dog = watchdog();
    let group = Arc::new(WaitGroup::new());
    let guard = group.add();
    let mut wait = Hand::waiting(group.wait());
    assert_eq!(
        format!("{group:?}"),
        "WaitGroup { len: 1, waiter_count: 1 }"
    );
    assert_eq!(format!("{guard:?}"), "WaitGroupGuard { .. }");
    assert_eq!(
        format!("{:?}", group.add_owned()),
        "OwnedWaitGroupGuard { .. }"
    );
    assert!(
        format!("{:?}", wait.as_ref()).starts_with("WaitGroupWait { queued: true, done: false")
    );
    drop(guard);
    wait.expect_ready();
    assert!(format!("{:?}", wait.as_ref()).contains("queued: false, done: true"));
}
