//! All are notified at once.

use std::{future::poll_fn, sync::Arc, task::Poll};

use loom::thread;

use super::{Shared, take_in_other};
use crate::models::{Bound, Hand, block_on_both, check, join, rows::Row};

fn notify_all_in_other(shared: &Arc<Shared>) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || shared.more.notify_all())
}

#[test]
fn all_are_notified() {
    let rows = [Row::IsWoken, Row::TakesWake, Row::QueuesFirst];
    check(Bound::Light(2), &rows, || {
        let shared = Shared::new(0);
        let takers = [take_in_other(&shared), take_in_other(&shared)];
        shared.put(2);
        shared.more.notify_all();
        join(takers);
        shared.assert_at_rest(0);
    });
}

/// Who begins to wait after the call is not meant by it, though it wakes in parts.
#[test]
fn all_that_wait_are_notified() {
    let rows = [Row::IsWoken, Row::Leaves];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let mut first = shared.waiting();
        let goes = shared.waiting();
        let mut third = shared.waiting();
        let giver = notify_all_in_other(&shared);
        drop(goes);
        // Notified, and waiting again, perhaps before the call has come to the third.
        let again = match first.poll() {
            Poll::Ready(guard) => Some(Hand::waiting(shared.more.wait(guard))),
            Poll::Pending => None,
        };
        join([giver]);
        if let Some(again) = again {
            assert_eq!(shared.more.waiter_count(), 1);
            assert_eq!(again.alarm.calls(), 0);
        } else {
            assert_eq!(first.alarm.calls(), 1);
            assert!(first.poll().is_ready());
        }
        assert_eq!(third.alarm.calls(), 1);
        assert!(third.poll().is_ready());
        shared.assert_at_rest(0);
    });
}

/// Two calls at once wake each once.
#[test]
fn all_are_notified_twice() {
    let rows = [Row::IsWoken, Row::CondvarVacates];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let mut waits = [(), (), ()].map(|()| shared.waiting());
        let giver = notify_all_in_other(&shared);
        shared.more.notify_all();
        join([giver]);
        for wait in &mut waits {
            assert_eq!(wait.alarm.calls(), 1);
            assert!(wait.poll().is_ready());
        }
        shared.assert_at_rest(0);
    });
}

/// One is notified while all are: each is woken once, whoever wakes it. One that goes, notified in
/// either way, takes no other's wake-up with it.
#[test]
fn one_is_notified_while_all_are() {
    let rows = [Row::NotifiedGoes, Row::NotifiedWithAllGoes];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let goes = shared.waiting();
        let mut others = [(), ()].map(|()| shared.waiting());
        let giver = notify_all_in_other(&shared);
        shared.more.notify_one();
        drop(goes);
        join([giver]);
        for other in &mut others {
            assert_eq!(other.alarm.calls(), 1);
            assert!(other.poll().is_ready());
        }
        shared.assert_at_rest(0);
    });
}

/// One of those that a call is about goes, and another comes, which it is not about, nor is what
/// the one that goes was told. The next call finds it.
#[test]
fn who_comes_after_a_call_began_waits() {
    let rows = [Row::IsWoken, Row::WaitingLeaves, Row::NotifiedWithAllGoes];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let mut waits = [(), ()].map(|()| shared.waiting());
        let last = shared.waiting();
        let giver = notify_all_in_other(&shared);
        let has_begun = shared.more.waiter_count() < 3;
        let late = has_begun.then(|| shared.waiting());
        drop(last);
        join([giver]);
        if let Some(mut late) = late {
            assert_eq!(shared.more.waiter_count(), 1);
            assert_eq!(late.alarm.calls(), 0);
            shared.more.notify_one();
            assert_eq!(late.alarm.calls(), 1, "it waits unseen");
            assert!(late.poll().is_ready());
        }
        for wait in &mut waits {
            assert_eq!(wait.alarm.calls(), 1);
            assert!(wait.poll().is_ready());
        }
        shared.assert_at_rest(0);
    });
}

/// One of those that are notified together goes, at any moment: the others come all the same.
fn one_of_all_goes(at: usize) {
    let shared = Shared::new(0);
    let mut waits = [(), (), ()].map(|()| Some(shared.waiting()));
    let giver = notify_all_in_other(&shared);
    waits[at] = None;
    join([giver]);
    for wait in waits.iter_mut().flatten() {
        assert_eq!(wait.alarm.calls(), 1, "its wake-up is lost");
        assert!(wait.poll().is_ready());
    }
    shared.assert_at_rest(0);
}

#[test]
fn one_of_all_that_are_notified_goes() {
    let rows = [Row::WaitingLeaves, Row::NotifiedWithAllGoes];
    for at in 0..3 {
        check(Bound::LightOrAll(3), &rows, move || one_of_all_goes(at));
    }
}

/// They are notified under the mutex, and come while another has been woken for it and has not
/// come: all have it in the end.
#[test]
fn all_are_notified_before_an_heir() {
    let rows = [
        Row::Overtakes,
        Row::QueuesFirst,
        Row::HeirInVain,
        Row::MakesHeirAgain,
    ];
    check(Bound::Light(2), &rows, || {
        let shared = Shared::new(0);
        let [mut first, mut second] = [(), ()].map(|()| shared.waiting());
        let mut heir = {
            let _guard = shared.tokens.try_lock();
            Hand::waiting(shared.tokens.lock())
        };
        let giver = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let guard = shared.tokens.try_lock();
                shared.more.notify_all();
                drop(guard);
            }
        });
        block_on_both(
            poll_fn(|cx| first.poll_with(cx.waker()).map(|guard| guard.1.change())),
            poll_fn(|cx| heir.poll_with(cx.waker()).map(|guard| guard.1.change())),
        );
        join([giver]);
        assert_eq!(second.alarm.calls(), 1);
        assert!(second.poll().is_ready());
        shared.assert_at_rest(0);
    });
}

/// Those that were notified together and found the mutex locked go from there: the one that is its
/// heir, which may have come in vain, and the one behind it. What comes after them has the mutex.
fn those_that_found_it_locked_go(heir_comes: bool) {
    let shared = Shared::new(0);
    let [mut first, mut second, mut third] = [(), (), ()].map(|()| shared.waiting());
    shared.more.notify_all();
    let Poll::Ready(guard) = first.poll() else {
        panic!("it is free");
    };
    assert!(second.poll().is_pending());
    assert!(third.poll().is_pending());
    let mut last = Hand::waiting(shared.tokens.lock());
    let holder = thread::spawn({
        let shared = Arc::clone(&shared);
        move || drop(shared.tokens.try_lock())
    });
    drop(guard);
    assert_eq!(
        second.alarm.calls(),
        2,
        "by the notification, and by the mutex"
    );
    if heir_comes {
        drop(second.poll());
    }
    drop(third);
    drop(second);
    join([holder]);
    assert_eq!(last.alarm.calls(), 1);
    assert!(last.poll().is_ready());
    shared.assert_at_rest(0);
}

#[test]
fn those_that_come_in_vain_go() {
    let rows = [Row::LockingGoes, Row::HeirInVain, Row::Leaves];
    check(Bound::Light(3), &rows, || {
        those_that_found_it_locked_go(true);
    });
}

#[test]
fn those_that_wait_for_the_mutex_go() {
    let rows = [Row::LockingGoes, Row::HeirGoesNext, Row::HeirGoesLocked];
    check(Bound::LightOrAll(3), &rows, || {
        those_that_found_it_locked_go(false);
    });
}
