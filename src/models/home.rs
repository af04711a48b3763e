//! Models of runtimes: mailbox, doorbell, and the count of wakers called directly.
//!
//! A task that is woken alone is woken directly, if it is the only one; two at once are
//! posted. That a doorbell is rung at most once between two drains, and how many tasks are
//! woken directly, is checked by the runtime of the models.

use std::{future::poll_fn, sync::Arc, task::Context};

use loom::thread;

use super::{Bound, Cell, Hand, block_on_both, both, check, join, rows::Row};
use crate::{
    Event, Notify, Semaphore,
    waiter_queue::{Kind, Runtime},
};

fn give(semaphore: &Arc<Semaphore>, permits: usize) -> thread::JoinHandle<()> {
    let semaphore = Arc::clone(semaphore);
    thread::spawn(move || semaphore.add_permits(permits))
}

fn set(event: &Arc<Event>) -> thread::JoinHandle<()> {
    let event = Arc::clone(event);
    thread::spawn(move || assert!(!event.set()))
}

fn assert_at_rest(semaphore: &Semaphore, permits: usize) {
    assert_eq!(semaphore.waiter_count(), 0);
    assert_eq!(semaphore.available_permits(), permits);
}

#[test]
fn task_is_woken() {
    let rows = [
        Row::IsCounted,
        Row::TakesCounted,
        Row::HomeSleeps,
        Row::HomeClosesAsleep,
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
    let rows = [Row::IsCounted, Row::TakesCounted];
    check(Bound::Light(2), &rows, || {
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

#[test]
fn mail_comes() {
    let rows = [
        Row::IsSent,
        Row::IsDelivered,
        Row::HomeSleeps,
        Row::HomeIsRung,
        Row::HomeClosesAsleep,
        Row::TakesWake,
    ];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Arc::new((Event::new(), Cell::new()));
        let setter = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.1.change();
                shared.0.set();
            }
        });
        let runtime = Runtime::new();
        runtime.block_on(Kind::Task, both(shared.0.wait(), shared.0.wait()));
        shared.1.look();
        drop(runtime);
        join([setter]);
        assert_eq!(shared.0.waiter_count(), 0);
    });
}

#[test]
fn mail_comes_again_and_again() {
    check(Bound::Light(2), &[Row::HomeIsRung, Row::HomeSleeps], || {
        let events = [(), ()].map(|()| Arc::new(Event::new()));
        let setters = events.each_ref().map(set);
        let runtime = Runtime::new();
        runtime.block_on(Kind::Task, async {
            both(events[0].wait(), events[0].wait()).await;
            both(events[1].wait(), events[1].wait()).await;
        });
        drop(runtime);
        join(setters);
    });
}

/// Two tasks, each with a notifier of its own: no more than one is woken directly.
#[test]
fn over_the_limit_it_is_posted() {
    let rows = [Row::IsCounted, Row::IsPosted, Row::HomeIsRung];
    check(Bound::LightOrAll(3), &rows, || {
        let runtime = Runtime::new();
        let semaphores = [(), ()].map(|()| Arc::new(Semaphore::new(0)));
        let mut waits = semaphores.each_ref().map(|s| Hand::new(s.acquire()));
        let wakers = [(), ()].map(|()| runtime.waker(Kind::Task));
        for (wait, waker) in waits.iter_mut().zip(&wakers) {
            assert!(wait.poll_with(waker).is_pending());
        }
        assert!(runtime.drain_if_rung());
        runtime.was_woken();
        let givers = semaphores.each_ref().map(|s| give(s, 1));
        join(givers);
        assert!(runtime.drain_if_rung(), "a ring is lost");
        assert!(runtime.was_woken());
        for (wait, waker) in waits.iter_mut().zip(&wakers) {
            assert!(wait.poll_with(waker).is_ready());
        }
        drop(waits);
        semaphores.iter().for_each(|s| assert_at_rest(s, 1));
    });
}

/// Two queues post to one mailbox at once; a batch takes two, and there are three.
#[test]
fn two_post_at_once() {
    let rows = [
        Row::IsPosted,
        Row::IsDelivered,
        Row::HomeIsRung,
        Row::HomeHasMore,
    ];
    check(Bound::Light(2), &rows, || {
        let runtime = Runtime::new();
        let shared = (Arc::new(Semaphore::new(0)), Arc::new(Event::new()));
        let waker = runtime.waker(Kind::Task);
        let mut waits = [(), ()].map(|()| Hand::new(shared.0.acquire()));
        for waits in &mut waits {
            assert!(waits.poll_with(&waker).is_pending());
        }
        let mut events = [(), ()].map(|()| Hand::new(shared.1.wait()));
        for event in &mut events {
            assert!(event.poll_with(&waker).is_pending());
        }
        assert!(runtime.drain_if_rung());
        runtime.was_woken();
        let givers = [give(&shared.0, 2), set(&shared.1)];
        // Rung or not, a drain now, and one after all have come.
        runtime.drain_if_rung();
        join(givers);
        while runtime.drain_if_rung() {}
        assert!(runtime.was_woken(), "a ring is lost");
        assert!(waits.iter_mut().all(|w| w.poll_with(&waker).is_ready()));
        assert!(events.iter_mut().all(|e| e.poll_with(&waker).is_ready()));
        drop(waits);
        assert_at_rest(&shared.0, 2);
    });
}

