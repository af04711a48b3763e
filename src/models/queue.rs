//! Models of the queue itself.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use loom::{sync::atomic::AtomicBool, thread};

use super::{Alarm, Bound, Hand, block_on, check, join, rows::Row};
use crate::{
    Notify,
    sys::sync::Ordering,
    waiter_queue::{Place, Waiter, WaiterQueue},
};

struct Shared {
    ready: AtomicBool,
    queue: WaiterQueue,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: AtomicBool::new(false),
            queue: WaiterQueue::new(),
        })
    }

    /// Waits until it is ready, and returns the note that it came with, or 2.
    fn wait(&self) -> usize {
        let mut waiter = pin!(Waiter::new());
        let mut entered = false;
        block_on(poll_fn(|cx| {
            if !entered {
                entered = true;
                let place = Place::of(cx.waker());
                // Relaxed: the lock orders.
                let wait = || !self.ready.load(Ordering::Relaxed);
                if !self.queue.add_waiter_if(waiter.as_mut(), place, 1, wait) {
                    return Poll::Ready(2);
                }
            }
            self.queue.poll(waiter.as_mut(), cx.waker())
        }))
    }
}

fn wait_in_other(shared: &Arc<Shared>) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || assert!(matches!(shared.wait(), 1 | 2)))
}

/// Whoever makes it ready before it wakes finds the waiter, without a lock about both.
#[test]
fn made_ready_then_woken() {
    check(
        Bound::All,
        &[Row::Enters, Row::IsWoken, Row::TakesWake],
        || {
            let shared = Shared::new();
            let other = wait_in_other(&shared);
            shared.ready.store(true, Ordering::Relaxed);
            shared.queue.wake_all(|| ());
            join([other]);
            assert_eq!(shared.queue.waiter_count(), 0);
        },
    );
}

#[test]
fn two_wait_and_two_wake() {
    check(Bound::Light(2), &[Row::IsWoken], || {
        let shared = Shared::new();
        let others = [wait_in_other(&shared), wait_in_other(&shared)];
        shared.ready.store(true, Ordering::Relaxed);
        shared.queue.wake_all(|| ());
        join(others);
        assert_eq!(shared.queue.waiter_count(), 0);
    });
}

/// Taken out by its owner, or woken by another: one of them, never both.
#[test]
fn removed_or_woken() {
    check(Bound::All, &[Row::Leaves, Row::IsWoken], || {
        let shared = Shared::new();
        let alarm = Alarm::new();
        let waker = Arc::clone(&alarm).into();
        let mut waiter = pin!(Waiter::new());
        let place = Place::of(&waker);
        assert!(
            shared
                .queue
                .add_waiter_if(waiter.as_mut(), place, 1, || true)
        );
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut queue = shared.queue.lock();
                queue.note_first(2) && queue.wake_first()
            }
        });
        let removed = shared.queue.lock().remove(waiter.as_mut());
        let woken = other.join().unwrap();
        match removed {
            Some(note) => assert!(note == 1 && !woken && alarm.calls() == 0),
            None => assert!(woken && alarm.calls() == 1),
        }
        let note = waiter.as_mut().take_wake();
        assert_eq!(note, woken.then_some(2));
        assert_eq!(shared.queue.waiter_count(), 0);
        // The waiter holds the one that was not called, until it is queued again.
        waiter.as_mut().settle(Place::nowhere());
        drop(waker);
        assert_eq!(Arc::strong_count(&alarm), 1, "a waker is left behind");
    });
}

/// After a pending poll with another waker, that one is called, and no other.
#[test]
fn waker_changes() {
    check(Bound::All, &[Row::IsWoken, Row::TakesWake], || {
        let notify = Arc::new(Notify::new());
        let mut waits = Hand::waiting(notify.notified());
        let other = thread::spawn({
            let notify = Arc::clone(&notify);
            move || notify.notify_one()
        });
        let alarm = Alarm::new();
        let waker = Arc::clone(&alarm).into();
        let early = waits.poll_with(&waker);
        join([other]);
        if early.is_pending() {
            assert_eq!((waits.alarm.calls(), alarm.calls()), (0, 1));
            assert!(waits.poll_with(&waker).is_ready());
        } else {
            assert_eq!((waits.alarm.calls(), alarm.calls()), (1, 0));
        }
        drop(waker);
        assert_eq!(Arc::strong_count(&alarm), 1, "a waker is left behind");
        assert_eq!(notify.waiter_count(), 0);
    });
}
