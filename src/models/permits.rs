//! Models of the permit core, through the semaphore.

use std::{sync::Arc, task::Poll};

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::Semaphore;

/// At rest: so many are free, and they can be had, so no `QUEUED` was left behind.
fn assert_at_rest(semaphore: &Semaphore, permits: usize) {
    assert_eq!(semaphore.waiter_count(), 0);
    assert_eq!(semaphore.available_permits(), permits);
    assert!(semaphore.try_acquire_many(permits).is_some());
    assert!(semaphore.try_acquire_many(permits + 1).is_none());
}

fn take_turns(threads: usize, times: usize) {
    let shared = Arc::new((Semaphore::new(1), Cell::new()));
    let run = move |shared: &(Semaphore, Cell)| {
        for _ in 0..times {
            let _permit = block_on(shared.0.acquire());
            shared.1.change();
        }
    };
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || run(&shared))
        })
        .collect();
    run(&shared);
    for other in others {
        other.join().unwrap();
    }
    assert_at_rest(&shared.0, 1);
}

#[test]
fn two_take_turns() {
    let rows = [
        Row::PermitsTaken,
        Row::PermitsGiven,
        Row::AskedOfNone,
        Row::GivenToQueue,
        Row::NobodyLeft,
        Row::Enters,
        Row::IsWoken,
        Row::TakesWake,
    ];
    check(Bound::All, &rows, || take_turns(2, 1));
}

#[test]
fn two_take_turns_twice() {
    check(Bound::Light(3), &[], || take_turns(2, 2));
}

#[test]
fn three_take_turns() {
    check(Bound::Light(2), &[Row::Distributed], || take_turns(3, 1));
}

#[test]
fn threads_block() {
    check(Bound::LightOrAll(3), &[], || {
        let shared = Arc::new((Semaphore::new(1), Cell::new()));
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _permit = shared.0.blocking_acquire();
                shared.1.change();
            }
        });
        {
            let _permit = shared.0.blocking_acquire();
            shared.1.change();
        }
        join([other]);
        assert_at_rest(&shared.0, 1);
    });
}

/// What each of those did who gave is ordered before what the taker does.
#[test]
fn head_collects_from_two() {
    let rows = [Row::AskedOfNone, Row::AskedOfTooFew, Row::IsWoken];
    check(Bound::Light(2), &rows, || {
        let shared = Arc::new((Semaphore::new(0), [Cell::new(), Cell::new()]));
        let givers = [0, 1].map(|at| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1[at].change();
                shared.0.add_permits(1);
            })
        });
        let permit = block_on(shared.0.acquire_many(2));
        shared.1.iter().for_each(Cell::change);
        drop(permit);
        join(givers);
        assert_at_rest(&shared.0, 2);
    });
}

#[test]
fn releases_are_collected() {
    check(Bound::Light(2), &[], || {
        let shared = Arc::new((Semaphore::new(2), Cell::new()));
        let givers = [(), ()].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let _permit = block_on(shared.0.acquire());
                shared.1.look();
            })
        });
        let permit = block_on(shared.0.acquire_many(2));
        shared.1.change();
        drop(permit);
        join(givers);
        assert_at_rest(&shared.0, 2);
    });
}

/// What it had collected goes to the next.
#[test]
fn cancelled_while_collecting() {
    let rows = [Row::AskedOfTooFew, Row::Leaves, Row::NobodyLeft];
    check(Bound::All, &rows, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let collects = Hand::waiting(semaphore.acquire_many(2));
        let other = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || drop(block_on(semaphore.acquire()))
        });
        drop(collects);
        join([other]);
        assert_at_rest(&semaphore, 1);
    });
}

#[test]
fn cancelled_while_more_comes() {
    check(Bound::Light(2), &[Row::Leaves, Row::NobodyLeft], || {
        let semaphore = Arc::new(Semaphore::new(1));
        let collects = Hand::waiting(semaphore.acquire_many(2));
        let giver = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.add_permits(1)
        });
        let other = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || drop(block_on(semaphore.acquire_many(2)))
        });
        drop(collects);
        join([giver, other]);
        assert_at_rest(&semaphore, 2);
    });
}

#[test]
fn cancelled_while_granted() {
    let rows = [Row::Leaves, Row::IsWoken, Row::TakesWake];
    check(Bound::Light(2), &rows, || {
        let shared = Arc::new((Semaphore::new(0), Cell::new()));
        let cancelled = Hand::waiting(shared.0.acquire());
        let giver = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.1.change();
                shared.0.add_permits(1);
            }
        });
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _permit = block_on(shared.0.acquire());
                shared.1.change();
            }
        });
        drop(cancelled);
        join([giver, other]);
        assert_at_rest(&shared.0, 1);
    });
}

