//! Models of sending: all that wait in a queue go to their runtime's mailbox in one step, and their
//! owners find out by the epoch. There are two epochs here, and in the second nothing is sent.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use loom::thread;

use super::{Bound, Hand, check, join, rows::Row};
use crate::{
    CancellationToken, Notified, Notify, OnceCell,
    waiter_queue::{Kind, Runtime},
};

fn notify(notify: &Arc<Notify>) -> thread::JoinHandle<()> {
    let notify = Arc::clone(notify);
    thread::spawn(move || notify.notify_waiters())
}

/// Waits that have begun, of tasks of this runtime.
fn waits<'a, const N: usize>(notify: &'a Notify, runtime: &Runtime) -> [Hand<Notified<'a>>; N] {
    let waits = std::array::from_fn(|_| {
        let mut wait = Hand::new(notify.notified());
        let waker = runtime.waker(Kind::Task);
        assert!(wait.poll_with(&waker).is_pending());
        wait
    });
    runtime.drain_if_rung();
    runtime.was_woken();
    waits
}

fn drain(runtime: &Runtime) {
    while runtime.drain_if_rung() {}
}

/// All of three are woken, in two turns.
#[test]
fn sent_and_delivered() {
    let rows = [
        Row::IsSent,
        Row::IsDelivered,
        Row::HomeIsRung,
        Row::HomeHasMore,
        Row::TakesWake,
    ];
    check(Bound::All, &rows, || {
        let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
        let mut waits = waits::<3>(&shared, &runtime);
        let notifier = notify(&shared);
        runtime.drain_if_rung();
        join([notifier]);
        drain(&runtime);
        assert!(runtime.was_woken(), "a ring is lost");
        let waker = runtime.waker(Kind::Task);
        assert!(waits.iter_mut().all(|w| w.poll_with(&waker).is_ready()));
        assert_eq!(shared.waiter_count(), 0);
    });
}

/// The owner does not wait for the mail.
#[test]
fn polled_while_sent() {
    let rows = [Row::IsSent, Row::IsDelivered, Row::TakesSent];
    check(Bound::LightOrAll(4), &rows, || {
        let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
        let mut waits = waits::<2>(&shared, &runtime);
        let waker = runtime.waker(Kind::Task);
        let notifier = notify(&shared);
        let early = waits[1].poll_with(&waker).is_ready();
        runtime.drain_if_rung();
        join([notifier]);
        drain(&runtime);
        assert!(runtime.was_woken(), "a ring is lost");
        assert!(early || waits[1].poll_with(&waker).is_ready());
        assert!(waits[0].poll_with(&waker).is_ready());
    });
}

