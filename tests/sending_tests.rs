//! All tasks of another runtime that wait in one queue are sent there in one step, and each still is
//! where it should be when it gives up, asks, or is polled.

mod common;

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Barrier, mpsc},
    task::Poll,
    thread,
};

use common::{Hand, in_runtime, is_slow, keep, spawn, watchdog};
use compio_sync::Notify;
use futures_util::future::join;

/// How often all of a queue are sent before its epochs come again.
const EPOCHS: usize = 1 << 16;

/// Notifies two waits as soon as both are there.
fn notify_two(notify: &Notify) {
    while notify.waiter_count() < 2 {
        thread::yield_now();
    }
    notify.notify_waiters();
}

/// A runtime that is blocked after two waits of a task of it have begun, and until it may go on.
struct Blocked {
    notify: &'static Notify,
    go_on: &'static Barrier,
    thread: thread::JoinHandle<()>,
}

impl Blocked {
    /// With its waits on their way to it.
    fn new() -> Self {
        let (notify, go_on) = (keep(Notify::new()), Box::leak(Box::new(Barrier::new(2))));
        let go_on: &'static Barrier = go_on;
        let (begun, has_begun) = mpsc::channel();
        let thread = thread::spawn(move || {
            let task = async move || spawn(begin_and_block(notify, begun, go_on)).await.unwrap();
            in_runtime(task);
        });
        has_begun.recv().unwrap();
        notify_two(notify);
        Self {
            notify,
            go_on,
            thread,
        }
    }

    fn go_on(self) {
        self.go_on.wait();
        self.thread.join().unwrap();
    }
}

async fn begin_and_block(notify: &Notify, begun: mpsc::Sender<()>, go_on: &Barrier) {
    let mut stays = pin!(notify.notified());
    let mut goes = Some(Box::pin(notify.notified()));
    poll_fn(|cx| {
        assert!(stays.as_mut().poll(cx).is_pending());
        let mut goes = goes.take().expect("polled once");
        assert!(goes.as_mut().poll(cx).is_pending());
        begun.send(()).unwrap();
        go_on.wait();
        // Both have been sent, and nothing has been delivered.
        drop(goes);
        assert!(stays.as_mut().enable(), "it has been notified");
        assert!(stays.as_mut().poll(cx).is_ready());
        Poll::Ready(())
    })
    .await;
}

#[test]
fn waits_that_were_sent_to_a_blocked_runtime_are_given_up_and_found_notified() {
    let _dog = watchdog();
    let blocked = Blocked::new();
    let notify = blocked.notify;
    assert_eq!(notify.waiter_count(), 0);
    // Another comes, which they do not take with them.
    let mut other = Hand::waiting(notify.notified());
    blocked.go_on();
    other.expect_pending();
    assert_eq!(notify.waiter_count(), 1);
}

/// A runtime is blocked with waits on their way to it while others are sent as often as there are
/// epochs, so that the queue's would be theirs again.
#[test]
fn what_is_under_way_is_not_taken_for_queued_when_the_epochs_come_again() {
    let _dog = watchdog();
    let herds = if is_slow() { 100 } else { EPOCHS - 1 };
    let blocked = Blocked::new();
    let notify = blocked.notify;
    let other = thread::spawn(move || {
        in_runtime(async || {
            let task = spawn(async move {
                for _ in 0..herds {
                    join(notify.notified(), notify.notified()).await;
                }
            });
            task.await.unwrap();
        });
    });
    (0..herds).for_each(|_| notify_two(notify));
    other.join().unwrap();
    blocked.go_on();
    assert_eq!(notify.waiter_count(), 0);
}
