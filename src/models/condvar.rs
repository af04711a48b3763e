//! Models of the condition variable.

use std::{sync::Arc, task::Poll};

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::{Condvar, Mutex, sys::loom::Mortal};

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
        let goes = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
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
        let goes = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
        let mut stays = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
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
        let mut first = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
        let goes = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
        let mut third = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
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
    let rows = [Row::IsMoved, Row::QueuesFirst];
    check(Bound::Light(2), &rows, || {
        let shared = Shared::new(0);
        let takers = [take_in_other(&shared), take_in_other(&shared)];
        shared.put(2);
        shared.more.notify_all();
        join(takers);
        shared.assert_at_rest(0);
    });
}

/// Who begins to wait after the call is not meant by it, though all are moved in parts.
#[test]
fn all_that_wait_are_notified() {
    let rows = [Row::IsMoved, Row::QueuesFirst, Row::Leaves];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let mut first = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
        let goes = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
        let mut third = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
        let giver = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.more.notify_all()
        });
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

/// The one that is to lead the others to the mutex goes, at any moment: they come there
/// all the same. Before it goes, `with_heir`, another has been woken for the mutex.
fn leader_goes(with_heir: bool) {
    let shared = Shared::new(0);
    let goes = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
    let mut others =
        [(), ()].map(|()| Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap())));
    let heir = with_heir.then(|| {
        let _guard = shared.tokens.try_lock();
        Hand::waiting(shared.tokens.lock())
    });
    let giver = thread::spawn({
        let shared = Arc::clone(&shared);
        move || shared.more.notify_all()
    });
    drop(goes);
    join([giver]);
    if let Some(mut heir) = heir {
        assert_eq!(heir.alarm.calls(), 1);
        assert!(heir.poll().is_ready());
    }
    for other in &mut others {
        assert_eq!(other.alarm.calls(), 1, "it has no leader");
        assert!(other.poll().is_ready());
    }
    shared.assert_at_rest(0);
}

#[test]
fn leader_goes_alone() {
    let rows = [
        Row::IsMoved,
        Row::WaitingLeaves,
        Row::LeaderGoes,
        Row::AdoptsHeir,
    ];
    check(Bound::LightOrAll(3), &rows, || leader_goes(false));
}

#[test]
fn leader_goes_before_an_heir() {
    let rows = [Row::IsMoved, Row::Leaves, Row::AdoptsQueued];
    check(Bound::LightOrAll(3), &rows, || leader_goes(true));
}

/// Two calls at once, each of which wakes a leader if it calls somebody.
#[test]
fn all_are_notified_twice() {
    check(Bound::LightOrAll(3), &[Row::IsMoved, Row::IsWoken], || {
        let shared = Shared::new(0);
        let mut waits = [(), (), ()]
            .map(|()| Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap())));
        let giver = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.more.notify_all()
        });
        shared.more.notify_all();
        join([giver]);
        for wait in &mut waits {
            // Those that lead are woken, and the others by the mutex.
            assert_eq!(wait.alarm.calls(), 1);
            assert!(wait.poll().is_ready());
        }
        shared.assert_at_rest(0);
    });
}

/// One of those that a call is about goes, and another comes, which it is not about.
#[test]
fn who_comes_after_a_call_began_waits() {
    check(Bound::LightOrAll(3), &[Row::IsMoved, Row::Leaves], || {
        let shared = Shared::new(0);
        let wait = || Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
        let mut waits = [wait(), wait()];
        let last = wait();
        let giver = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.more.notify_all()
        });
        let has_begun = shared.more.waiter_count() < 3;
        drop(last);
        if has_begun {
            let late = wait();
            join([giver]);
            assert_eq!(shared.more.waiter_count(), 1);
            drop(late);
        } else {
            join([giver]);
        }
        for wait in &mut waits {
            assert!(wait.poll().is_ready());
        }
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
    check(Bound::LightOrAll(3), &[Row::IsMoved, Row::Leaves], || {
        mutex_goes(Condvar::notify_all, true);
    });
}

#[test]
fn mutex_goes_after_all_were_notified() {
    check(Bound::LightOrAll(3), &[Row::IsMoved, Row::Leaves], || {
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
        let mut goes = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
        let mut stays = Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
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

/// One that was led to the mutex and is its heir goes: the next one has the mutex.
#[test]
fn heir_goes_that_came_from_the_condvar() {
    check(Bound::All, &[Row::LedIsWokenAndGoes], || {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        let mut waits = [(), ()].map(|()| {
            let guard = mutex.try_lock().expect("it is free");
            Hand::waiting(condvar.wait(guard))
        });
        condvar.notify_all();
        let [first, second] = &mut waits;
        let Poll::Ready(guard) = first.poll() else {
            panic!("it leads");
        };
        let mut third = Hand::waiting(mutex.lock());
        assert_eq!(second.alarm.calls(), 0);
        drop(guard);
        assert_eq!(second.alarm.calls(), 1);
        drop(waits);
        assert_eq!(third.alarm.calls(), 1);
        assert!(third.poll().is_ready());
    });
}

/// Those that were led to the mutex go from there: the one in its queue, the other when it has
/// come in vain. What comes after them has the mutex.
#[test]
fn those_that_were_led_go() {
    let rows = [Row::LedLeaves, Row::LockingGoes];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new(0);
        let wait = || Hand::waiting(shared.more.wait(shared.tokens.try_lock().unwrap()));
        let (mut leader, mut first, second) = (wait(), wait(), wait());
        shared.more.notify_all();
        let Poll::Ready(guard) = leader.poll() else {
            panic!("it leads");
        };
        let mut last = Hand::waiting(shared.tokens.lock());
        let holder = thread::spawn({
            let shared = Arc::clone(&shared);
            move || drop(shared.tokens.try_lock())
        });
        drop(guard);
        assert_eq!(first.alarm.calls(), 1);
        drop(first.poll());
        drop(second);
        drop(first);
        join([holder]);
        assert_eq!(last.alarm.calls(), 1);
        assert!(last.poll().is_ready());
        shared.assert_at_rest(0);
    });
}

/// Who was to lead, and is alone by now, does not lead those of another mutex to its own.
#[test]
fn late_leader_leaves_those_of_another_mutex() {
    check(Bound::All, &[], || {
        let (mutexes, condvar) = ([(), ()].map(Mutex::new), Condvar::new());
        let wait = |mutex: usize| {
            let guard = mutexes[mutex].try_lock().expect("it is free");
            Hand::waiting(condvar.wait(guard))
        };
        let mut late = wait(0);
        condvar.notify_all();
        let (mut leader, mut led) = (wait(1), wait(1));
        condvar.notify_all();
        assert!(late.poll().is_ready());
        assert_eq!(led.alarm.calls(), 0, "it waits for the other mutex");
        let Poll::Ready(guard) = leader.poll() else {
            panic!("it leads");
        };
        drop(guard);
        assert_eq!(led.alarm.calls(), 1);
        assert!(led.poll().is_ready());
    });
}
