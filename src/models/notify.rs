//! Models of notifications.

use std::sync::Arc;

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::Notify;

fn with<R: 'static>(
    notify: &Arc<Notify>,
    f: impl FnOnce(&Notify) -> R + 'static,
) -> thread::JoinHandle<R> {
    let notify = Arc::clone(notify);
    thread::spawn(move || f(&notify))
}

/// Nobody waits, and so many notifications are stored.
fn assert_at_rest(notify: &Notify, stored: usize) {
    assert_eq!(notify.waiter_count(), 0);
    let mut next = [(), ()].map(|()| Hand::new(notify.notified()));
    let ready = next
        .each_mut()
        .map(|next| usize::from(next.poll().is_ready()));
    assert_eq!(ready.iter().sum::<usize>(), stored);
}

#[test]
fn one_is_notified() {
    let rows = [Row::Stores, Row::TakesStored, Row::NotifyWaits];
    check(Bound::All, &rows, || {
        let shared = Arc::new((Notify::new(), Cell::new()));
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.1.change();
                shared.0.notify_one();
            }
        });
        block_on(shared.0.notified());
        shared.1.change();
        join([other]);
        assert_at_rest(&shared.0, 0);
    });
}

/// Each that was notified notifies the next.
#[test]
fn two_are_notified() {
    check(Bound::Light(2), &[Row::IsWoken], || {
        let notify = Arc::new(Notify::new());
        let waits = [(), ()].map(|()| {
            with(&notify, |notify| {
                block_on(notify.notified());
                notify.notify_one();
            })
        });
        notify.notify_one();
        join(waits);
        assert_at_rest(&notify, 1);
    });
}

fn stored(notify: &Notify) -> bool {
    format!("{notify:?}").contains("stored: true")
}

/// One goes at any moment: the other gets its notification.
fn one_goes(notifies: fn(&Notify)) {
    let notify = Arc::new(Notify::new());
    let mut first = Hand::waiting(notify.notified());
    let goes = Hand::waiting(notify.notified());
    let other = with(&notify, notifies);
    drop(goes);
    join([other]);
    assert_eq!(first.alarm.calls(), 1, "the notification is lost");
    assert!(first.poll().is_ready());
    drop(first);
    assert_at_rest(&notify, 0);
}

#[test]
fn last_goes() {
    let rows = [Row::Leaves, Row::TakesWake];
    check(Bound::All, &rows, || one_goes(Notify::notify_last));
}

#[test]
fn one_goes_and_it_is_stored() {
    let rows = [Row::Leaves, Row::TakesWake, Row::StoresAfterAll];
    check(Bound::All, &rows, || {
        let notify = Arc::new(Notify::new());
        let goes = Hand::waiting(notify.notified());
        let other = with(&notify, Notify::notify_one);
        drop(goes);
        join([other]);
        assert_at_rest(&notify, 1);
    });
}

#[test]
fn one_goes_and_another_waits() {
    check(Bound::Light(2), &[Row::Leaves], || {
        let shared = Arc::new((Notify::new(), Cell::new()));
        let goes = Hand::waiting(shared.0.notified());
        let notifier = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.1.change();
                shared.0.notify_one();
            }
        });
        let waits = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                block_on(shared.0.notified());
                shared.1.change();
            }
        });
        drop(goes);
        join([notifier, waits]);
        assert_at_rest(&shared.0, 0);
    });
}

/// A call reaches what was made before it, polled or not.
#[test]
fn all_made_before_are_notified() {
    let rows = [Row::CountsCall, Row::NotifyWaits];
    check(Bound::All, &rows, || {
        let shared = Arc::new((Notify::new(), Cell::new()));
        let waits = shared.0.notified();
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.1.change();
                shared.0.notify_waiters();
            }
        });
        block_on(waits);
        shared.1.change();
        join([other]);
        assert_at_rest(&shared.0, 0);
    });
}

/// Who makes a wait too late for a call sees, at the look that follows, what was done before it.
fn made_after_a_call(others_wait: bool) {
    let shared = Arc::new((Notify::new(), AtomicBool::new(false)));
    let waits = others_wait.then(|| Hand::waiting(shared.0.notified()));
    let other = thread::spawn({
        let shared = Arc::clone(&shared);
        move || {
            shared.1.store(true, Ordering::Relaxed);
            shared.0.notify_waiters();
        }
    });
    let wait = shared.0.notified();
    // Relaxed: it is the notifier that orders the two.
    if !shared.1.load(Ordering::Relaxed) {
        block_on(wait);
    }
    join([other]);
    drop(waits);
    assert_at_rest(&shared.0, 0);
}

#[test]
fn made_after_a_call_and_then_looked() {
    check(Bound::All, &[Row::CountsCall], || made_after_a_call(false));
}

#[test]
fn made_after_a_call_for_others_and_then_looked() {
    check(
        Bound::LightOrAll(3),
        &[Row::CountsCall, Row::IsWoken],
        || {
            made_after_a_call(true);
        },
    );
}

/// What one has found stored is taken by another, and stored again, before the first takes it:
/// it sees what was done before the second time.
#[test]
fn taken_and_stored_again() {
    check(Bound::Light(3), &[Row::TakesStored, Row::Stores], || {
        let shared = Arc::new((Notify::new(), Cell::new()));
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.0.notify_one();
                if Hand::new(shared.0.notified()).poll().is_ready() {
                    shared.1.change();
                    shared.0.notify_one();
                }
            }
        });
        block_on(shared.0.notified());
        shared.1.look();
        join([other]);
        assert_at_rest(&shared.0, 0);
    });
}

/// More than a batch, of which one goes and comes again.
#[test]
fn many_are_notified() {
    check(
        Bound::LightOrAll(3),
        &[Row::CountsCall, Row::Leaves],
        || {
            let notify = Arc::new(Notify::new());
            let mut waits = [(), (), ()].map(|()| Hand::waiting(notify.notified()));
            let other = with(&notify, Notify::notify_waiters);
            waits[1] = Hand::new(notify.notified());
            let again = waits[1].poll();
            join([other]);
            for at in [0, 2] {
                assert_eq!(waits[at].alarm.calls(), 1);
                assert!(waits[at].poll().is_ready());
            }
            // It may have come after the call, which does not mean it then.
            if again.is_pending() && waits[1].poll().is_pending() {
                notify.notify_one();
                assert!(waits[1].poll().is_ready());
            }
            drop(waits);
            assert_at_rest(&notify, 0);
        },
    );
}

#[test]
fn two_calls_at_once() {
    let rows = [Row::CountsCall, Row::StoresAfterAll];
    check(Bound::All, &rows, || {
        let notify = Arc::new(Notify::new());
        let mut waits = [(), ()].map(|()| Hand::waiting(notify.notified()));
        let other = with(&notify, Notify::notify_waiters);
        notify.notify_one();
        join([other]);
        assert!(waits[0].poll().is_ready());
        assert!(waits[1].poll().is_ready());
        drop(waits);
        // The one came first, or after the others had gone.
        let stored = usize::from(stored(&notify));
        assert_at_rest(&notify, stored);
    });
}

#[test]
fn enabled_without_a_waker() {
    check(Bound::All, &[Row::Leaves], || {
        let notify = Arc::new(Notify::new());
        let mut waits = Hand::new(notify.notified());
        assert!(!waits.get().enable());
        let other = with(&notify, Notify::notify_one);
        let early = waits.poll();
        join([other]);
        if early.is_pending() {
            assert_eq!(waits.alarm.calls(), 1);
            assert!(waits.poll().is_ready());
        }
        drop(waits);
        assert_at_rest(&notify, 0);
    });
}