/// Dropped on another thread than its runtime's, which drains meanwhile; so it leaves the queue,
/// the mailbox, or neither.
#[test]
fn dropped_while_sent() {
    let rows = [
        Row::IsSent,
        Row::IsDelivered,
        Row::TakesSent,
        Row::Leaves,
        Row::TakesWake,
    ];
    check(Bound::LightOrAll(4), &rows, || {
        let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
        let [mut stays] = waits::<1>(&shared, &runtime);
        let waker = runtime.waker(Kind::Task);
        let mut goes = Box::pin(shared.clone().notified_owned());
        assert!(
            goes.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        let notifier = notify(&shared);
        let dropper = thread::spawn(move || drop(goes));
        runtime.drain_if_rung();
        join([notifier, dropper]);
        drain(&runtime);
        assert!(stays.poll_with(&waker).is_ready());
        assert_eq!(shared.waiter_count(), 0);
    });
}

/// Without a waker: whether it was notified is seen while it is sent, too.
#[test]
fn asked_while_sent() {
    let rows = [Row::IsSent, Row::TakesSent, Row::TakesWake];
    check(Bound::All, &rows, || {
        let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
        let mut waits = waits::<2>(&shared, &runtime);
        let notifier = notify(&shared);
        let early = waits[0].get().enable();
        join([notifier]);
        assert!(early || waits[0].get().enable(), "it was notified");
        runtime.drain_if_rung();
        assert!(waits[1].get().enable());
    });
}

/// Others come while those that were sent are under way and go, and are notified, too.
#[test]
fn others_come_while_sent() {
    let rows = [Row::IsSent, Row::TakesSent, Row::IsPosted, Row::TakesMail];
    check(Bound::LightOrAll(3), &rows, || {
        let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
        let first = waits::<2>(&shared, &runtime);
        let notifier = notify(&shared);
        let waker = runtime.waker(Kind::Task);
        // Some may be reached by the first call.
        let second = [(), ()].map(|()| {
            let mut wait = Hand::new(shared.notified());
            wait.poll_with(&waker).is_pending().then_some(wait)
        });
        let again = notify(&shared);
        drop(first);
        drop(second);
        join([notifier, again]);
        assert_eq!(shared.waiter_count(), 0);
        drain(&runtime);
    });
}

/// The first epoch comes again as soon as nothing of it is under way, and not before: meanwhile
/// one of those that were sent in it goes.
fn epochs(delivered: bool) {
    let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
    let [mut stays, goes] = waits::<2>(&shared, &runtime);
    let other = thread::spawn({
        let shared = Arc::clone(&shared);
        move || {
            // Sends them. The second one is woken here, and the third comes in whatever epoch.
            shared.notify_waiters();
            let mut second = Hand::waiting(shared.notified());
            shared.notify_waiters();
            assert!(second.poll().is_ready());
            let mut third = Hand::waiting(shared.notified());
            assert!(third.poll().is_pending());
            shared.notify_waiters();
            assert!(third.poll().is_ready());
        }
    });
    if delivered {
        runtime.drain_if_rung();
    }
    drop(goes);
    join([other]);
    drain(&runtime);
    assert!(stays.poll_with(&runtime.waker(Kind::Task)).is_ready());
    assert_eq!(shared.waiter_count(), 0);
}

#[test]
fn epochs_begin_anew() {
    let rows = [Row::IsSent, Row::TakesSent, Row::EpochsBeginAnew];
    check(Bound::LightOrAll(3), &rows, || epochs(true));
}

#[test]
fn epochs_stand_still() {
    let rows = [Row::IsSent, Row::TakesSent];
    check(Bound::LightOrAll(3), &rows, || epochs(false));
}

/// One goes on the thread that has begun the epochs anew, which saw nothing of its delivery but the
/// count.
#[test]
fn epochs_begin_anew_before_one_goes() {
    let rows = [Row::IsSent, Row::EpochsBeginAnew, Row::TakesWake];
    check(Bound::LightOrAll(3), &rows, || {
        let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
        let [mut stays] = waits::<1>(&shared, &runtime);
        let waker = runtime.waker(Kind::Task);
        let mut goes = Box::pin(shared.clone().notified_owned());
        let mut cx = Context::from_waker(&waker);
        assert!(goes.as_mut().poll(&mut cx).is_pending());
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.notify_waiters();
                let mut second = Hand::waiting(shared.notified());
                shared.notify_waiters();
                assert!(second.poll().is_ready());
                drop(goes);
            }
        });
        runtime.drain_if_rung();
        join([other]);
        drain(&runtime);
        assert!(stays.poll_with(&waker).is_ready());
        assert_eq!(shared.waiter_count(), 0);
    });
}

/// In the first epoch again, all are sent once more.
#[test]
fn sent_again() {
    let rows = [Row::IsSent, Row::EpochsBeginAnew, Row::IsDelivered];
    check(Bound::LightOrAll(3), &rows, || {
        let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
        let waker = runtime.waker(Kind::Task);
        for _ in 0..3 {
            let mut waits = waits::<2>(&shared, &runtime);
            let notifier = notify(&shared);
            runtime.drain_if_rung();
            join([notifier]);
            drain(&runtime);
            assert!(waits.iter_mut().all(|w| w.poll_with(&waker).is_ready()));
        }
    });
}

/// The runtime ends while all are sent to it; the waits go before it, or after.
fn runtime_goes(waits_go_first: bool) {
    let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
    let waits = waits::<2>(&shared, &runtime);
    let notifier = notify(&shared);
    if waits_go_first {
        drop(waits);
        drop(runtime);
        join([notifier]);
    } else {
        drop(runtime);
        join([notifier]);
        for mut wait in waits {
            assert!(wait.get().enable(), "it was notified");
        }
    }
    assert_eq!(shared.waiter_count(), 0);
}

#[test]
fn runtime_goes_after_its_waits() {
    let rows = [Row::IsSent, Row::TakesSent, Row::Leaves];
    check(Bound::LightOrAll(4), &rows, || runtime_goes(true));
}

#[test]
fn runtime_goes_before_its_waits() {
    let rows = [Row::IsSent, Row::HomeCloses, Row::IsWoken];
    check(Bound::LightOrAll(4), &rows, || runtime_goes(false));
}

