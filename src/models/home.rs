//! Models of runtimes: mailbox, doorbell, and the count of wakers called directly.
//!
//! That a doorbell is rung at most once between two drains, and that tasks are woken on
//! their own thread, is checked by the runtime of the models.

use std::sync::Arc;

use loom::thread;

use super::{Bound, Cell, Hand, block_on, block_on_both, check, join, rows::Row};
use crate::{
    Event, Notify, Semaphore,
    waiter_queue::{Kind, Runtime},
};

fn give(semaphore: &Arc<Semaphore>, permits: usize) -> thread::JoinHandle<()> {
    let semaphore = Arc::clone(semaphore);
    thread::spawn(move || semaphore.add_permits(permits))
}

fn assert_at_rest(semaphore: &Semaphore, permits: usize) {
    assert_eq!(semaphore.waiter_count(), 0);
    assert_eq!(semaphore.available_permits(), permits);
}

#[test]
fn task_is_woken() {
    let rows = [
        Row::IsPosted,
        Row::IsDelivered,
        Row::HomeSleeps,
        Row::HomeIsRung,
        Row::HomeCloses,
        Row::TakesWake,
    ];
    check(Bound::All, &rows, || {
        let shared = Arc::new((Semaphore::new(0), Cell::new()));
        let giver = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.1.change();
                shared.0.add_permits(1);
            }
        });
        let runtime = Runtime::new();
        drop(runtime.block_on(Kind::Task, shared.0.acquire()));
        shared.1.change();
        drop(runtime);
        join([giver]);
        assert_at_rest(&shared.0, 1);
    });
}

#[test]
fn task_is_woken_again_and_again() {
    check(Bound::Light(2), &[Row::HomeIsRung, Row::HomeSleeps], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let givers = [give(&semaphore, 1), give(&semaphore, 1)];
        let runtime = Runtime::new();
        runtime.block_on(Kind::Task, async {
            semaphore.acquire().await.forget();
            semaphore.acquire().await.forget();
        });
        drop(runtime);
        join(givers);
        assert_at_rest(&semaphore, 0);
    });
}

/// Two queues post to one mailbox at once; a batch takes two, and there are three.
#[test]
fn two_post_at_once() {
    let rows = [Row::IsPosted, Row::IsDelivered, Row::HomeIsRung];
    check(Bound::Light(2), &rows, || {
        let runtime = Runtime::new();
        let shared = Arc::new((Arc::new(Semaphore::new(0)), Event::new()));
        let waker = runtime.waker(Kind::Task);
        let mut waits = [(), ()].map(|()| Hand::new(shared.0.acquire()));
        for waits in &mut waits {
            assert!(waits.poll_with(&waker).is_pending());
        }
        let mut event = Hand::new(shared.1.wait());
        assert!(event.poll_with(&waker).is_pending());
        assert!(runtime.drain_if_rung());
        runtime.was_woken();
        let givers = [
            give(&shared.0, 2),
            thread::spawn({
                let shared = Arc::clone(&shared);
                move || assert!(!shared.1.set())
            }),
        ];
        // Rung or not, a drain now, and one after all have come.
        runtime.drain_if_rung();
        join(givers);
        while runtime.drain_if_rung() {}
        assert!(runtime.was_woken(), "a ring is lost");
        assert!(waits.iter_mut().all(|w| w.poll_with(&waker).is_ready()));
        assert!(event.poll_with(&waker).is_ready());
        drop(waits);
        assert_at_rest(&shared.0, 2);
    });
}

/// The owner does not wait for the mail.
#[test]
fn polled_while_posted() {
    let rows = [Row::IsPosted, Row::IsDelivered, Row::TakesWake];
    check(Bound::All, &rows, || {
        let runtime = Runtime::new();
        let semaphore = Arc::new(Semaphore::new(0));
        let waker = runtime.waker(Kind::Task);
        let mut waits = Hand::new(semaphore.acquire());
        assert!(waits.poll_with(&waker).is_pending());
        runtime.was_woken();
        runtime.drain_if_rung();
        let giver = give(&semaphore, 1);
        let early = waits.poll_with(&waker).map(drop).is_ready();
        runtime.drain_if_rung();
        join([giver]);
        runtime.drain_if_rung();
        assert!(early || runtime.was_woken(), "a ring is lost");
        assert!(early || waits.poll_with(&waker).is_ready());
        drop(waits);
        assert_at_rest(&semaphore, 1);
    });
}

/// Dropped on another thread than its runtime's, which drains meanwhile.
#[test]
fn dropped_while_posted() {
    let rows = [Row::IsPosted, Row::IsDelivered, Row::Leaves];
    check(Bound::Light(2), &rows, || {
        let runtime = Runtime::new();
        let semaphore = Arc::new(Semaphore::new(0));
        let mut goes = Box::pin(semaphore.acquire_owned());
        let waker = runtime.waker(Kind::Task);
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(goes.as_mut().poll(&mut cx).is_pending());
        runtime.drain_if_rung();
        let giver = give(&semaphore, 1);
        let dropper = thread::spawn(move || drop(goes));
        runtime.drain_if_rung();
        join([giver, dropper]);
        while runtime.drain_if_rung() {}
        assert_at_rest(&semaphore, 1);
    });
}