/// More is posted while what a drain has left is still there, for which nobody needs to ring.
#[test]
fn posted_while_more_is_left() {
    let rows = [Row::IsSent, Row::HomeIsRung, Row::HomeHasMore];
    check(Bound::LightOrAll(3), &rows, || {
        let runtime = Runtime::new();
        let events = [(), ()].map(|()| Arc::new(Event::new()));
        let waker = runtime.waker(Kind::Task);
        let mut waits = [0, 0, 0, 1, 1].map(|at: usize| Hand::new(events[at].wait()));
        for wait in &mut waits {
            assert!(wait.poll_with(&waker).is_pending());
        }
        runtime.drain_if_rung();
        let setter = thread::spawn({
            let events = events.clone();
            move || events.iter().for_each(|event| assert!(!event.set()))
        });
        runtime.drain_if_rung();
        join([setter]);
        while runtime.drain_if_rung() {}
        assert!(runtime.was_woken(), "a ring is lost");
        assert!(waits.iter_mut().all(|w| w.poll_with(&waker).is_ready()));
    });
}

/// The owner does not wait for the mail.
#[test]
fn polled_while_posted() {
    let rows = [
        Row::IsPosted,
        Row::IsDelivered,
        Row::TakesMail,
        Row::TakesWake,
    ];
    check(Bound::LightOrAll(4), &rows, || {
        let runtime = Runtime::new();
        let semaphore = Arc::new(Semaphore::new(0));
        let waker = runtime.waker(Kind::Task);
        let mut waits = [(), ()].map(|()| Hand::new(semaphore.acquire()));
        for wait in &mut waits {
            assert!(wait.poll_with(&waker).is_pending());
        }
        runtime.was_woken();
        runtime.drain_if_rung();
        let giver = give(&semaphore, 2);
        let early = waits[1].poll_with(&waker).is_ready();
        runtime.drain_if_rung();
        join([giver]);
        runtime.drain_if_rung();
        assert!(runtime.was_woken(), "a ring is lost");
        assert!(early || waits[1].poll_with(&waker).is_ready());
        assert!(waits[0].poll_with(&waker).is_ready());
        drop(waits);
        assert_at_rest(&semaphore, 2);
    });
}

/// Dropped on another thread than its runtime's, which drains meanwhile.
#[test]
fn dropped_while_posted() {
    let rows = [Row::IsPosted, Row::IsDelivered, Row::TakesMail, Row::Leaves];
    check(Bound::Light(2), &rows, || {
        let runtime = Runtime::new();
        let semaphore = Arc::new(Semaphore::new(0));
        let waker = runtime.waker(Kind::Task);
        let mut stays = Hand::new(semaphore.acquire());
        assert!(stays.poll_with(&waker).is_pending());
        let mut goes = Box::pin(semaphore.clone().acquire_owned());
        let mut cx = Context::from_waker(&waker);
        assert!(goes.as_mut().poll(&mut cx).is_pending());
        runtime.drain_if_rung();
        let giver = give(&semaphore, 2);
        let dropper = thread::spawn(move || drop(goes));
        runtime.drain_if_rung();
        join([giver, dropper]);
        while runtime.drain_if_rung() {}
        assert!(stays.poll_with(&waker).is_ready());
        assert_at_rest(&semaphore, 2);
    });
}

/// The runtime goes while it is posted to; its waiters go before, after, or never.
fn runtime_goes(waiters_go_first: bool) {
    let runtime = Runtime::new();
    let semaphore = Arc::new(Semaphore::new(0));
    let waker = runtime.waker(Kind::Task);
    let mut waits = [(), ()].map(|()| Hand::new(semaphore.acquire()));
    for wait in &mut waits {
        assert!(wait.poll_with(&waker).is_pending());
    }
    runtime.drain_if_rung();
    let giver = give(&semaphore, 2);
    if waiters_go_first {
        drop(waits);
        drop(runtime);
        join([giver]);
    } else {
        drop(runtime);
        join([giver]);
        assert!(waits.iter_mut().all(|w| w.poll_with(&waker).is_ready()));
    }
    assert_at_rest(&semaphore, 2);
}

/// A runtime that ends drops its tasks, before its mailbox or after. But for one, they are not
/// woken any more; else others might wait for room that it does not make.
fn runtime_drops_its_tasks(home_closes_first: bool) {
    let runtime = Runtime::new();
    let semaphores = [(), ()].map(|()| Arc::new(Semaphore::new(0)));
    let mut waits = semaphores.each_ref().map(|s| Hand::new(s.acquire()));
    for wait in &mut waits {
        let waker = runtime.waker(Kind::Task);
        assert!(wait.poll_with(&waker).is_pending());
    }
    runtime.drain_if_rung();
    let giver = thread::spawn({
        let semaphores = semaphores.clone();
        move || semaphores.iter().for_each(|s| s.add_permits(1))
    });
    let [first, second] = waits;
    if home_closes_first {
        drop(runtime);
        drop(first);
        join([giver]);
    } else {
        drop(first);
        join([giver]);
        drop(runtime);
    }
    drop(second);
    semaphores.iter().for_each(|s| assert_at_rest(s, 1));
}

