//! Models of the mutex.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    task::{RawWaker, RawWakerVTable, Waker},
};

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::Mutex;

/// At rest: free, nobody waits, and whoever waits next is cared for, so no bit was
/// left behind.
pub(super) fn assert_at_rest(mutex: &Mutex<Cell>) {
    assert!(!mutex.is_locked());
    assert_eq!(mutex.waiter_count(), 0);
    let guard = mutex.try_lock().expect("it is free");
    let mut next = Hand::waiting(mutex.lock());
    drop(guard);
    assert_eq!(next.alarm.calls(), 1);
    assert!(
        !mutex.is_locked(),
        "it has not come in vain, nor was it overtaken"
    );
    assert!(next.poll().is_ready());
    assert!(!mutex.is_locked());
}

fn lock(mutex: &Mutex<Cell>) {
    block_on(mutex.lock()).change();
}

fn take_turns(threads: usize, times: usize) {
    let mutex = Arc::new(Mutex::new(Cell::new()));
    let run = move |mutex: &Mutex<Cell>| (0..times).for_each(|_| lock(mutex));
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || run(&mutex))
        })
        .collect();
    run(&mutex);
    for other in others {
        other.join().unwrap();
    }
    assert_at_rest(&mutex);
}

#[test]
fn two_take_turns() {
    let rows = [
        Row::Locks,
        Row::QueuesFirst,
        Row::Unlocks,
        Row::MakesHeir,
        Row::HeirTakesFree,
    ];
    check(Bound::All, &rows, || take_turns(2, 1));
}

#[test]
fn two_take_turns_thrice() {
    let rows = [
        Row::Overtakes,
        Row::UnlocksForHeir,
        Row::HeirInVain,
        Row::MakesHeirAgain,
        Row::HeirTakesKept,
    ];
    check(Bound::Light(3), &rows, || take_turns(2, 3));
}

#[test]
fn three_take_turns() {
    check(Bound::Light(2), &[Row::HeirInVain], || take_turns(3, 1));
}

#[test]
fn three_take_turns_twice() {
    check(Bound::Light(1), &[], || take_turns(3, 2));
}

/// One that waits is overtaken by another thread so long that the lock is kept for it.
#[test]
fn kept_for_the_heir() {
    let rows = [Row::KeepsForHeir, Row::HeirTakesKept, Row::UnlocksForHeir];
    check(Bound::LightOrAll(3), &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let waits = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || lock(&mutex)
        });
        drop(guard);
        for _ in 0..3 {
            if let Some(guard) = mutex.try_lock() {
                guard.change();
            }
        }
        join([waits]);
        assert_at_rest(&mutex);
    });
}

/// The heir goes, at any moment, while others come and overtake.
fn heir_goes(times: usize) {
    let mutex = Arc::new(Mutex::new(Cell::new()));
    let guard = mutex.try_lock().unwrap();
    let goes = Hand::waiting(mutex.lock());
    let mut stays = Hand::waiting(mutex.lock());
    drop(guard);
    assert_eq!(goes.alarm.calls(), 1);
    let other = thread::spawn({
        let mutex = Arc::clone(&mutex);
        move || {
            for _ in 0..times {
                if let Some(guard) = mutex.try_lock() {
                    guard.change();
                }
            }
        }
    });
    drop(goes);
    join([other]);
    assert_eq!(stays.alarm.calls(), 1, "the next is not woken");
    assert!(stays.poll().is_ready());
    assert_at_rest(&mutex);
}

#[test]
fn heir_goes_and_the_next_comes() {
    let rows = [Row::HeirGoesNext, Row::Overtakes];
    check(Bound::All, &rows, || heir_goes(1));
}

#[test]
fn heir_goes_to_whom_the_lock_is_kept() {
    let rows = [
        Row::KeepsForHeir,
        Row::HeirGoesKept,
        Row::HeirGoesKeptMeanwhile,
    ];
    check(Bound::LightOrAll(3), &rows, || heir_goes(2));
}

#[test]
fn last_heir_goes() {
    let rows = [Row::HeirGoesFree, Row::HeirGoesLocked, Row::LastLeaves];
    check(Bound::LightOrAll(3), &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let goes = Hand::waiting(mutex.lock());
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || lock(&mutex)
        });
        drop(guard);
        drop(goes);
        join([other]);
        assert_at_rest(&mutex);
    });
}

#[test]
fn waiter_goes() {
    let rows = [Row::Leaves, Row::LastLeaves, Row::QueuesFirst];
    check(Bound::All, &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let goes = Hand::waiting(mutex.lock());
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || drop(Hand::new(mutex.lock()).poll())
        });
        drop(goes);
        guard.change();
        drop(guard);
        join([other]);
        assert_at_rest(&mutex);
    });
}

#[test]
fn waiters_go_while_it_is_unlocked() {
    check(Bound::Light(2), &[Row::Leaves, Row::LastLeaves], || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let goes = Hand::waiting(mutex.lock());
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || drop(Hand::new(mutex.lock()).poll())
        });
        let third = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || lock(&mutex)
        });
        drop(guard);
        drop(goes);
        join([other, third]);
        assert_at_rest(&mutex);
    });
}

/// Two that are polled when they were not woken.
#[test]
fn polled_in_vain() {
    check(Bound::LightOrAll(3), &[], || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let mut waits = Hand::waiting(mutex.lock());
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || lock(&mutex)
        });
        guard.change();
        drop(guard);
        let early = waits.poll().map(drop);
        join([other]);
        if early.is_pending() {
            assert_eq!(waits.alarm.calls(), 2, "woken in vain, and again");
            assert!(waits.poll().is_ready());
        }
        drop(waits);
        assert_at_rest(&mutex);
    });
}