/// The runtime goes while it is posted to; its waiter goes before, after, or never.
fn runtime_goes(waiter_goes_first: bool) {
    let runtime = Runtime::new();
    let semaphore = Arc::new(Semaphore::new(0));
    let waker = runtime.waker(Kind::Task);
    let mut waits = Hand::new(semaphore.acquire());
    assert!(waits.poll_with(&waker).is_pending());
    runtime.drain_if_rung();
    let giver = give(&semaphore, 1);
    if waiter_goes_first {
        drop(waits);
        drop(runtime);
        join([giver]);
    } else {
        drop(runtime);
        join([giver]);
        assert!(waits.poll_with(&waker).is_ready());
    }
    assert_at_rest(&semaphore, 1);
}

#[test]
fn runtime_goes_before_its_waiter() {
    let rows = [
        Row::HomeCloses,
        Row::WakesInVain,
        Row::IsPosted,
        Row::IsWoken,
    ];
    check(Bound::All, &rows, || runtime_goes(false));
}

#[test]
fn runtime_goes_after_its_waiter() {
    let rows = [Row::HomeCloses, Row::IsPosted, Row::Leaves];
    check(Bound::All, &rows, || runtime_goes(true));
}

/// Two runtimes wake each other.
#[test]
fn two_runtimes() {
    check(
        Bound::LightOrAll(3),
        &[Row::IsPosted, Row::HomeIsRung],
        || {
            let shared = Arc::new([Notify::new(), Notify::new()]);
            let other = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    let runtime = Runtime::new();
                    runtime.block_on(Kind::Task, async {
                        shared[0].notified().await;
                        shared[1].notify_one();
                    });
                }
            });
            let runtime = Runtime::new();
            runtime.block_on(Kind::Task, async {
                shared[0].notify_one();
                shared[1].notified().await;
            });
            drop(runtime);
            join([other]);
        },
    );
}

/// One call wakes tasks of two runtimes, and a plain thread's.
#[test]
fn one_wakes_two_runtimes() {
    check(Bound::Light(1), &[Row::IsPosted, Row::IsDelivered], || {
        let event = Arc::new(Event::new());
        let others = [(), ()].map(|()| {
            let event = Arc::clone(&event);
            thread::spawn(move || {
                let runtime = Runtime::new();
                runtime.block_on(Kind::Task, event.wait());
            })
        });
        event.set();
        join(others);
        assert_eq!(event.waiter_count(), 0);
    });
}

#[test]
fn driver_is_called_directly() {
    check(Bound::All, &[Row::IsWoken], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let giver = give(&semaphore, 1);
        let runtime = Runtime::new();
        drop(runtime.block_on(Kind::Driver, semaphore.acquire()));
        drop(runtime);
        join([giver]);
        assert_at_rest(&semaphore, 1);
    });
}

/// A future that was polled on a runtime moves on to a plain thread.
#[test]
fn waiter_moves() {
    check(Bound::All, &[Row::IsPosted, Row::IsWoken], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let runtime = Runtime::new();
        let waker = runtime.waker(Kind::Task);
        let mut waits = Hand::new(semaphore.acquire());
        assert!(waits.poll_with(&waker).is_pending());
        runtime.drain_if_rung();
        let giver = give(&semaphore, 1);
        drop(runtime);
        block_on(std::future::poll_fn(|cx| {
            waits.poll_with(cx.waker()).map(drop)
        }));
        join([giver]);
        assert_at_rest(&semaphore, 1);
    });
}

/// Another executor blocks the thread of a runtime, so the mailbox is not drained. Both
/// its futures are woken, though one call at a time is all that may be made directly.
#[test]
fn foreign_executor_blocks() {
    let rows = [
        Row::IsCounted,
        Row::TakesCounted,
        Row::IsPosted,
        Row::IsDelivered,
    ];
    check(Bound::LightOrAll(3), &rows, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let giver = give(&semaphore, 2);
        let runtime = Runtime::new();
        block_on_both(semaphore.acquire(), semaphore.acquire());
        drop(runtime);
        join([giver]);
        assert_at_rest(&semaphore, 2);
    });
}

#[test]
fn foreign_executor_blocks_and_two_wake() {
    let rows = [
        Row::IsCounted,
        Row::TakesCounted,
        Row::IsPosted,
        Row::IsDelivered,
    ];
    check(Bound::Light(2), &rows, || {
        let shared = Arc::new([Semaphore::new(0), Semaphore::new(0)]);
        let givers = [0, 1].map(|at| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared[at].add_permits(1))
        });
        let runtime = Runtime::new();
        block_on_both(shared[0].acquire(), shared[1].acquire());
        drop(runtime);
        join(givers);
        assert_at_rest(&shared[0], 1);
        assert_at_rest(&shared[1], 1);
    });
}

/// What is counted is uncounted, however it ends.
#[test]
fn counted_one_goes() {
    let rows = [Row::IsCounted, Row::TakesCounted, Row::Leaves];
    check(Bound::All, &rows, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let runtime = Runtime::new();
        let goes = Hand::waiting(semaphore.acquire());
        let mut stays = Hand::waiting(semaphore.acquire());
        let giver = give(&semaphore, 1);
        drop(goes);
        join([giver]);
        assert_eq!(stays.alarm.calls(), 1);
        assert!(stays.poll().is_ready());
        drop(runtime);
        assert_at_rest(&semaphore, 1);
    });
}