/// One of them moves to another waker, which is not a task's: they are not sent if it was in time.
#[test]
fn one_moves_while_sent() {
    let rows = [Row::IsSent, Row::IsPosted, Row::IsCounted, Row::TakesSent];
    check(Bound::LightOrAll(4), &rows, || {
        let (runtime, shared) = (Runtime::new(), Arc::new(Notify::new()));
        let mut waits = waits::<2>(&shared, &runtime);
        let notifier = notify(&shared);
        let foreign = runtime.waker(Kind::Foreign);
        let early = waits[0].poll_with(&foreign).is_ready();
        join([notifier]);
        drain(&runtime);
        assert!(runtime.was_woken(), "a ring is lost");
        assert!(early || waits[0].poll_with(&foreign).is_ready());
        assert!(waits[1].poll_with(&foreign).is_ready());
    });
}

/// Two queues are sent to one mailbox at once, which is rung once.
#[test]
fn two_are_sent_at_once() {
    let rows = [Row::IsSent, Row::IsDelivered, Row::HomeHasMore];
    check(Bound::Light(2), &rows, || {
        let runtime = Runtime::new();
        let shared = [(), ()].map(|()| Arc::new(Notify::new()));
        let mut all = shared.each_ref().map(|one| waits::<2>(one, &runtime));
        let notifiers = shared.each_ref().map(notify);
        runtime.drain_if_rung();
        join(notifiers);
        drain(&runtime);
        assert!(runtime.was_woken(), "a ring is lost");
        let waker = runtime.waker(Kind::Task);
        let mut all = all.iter_mut().flatten();
        assert!(all.all(|wait| wait.poll_with(&waker).is_ready()));
    });
}

/// A tree of tokens moves what waits for them to a queue of its own, which is sent, while one of the
/// waits is dropped on another thread.
#[test]
fn one_of_a_tree_goes_while_sent() {
    let rows = [Row::IsMoved, Row::IsSent, Row::TakesSent, Row::Leaves];
    check(Bound::LightOrAll(3), &rows, || {
        let runtime = Runtime::new();
        let waker = runtime.waker(Kind::Task);
        let mut cx = Context::from_waker(&waker);
        let root = CancellationToken::new();
        let child = root.child_token();
        let mut stays = Box::pin(root.clone().cancelled_owned());
        let mut goes = Box::pin(child.clone().cancelled_owned());
        assert!(stays.as_mut().poll(&mut cx).is_pending());
        assert!(goes.as_mut().poll(&mut cx).is_pending());
        runtime.drain_if_rung();
        let canceller = thread::spawn(move || root.cancel());
        let dropper = thread::spawn(move || drop(goes));
        runtime.drain_if_rung();
        join([canceller, dropper]);
        drain(&runtime);
        assert!(stays.as_mut().poll(&mut cx).is_ready());
        assert_eq!(child.waiter_count(), 0);
    });
}

/// A cell is set on another thread, for which one would make the value and two only wait, and the
/// first goes.
#[test]
fn candidate_goes_while_sent() {
    let rows = [Row::IsSent, Row::TakesSent, Row::Leaves];
    check(Bound::LightOrAll(3), &rows, || {
        let runtime = Runtime::new();
        let waker = runtime.waker(Kind::Task);
        let cell = Arc::new(OnceCell::new());
        let mut makes = Box::pin({
            let cell = Arc::clone(&cell);
            async move {
                let mut first = true;
                let value = poll_fn(move |_| match std::mem::take(&mut first) {
                    true => Poll::Pending,
                    false => Poll::Ready(()),
                });
                cell.get_or_init(|| value).await;
            }
        });
        assert!(
            makes
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        let mut goes = Hand::new(cell.get_or_init(std::future::pending::<()>));
        assert!(goes.poll_with(&waker).is_pending());
        let mut waits = [(), ()].map(|()| Hand::new(cell.wait()));
        for wait in &mut waits {
            assert!(wait.poll_with(&waker).is_pending());
        }
        runtime.drain_if_rung();
        let maker = thread::spawn(move || {
            let waker = std::task::Waker::noop();
            assert!(
                makes
                    .as_mut()
                    .poll(&mut Context::from_waker(waker))
                    .is_ready()
            );
        });
        drop(goes);
        runtime.drain_if_rung();
        join([maker]);
        drain(&runtime);
        assert!(
            waits
                .iter_mut()
                .all(|wait| wait.poll_with(&waker).is_ready())
        );
        assert_eq!(cell.waiter_count(), 0);
    });
}
