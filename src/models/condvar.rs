//! Models of the condition variable.

mod all;

use std::sync::Arc;

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
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
