//! Models of the condition variable.

use std::{future::poll_fn, sync::Arc, task::Poll};

use loom::thread;

use super::{Bound, Cell, Hand, block_on, block_on_both, check, join, rows::Row};
use crate::{Condvar, CondvarWait, Mutex, sys::loom::Mortal};

struct Shared {
    tokens: Mutex<(usize, Cell)>,
    more: Condvar,
}

impl Shared {
    fn new(tokens: usize) -> Arc<Self> {
        Arc::new(Self {
            tokens: Mutex::new((tokens, Cell::new())),
            more: Condvar::new(),
        })
    }

    /// Waits for a token and takes it.
    fn take(&self) {
        let guard = block_on(self.tokens.lock());
        let mut guard = block_on(self.more.wait_while(guard, |tokens| tokens.0 == 0));
        guard.0 -= 1;
        guard.1.change();
    }

    fn put(&self, tokens: usize) {
        let mut guard = block_on(self.tokens.lock());
        guard.0 += tokens;
        guard.1.change();
    }

    /// A wait that has begun.
    fn waiting(&self) -> Hand<CondvarWait<'_, (usize, Cell)>> {
        Hand::waiting(self.more.wait(self.tokens.try_lock().expect("it is free")))
    }

    fn assert_at_rest(&self, tokens: usize) {
        assert_eq!(self.more.waiter_count(), 0);
        assert_eq!(self.tokens.waiter_count(), 0);
        let guard = self.tokens.try_lock().expect("it is free");
        assert_eq!(guard.0, tokens);
    }
}

fn take_in_other(shared: &Arc<Shared>) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || shared.take())
}

fn notify_all_in_other(shared: &Arc<Shared>) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || shared.more.notify_all())
}

#[test]
fn notified_after_the_mutex() {
    let rows = [Row::Enters, Row::IsWoken, Row::TakesWake];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let other = take_in_other(&shared);
        shared.put(1);
        shared.more.notify_one();
        join([other]);
        shared.assert_at_rest(0);
    });
}

#[test]
fn notified_under_the_mutex() {
    check(
        Bound::LightOrAll(3),
        &[Row::IsWoken, Row::QueuesFirst],
        || {
            let shared = Shared::new(0);
            let other = take_in_other(&shared);
            {
                let mut guard = block_on(shared.tokens.lock());
                guard.0 += 1;
                guard.1.change();
                shared.more.notify_one();
            }
            join([other]);
            shared.assert_at_rest(0);
        },
    );
}

/// One that was notified goes, at any moment: the other is notified instead.
#[test]
fn notified_one_goes() {
    let rows = [Row::Leaves, Row::IsWoken, Row::TakesWake];
    check(Bound::Light(2), &rows, || {
        let shared = Shared::new(0);
        let goes = shared.waiting();
        let taker = take_in_other(&shared);
        let giver = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.put(1);
                shared.more.notify_one();
            }
        });
        drop(goes);
        join([taker, giver]);
        shared.assert_at_rest(0);
    });
}

/// The same in fewer steps: both wait already, and the mutex is held at times.
#[test]
fn notified_one_goes_before_the_next() {
    let rows = [Row::WaitingLeaves, Row::NotifiedGoes, Row::IsWoken];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let goes = shared.waiting();
        let mut stays = shared.waiting();
        let giver = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let guard = shared.tokens.try_lock();
                shared.more.notify_one();
                drop(guard);
            }
        });
        drop(goes);
        join([giver]);
        assert_eq!(stays.alarm.calls(), 1, "the notification is lost");
        assert!(stays.poll().is_ready());
        shared.assert_at_rest(0);
    });
}

/// One of two that are notified goes, and there is a third.
#[test]
fn second_notified_one_goes() {
    let rows = [Row::Leaves, Row::IsWoken, Row::TakesWake];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let mut first = shared.waiting();
        let goes = shared.waiting();
        let mut third = shared.waiting();
        let giver = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.more.notify_one();
                shared.more.notify_one();
            }
        });
        drop(goes);
        join([giver]);
        assert!(first.poll().is_ready());
        assert_eq!(third.alarm.calls(), 1, "the notification is lost");
        assert!(third.poll().is_ready());
        shared.assert_at_rest(0);
    });
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

/// The mutex goes as soon as its waiters are gone.
fn mutex_goes(notify: fn(&Condvar), waits: bool) {
    let condvar = Arc::new(Condvar::new());
    let mutex = Box::new(Mortal::new(Mutex::new(())));
    let mut first = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    let second = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    let giver = thread::spawn({
        let condvar = Arc::clone(&condvar);
        move || notify(&condvar)
    });
    drop(second);
    if waits {
        block_on(std::future::poll_fn(|cx| {
            first.poll_with(cx.waker()).map(drop)
        }));
    }
    drop(first);
    drop(mutex);
    join([giver]);
    assert_eq!(condvar.waiter_count(), 0);
}

#[test]
fn mutex_goes_while_one_is_notified() {
    check(Bound::LightOrAll(4), &[Row::IsWoken, Row::Leaves], || {
        mutex_goes(Condvar::notify_one, false);
    });
}

#[test]
fn mutex_goes_while_all_are_notified() {
    check(Bound::LightOrAll(3), &[Row::IsWoken, Row::Leaves], || {
        mutex_goes(Condvar::notify_all, true);
    });
}

#[test]
fn mutex_goes_after_all_were_notified() {
    check(Bound::LightOrAll(3), &[Row::IsWoken, Row::Leaves], || {
        mutex_goes(Condvar::notify_all, false);
    });
}

/// One that was notified and comes to a locked mutex goes from there: the other is notified
/// instead.
#[test]
fn notified_one_goes_from_the_mutex() {
    let rows = [Row::IsWoken, Row::LockingNotifiedGoes, Row::Leaves];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let mut goes = shared.waiting();
        let mut stays = shared.waiting();
        shared.more.notify_one();
        let holder = thread::spawn({
            let shared = Arc::clone(&shared);
            move || drop(shared.tokens.try_lock())
        });
        let early = goes.poll().is_ready();
        drop(goes);
        join([holder]);
        if early {
            // It has had its notification.
            assert_eq!(stays.alarm.calls(), 0);
            shared.more.notify_one();
        }
        assert_eq!(stays.alarm.calls(), 1, "the notification is lost");
        assert!(stays.poll().is_ready());
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
    check(Bound::LightOrAll(3), &rows, || {
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
