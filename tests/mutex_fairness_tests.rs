//! Who gets the mutex: bounded unfairness.

mod common;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Barrier},
    thread,
};

use common::{Hand, probe::woken, runtime, spawn, watchdog, yield_now};
use compio_sync::Mutex;

/// What the docs promise: a woken waiter is overtaken at most so often.
const OVERTAKES: usize = 64;
/// And so often if it comes in vain each time.
const PATIENCE: usize = 3;

#[test]
fn waiters_are_woken_one_at_a_time_in_order() {
    let _dog = watchdog();
    let mutex = Mutex::new(());
    let mut guard = mutex.try_lock();
    let mut waits: Vec<_> = (0..5).map(|_| Hand::waiting(mutex.lock())).collect();
    assert_eq!(mutex.waiter_count(), 5);
    for i in 0..5 {
        drop(guard);
        assert_eq!(woken(&waits), (0..=i).collect::<Vec<_>>());
        guard = Some(waits[i].expect_ready());
        assert_eq!(mutex.waiter_count(), 4 - i);
    }
    drop(guard);
    assert!(waits.iter().all(|wait| wait.wakes() == 1));
    assert!(!mutex.is_locked());
}

#[test]
fn a_woken_waiter_is_overtaken_so_often_and_no_more() {
    let _dog = watchdog();
    let mutex = Mutex::new(());
    let guard = mutex.try_lock();
    let mut wait = Hand::waiting(mutex.lock());
    drop(guard);
    assert_eq!(wait.wakes(), 1);
    for _ in 0..OVERTAKES {
        let overtaker = mutex.try_lock();
        assert!(overtaker.is_some());
        drop(overtaker);
    }
    assert!(
        mutex.try_lock().is_none(),
        "kept for the waiter from now on"
    );
    assert!(mutex.is_locked());
    let mut newcomer = Hand::waiting(mutex.lock());
    drop(wait.expect_ready());
    assert_eq!(wait.wakes(), 1);
    drop(newcomer.expect_ready());
    assert!(!mutex.is_locked());
}

#[test]
fn a_waiter_that_comes_in_vain_again_and_again_is_handed_the_lock() {
    let _dog = watchdog();
    let mutex = Mutex::new(());
    let guard = mutex.try_lock();
    let mut first = Hand::waiting(mutex.lock());
    let mut second = Hand::waiting(mutex.lock());
    drop(guard);
    for times in 1..=PATIENCE {
        let overtaker = mutex.try_lock();
        assert!(overtaker.is_some(), "not kept before");
        first.expect_pending();
        assert_eq!(mutex.waiter_count(), 2);
        drop(overtaker);
        assert_eq!(
            (first.wakes(), second.wakes()),
            (1 + times, 0),
            "still before the second"
        );
    }
    assert!(mutex.try_lock().is_none());
    second.expect_pending();
    drop(first.expect_ready());
    // The second has not come in vain yet: it may be overtaken again.
    assert!(second.is_woken());
    drop(mutex.try_lock().unwrap());
    drop(second.expect_ready());
}

#[test]
fn a_waiter_that_was_overtaken_before_it_came_in_vain_is_handed_the_lock() {
    let _dog = watchdog();
    // So often before; the last time it comes in vain.
    for before in [PATIENCE - 1, PATIENCE, OVERTAKES - 1] {
        let mutex = Mutex::new(());
        let guard = mutex.try_lock();
        let mut wait = Hand::waiting(mutex.lock());
        drop(guard);
        for _ in 0..before {
            drop(mutex.try_lock().expect("not kept before"));
        }
        let overtaker = mutex.try_lock();
        assert!(overtaker.is_some());
        wait.expect_pending();
        drop(overtaker);
        assert!(mutex.try_lock().is_none(), "kept after {before}");
        drop(wait.expect_ready());
        assert!(!mutex.is_locked());
    }
}

/// It comes in vain once, after so many have overtaken it, and is then left to be overtaken.
#[test]
fn a_waiter_that_came_in_vain_is_counted_on() {
    let _dog = watchdog();
    for before in 0..PATIENCE - 1 {
        let mutex = Mutex::new(());
        let guard = mutex.try_lock();
        let mut wait = Hand::waiting(mutex.lock());
        drop(guard);
        for _ in 0..before {
            drop(mutex.try_lock().expect("not kept before"));
        }
        let overtaker = mutex.try_lock();
        wait.expect_pending();
        drop(overtaker);
        let mut overtaken = before + 1;
        while let Some(overtaker) = mutex.try_lock() {
            overtaken += 1;
            drop(overtaker);
        }
        assert_eq!(overtaken, OVERTAKES, "it came in vain after {before}");
        drop(wait.expect_ready());
        assert!(!mutex.is_locked());
    }
}