fn overtake(mutex: &Arc<Mutex<Cell>>) -> thread::JoinHandle<()> {
    let mutex = Arc::clone(mutex);
    thread::spawn(move || {
        if let Some(guard) = mutex.try_lock() {
            guard.change();
        }
    })
}

/// The heir comes in vain: it is the first again, and is woken next.
pub(super) fn heir_in_vain(before_it_comes: impl Fn(&Mutex<Cell>)) {
    let mutex = Arc::new(Mutex::new(Cell::new()));
    let guard = mutex.try_lock().unwrap();
    let mut heir = Hand::waiting(mutex.lock());
    let mut next = Hand::waiting(mutex.lock());
    drop(guard);
    before_it_comes(&mutex);
    let other = overtake(&mutex);
    let early = heir.poll().map(drop);
    join([other]);
    if early.is_pending() {
        assert_eq!((heir.alarm.calls(), next.alarm.calls()), (2, 0));
        assert!(heir.poll().is_ready());
    }
    assert_eq!(next.alarm.calls(), 1);
    assert!(next.poll().is_ready());
    drop((heir, next));
    assert_at_rest(&mutex);
}

#[test]
fn heir_in_vain_stays_first() {
    let rows = [Row::HeirInVain, Row::MakesHeirAgain];
    check(Bound::All, &rows, || heir_in_vain(|_| {}));
}

/// The heir has been overtaken as often as it may be, however often it came: the lock is its.
#[test]
fn heir_in_vain_is_counted_on() {
    let rows = [Row::HeirInVain, Row::KeepsForStarved, Row::KeepsForHeir];
    check(Bound::LightOrAll(3), &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let mut heir = Hand::waiting(mutex.lock());
        drop(guard);
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || {
                let overtake = || mutex.try_lock().map(|guard| guard.change());
                (0..2).filter_map(|_| overtake()).count()
            }
        });
        let came = (0..2).any(|_| heir.alarm.calls() > 0 && heir.poll().map(drop).is_ready());
        let overtaken = other.join().unwrap();
        if !came {
            assert_eq!(
                mutex.is_locked(),
                overtaken == 2,
                "kept if it has been overtaken twice"
            );
            assert!(heir.poll().is_ready());
        }
        drop(heir);
        assert_at_rest(&mutex);
    });
}

/// Who waits behind the heir goes, and takes nothing with it of what the heir has.
#[test]
fn waiter_behind_the_heir_goes() {
    let rows = [Row::KeepsForHeir, Row::LastLeaves];
    check(Bound::LightOrAll(3), &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let mut heir = Hand::waiting(mutex.lock());
        let goes = Hand::waiting(mutex.lock());
        drop(guard);
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || (0..2).for_each(|_| mutex.try_lock().unwrap().change())
        });
        drop(goes);
        join([other]);
        assert!(mutex.is_locked(), "it was overtaken twice");
        assert!(heir.poll().is_ready());
        assert_at_rest(&mutex);
    });
}

/// The heir comes in vain and goes: the lock is kept for nobody then.
#[test]
fn heir_in_vain_goes() {
    let rows = [Row::HeirInVain, Row::LastLeaves];
    check(Bound::LightOrAll(3), &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let mut heir = Hand::waiting(mutex.lock());
        drop(guard);
        let other = overtake(&mutex);
        drop(heir.poll());
        drop(heir);
        join([other]);
        assert_at_rest(&mutex);
    });
}

/// A waker that panics when it is cloned, without a word: what is said of a panic is how
/// models fail.
fn panicking() -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |_| resume_unwind(Box::new("cloned")),
        |_| (),
        |_| (),
        |_| (),
    );
    // SAFETY: the functions do not use the pointer.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
}

/// The heir comes in vain, and its waker panics: it is the heir still, and comes again or goes.
fn waker_of_the_heir_panics(comes_again: bool) {
    let mutex = Arc::new(Mutex::new(Cell::new()));
    let guard = mutex.try_lock().unwrap();
    let mut heir = Hand::waiting(mutex.lock());
    let mut next = Hand::waiting(mutex.lock());
    drop(guard);
    let other = overtake(&mutex);
    let polled = catch_unwind(AssertUnwindSafe(|| {
        heir.poll_with(&panicking()).map(|guard| guard.change())
    }));
    match polled {
        Ok(poll) => assert!(poll.is_ready()),
        Err(_) if comes_again => {
            let early = heir.poll().map(|guard| guard.change());
            if early.is_pending() {
                join([other]);
                assert_eq!(heir.alarm.calls(), 2);
                assert!(heir.poll().is_ready());
                assert_eq!(next.alarm.calls(), 1);
                assert!(next.poll().is_ready());
                return;
            }
        }
        Err(_) => {}
    }
    drop(heir);
    join([other]);
    assert_eq!(next.alarm.calls(), 1, "the next is not woken");
    assert!(next.poll().is_ready());
    drop(next);
    assert_at_rest(&mutex);
}

#[test]
fn waker_of_the_heir_panics_and_it_comes_again() {
    check(Bound::All, &[Row::IsPutBack, Row::HeirInVain], || {
        waker_of_the_heir_panics(true);
    });
}

#[test]
fn waker_of_the_heir_panics_and_it_goes() {
    let rows = [Row::IsPutBack, Row::HeirGoesLocked, Row::HeirGoesNext];
    check(Bound::All, &rows, || waker_of_the_heir_panics(false));
}