#[test]
fn runtime_drops_its_mailbox_then_its_tasks() {
    let rows = [Row::HomeCloses, Row::IsCounted, Row::IsWoken];
    check(Bound::LightOrAll(3), &rows, || {
        runtime_drops_its_tasks(true)
    });
}

#[test]
fn runtime_drops_its_tasks_then_its_mailbox() {
    let rows = [Row::HomeCloses, Row::IsCounted, Row::IsPosted];
    check(Bound::LightOrAll(3), &rows, || {
        runtime_drops_its_tasks(false)
    });
}

/// What took up room when its owner was dropped does not when the runtime turns.
#[test]
fn room_comes_back() {
    let rows = [Row::IsCounted, Row::IsPosted, Row::Leaves];
    check(Bound::LightOrAll(3), &rows, || {
        let runtime = Runtime::new();
        let semaphore = Arc::new(Semaphore::new(0));
        let waker = runtime.waker(Kind::Task);
        let mut goes = Hand::new(semaphore.acquire());
        let mut stays = Hand::new(semaphore.acquire());
        assert!(goes.poll_with(&waker).is_pending());
        assert!(stays.poll_with(&waker).is_pending());
        runtime.drain_if_rung();
        let giver = give(&semaphore, 2);
        drop(goes);
        join([giver]);
        runtime.drain_if_rung();
        assert!(stays.poll_with(&waker).is_ready());
        // After another turn at the latest, one that is woken alone does not go by mail.
        for permits in [3, 4] {
            while runtime.drain_if_rung() {}
            runtime.was_woken();
            let mut next = Hand::new(semaphore.acquire_many(permits));
            assert!(next.poll_with(&waker).is_pending());
            join([give(&semaphore, 1)]);
            assert!(!runtime.drain_if_rung() || permits == 3);
            assert!(runtime.was_woken());
            assert!(next.poll_with(&waker).is_ready());
        }
        assert_at_rest(&semaphore, 4);
    });
}

#[test]
fn runtime_goes_before_its_waiter() {
    let rows = [
        Row::HomeCloses,
        Row::HomeClosesAsleep,
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
    let rows = [Row::IsCounted, Row::TakesCounted];
    check(Bound::LightOrAll(3), &rows, || {
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
    });
}

/// The same by mail.
#[test]
fn two_runtimes_post() {
    let rows = [Row::IsSent, Row::HomeIsRung];
    check(Bound::Light(2), &rows, || {
        let shared = Arc::new([Event::new(), Event::new()]);
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let runtime = Runtime::new();
                runtime.block_on(Kind::Task, async {
                    both(shared[0].wait(), shared[0].wait()).await;
                    shared[1].set();
                });
            }
        });
        let runtime = Runtime::new();
        runtime.block_on(Kind::Task, async {
            shared[0].set();
            both(shared[1].wait(), shared[1].wait()).await;
        });
        drop(runtime);
        join([other]);
    });
}

/// One call wakes tasks of two runtimes.
#[test]
fn one_wakes_two_runtimes() {
    check(Bound::Light(2), &[Row::IsPosted, Row::IsDelivered], || {
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

/// Futures that were polled on a runtime move on to a plain thread.
#[test]
fn waiters_move() {
    let rows = [Row::IsPosted, Row::IsCounted, Row::IsWoken];
    check(Bound::LightOrAll(3), &rows, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let runtime = Runtime::new();
        let waker = runtime.waker(Kind::Task);
        let mut waits = [(), ()].map(|()| Hand::new(semaphore.acquire()));
        for wait in &mut waits {
            assert!(wait.poll_with(&waker).is_pending());
        }
        runtime.drain_if_rung();
        let giver = give(&semaphore, 2);
        drop(runtime);
        let [mut first, mut second] = waits;
        block_on_both(
            poll_fn(|cx| first.poll_with(cx.waker()).map(drop)),
            poll_fn(|cx| second.poll_with(cx.waker()).map(drop)),
        );
        join([giver]);
        drop((first, second));
        assert_at_rest(&semaphore, 2);
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

/// Another executor's waits, one of which is in the mailbox when the runtime goes: both are
/// called, though nobody polls them.
#[test]
fn runtime_goes_with_mail_of_others() {
    let rows = [Row::HomeCloses, Row::IsPosted, Row::IsDelivered];
    check(Bound::All, &rows, || {
        let runtime = Runtime::new();
        let semaphore = Arc::new(Semaphore::new(0));
        let mut waits = [(), ()].map(|()| Hand::waiting(semaphore.acquire()));
        let giver = give(&semaphore, 2);
        drop(runtime);
        join([giver]);
        assert!(waits.iter().all(|wait| wait.alarm.calls() == 1));
        assert!(waits.iter_mut().all(|wait| wait.poll().is_ready()));
        drop(waits);
        assert_at_rest(&semaphore, 2);
    });
}