/// Who comes in vain goes: the next has its count, or nobody.
#[test]
fn the_count_of_a_waiter_that_leaves_goes_to_the_next_and_to_nobody_else() {
    let _dog = watchdog();
    for next_waits in [true, false] {
        let mutex = Mutex::new(());
        let guard = mutex.try_lock();
        let mut leaves = Hand::waiting(mutex.lock());
        let next = next_waits.then(|| Hand::waiting(mutex.lock()));
        drop(guard);
        let mut overtaker = None;
        for _ in 0..PATIENCE {
            drop(overtaker.take());
            overtaker = mutex.try_lock();
            assert!(overtaker.is_some());
            leaves.expect_pending();
        }
        drop(leaves);
        let mut next = next.unwrap_or_else(|| Hand::waiting(mutex.lock()));
        drop(overtaker);
        assert!(next.is_woken());
        assert_eq!(mutex.is_locked(), next_waits, "kept for who inherits it");
        drop(next.expect_ready());
        assert!(!mutex.is_locked());
    }
}

#[test]
fn every_waiter_gets_the_lock_within_the_bound() {
    let _dog = watchdog();
    let mutex = Mutex::new(());
    let guard = mutex.try_lock();
    let mut waits: Vec<_> = (0..10).map(|_| Hand::waiting(mutex.lock())).collect();
    drop(guard);
    let mut others = 0;
    for (i, wait) in waits.iter_mut().enumerate() {
        // A busy task takes the lock whenever it can, and the waiters come as late as
        // they may.
        while let Some(greedy) = mutex.try_lock() {
            others += 1;
            drop(greedy);
        }
        drop(wait.expect_ready());
        others += 1;
        assert!(
            others <= (OVERTAKES + 1) * (i + 1),
            "{others} before {}",
            i + 2
        );
    }
    assert!(!mutex.is_locked());
}

#[compio::test]
async fn a_busy_task_does_not_starve_the_others() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(()));
    let done = Rc::new(RefCell::new(false));
    let busy = spawn({
        let (mutex, done) = (mutex.clone(), done.clone());
        async move {
            let mut turns = 0;
            while !*done.borrow() {
                let guard = mutex.lock().await;
                yield_now().await;
                drop(guard);
                turns += 1;
            }
            turns
        }
    });
    for _ in 0..20 {
        drop(mutex.lock().await);
        yield_now().await;
    }
    *done.borrow_mut() = true;
    assert!(busy.await.unwrap() > 0);
}

/// A task that another thread has woken for a mutex looks again when it next finds that taken, and
/// asks for it. If both are in vain it waits as others do, before who comes later.
#[test]
fn who_asks_in_vain_waits() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(()));
    let [goes_on, is_taken, unlocks] = [(); 3].map(|()| Barrier::new(2));
    let held = mutex.try_lock().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let task = || {
                let mutex = mutex.clone();
                async move { drop(mutex.lock().await) }
            };
            runtime().block_on(async {
                spawn(task()).await.unwrap();
                goes_on.wait();
                is_taken.wait();
                let mut asks = Hand::waiting(mutex.lock());
                let mut waits = Hand::waiting(mutex.lock());
                assert_eq!(mutex.waiter_count(), 2);
                unlocks.wait();
                unlocks.wait();
                assert_eq!((asks.wakes(), waits.wakes()), (1, 0));
                assert!(!mutex.is_locked(), "it was not overtaken");
                drop(asks.expect_ready());
                assert_eq!(waits.wakes(), 1);
                drop(waits.expect_ready());
            });
        });
        while mutex.waiter_count() == 0 {
            thread::yield_now();
        }
        drop(held);
        goes_on.wait();
        let held = mutex.try_lock().expect("nobody has it");
        is_taken.wait();
        unlocks.wait();
        drop(held);
        unlocks.wait();
    });
    assert!(!mutex.is_locked());
}

#[test]
fn try_lock_takes_a_free_lock_past_a_waiter() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(()));
    let guard = mutex.try_lock();
    let mut wait = Hand::waiting(mutex.lock());
    drop(guard);
    let owned = mutex.try_lock_owned();
    assert!(owned.is_some());
    assert!(mutex.try_lock_owned().is_none());
    drop(owned);
    drop(wait.expect_ready());
}