#[test]
fn forgotten_and_added_again() {
    let rows = [Row::PermitsTaken, Row::PermitsGiven, Row::NobodyLeft];
    check(Bound::All, &rows, || {
        let shared = Arc::new((Semaphore::new(1), Cell::new()));
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _permit = block_on(shared.0.acquire());
                shared.1.change();
            }
        });
        if shared.0.forget_permits(1) == 1 {
            shared.1.change();
            shared.0.add_permits(1);
        }
        join([other]);
        assert_at_rest(&shared.0, 1);
    });
}

#[test]
fn in_the_order_of_coming() {
    check(Bound::All, &[Row::Leaves, Row::IsWoken], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut first = Hand::waiting(semaphore.acquire());
        let second = Hand::waiting(semaphore.acquire());
        let mut third = Hand::waiting(semaphore.acquire());
        let giver = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || {
                semaphore.add_permits(1);
                semaphore.add_permits(1);
            }
        });
        drop(second);
        let early = third.poll();
        let mut permits = Vec::new();
        if early.is_ready() {
            let first = first.poll();
            assert!(first.is_ready(), "the third comes before the first");
            permits.extend([first, early]);
        }
        join([giver]);
        if permits.is_empty() {
            permits.extend([first.poll(), third.poll()]);
        }
        assert!(permits.iter().all(|permit| permit.is_ready()));
        drop(permits);
        assert_at_rest(&semaphore, 2);
    });
}

#[test]
fn nobody_gets_in_between() {
    check(Bound::All, &[], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut waits = Hand::waiting(semaphore.acquire());
        let giver = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.add_permits(1)
        });
        assert!(semaphore.try_acquire().is_none());
        join([giver]);
        assert_eq!(waits.alarm.calls(), 1);
        assert!(waits.poll().is_ready());
        assert_at_rest(&semaphore, 1);
    });
}

/// More are woken than one batch holds.
#[test]
fn many_at_once() {
    check(Bound::LightOrAll(3), &[Row::Leaves], || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut waiting = [(), (), ()].map(|()| Hand::waiting(semaphore.acquire()));
        let giver = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.add_permits(3)
        });
        // One goes, another comes, behind all others.
        drop(Hand::new(semaphore.acquire()).poll());
        waiting[2] = Hand::new(semaphore.acquire());
        join([giver]);
        for waiting in &mut waiting {
            let Poll::Ready(permit) = waiting.poll() else {
                panic!("three waiters, three permits");
            };
            permit.forget();
        }
        assert_eq!(semaphore.available_permits(), 0);
        semaphore.add_permits(3);
        drop(waiting);
        assert_at_rest(&semaphore, 3);
    });
}

/// What is given by who has not seen yet that somebody waits belongs to who waits, and cannot be
/// forgotten.
#[test]
fn promised_ones_are_not_forgotten() {
    check(Bound::All, &[Row::GivenToQueue, Row::Distributed], || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.try_acquire_owned();
        let mut waits = Hand::new(semaphore.acquire());
        let giver = thread::spawn(move || drop(permit));
        let mut taken = waits.poll();
        assert_eq!(semaphore.forget_permits(1), 0);
        join([giver]);
        if taken.is_pending() {
            assert_eq!(waits.alarm.calls(), 1);
            taken = waits.poll();
        }
        assert!(taken.is_ready());
        drop(taken);
        assert_at_rest(&semaphore, 1);
    });
}

/// Two give while one comes who wants both, and who is to see what each of them did. One of them
/// may not have seen the waiter yet, or see one that has gone.
fn two_give_to_one(one_has_gone: bool) {
    let semaphore = Arc::new(Semaphore::new(2));
    let cells = Arc::new([Cell::new(), Cell::new()]);
    let permits = [semaphore.try_acquire_owned(), semaphore.try_acquire_owned()];
    if one_has_gone {
        drop(Hand::waiting(semaphore.acquire()));
    }
    let mut at = 0;
    let givers = permits.map(|permit| {
        let cells = Arc::clone(&cells);
        at += 1;
        thread::spawn(move || {
            cells[at - 1].change();
            drop(permit);
        })
    });
    let both = block_on(semaphore.acquire_many(2));
    cells.iter().for_each(Cell::change);
    drop(both);
    join(givers);
    assert_at_rest(&semaphore, 2);
}

#[test]
fn two_give_to_one_that_comes() {
    let rows = [Row::GivenToQueue, Row::AskedOfTooFew, Row::Distributed];
    check(Bound::Light(3), &rows, || two_give_to_one(false));
}

#[test]
fn two_give_after_one_has_gone() {
    check(Bound::Light(3), &[Row::NobodyLeft], || {
        two_give_to_one(true)
    });
}
