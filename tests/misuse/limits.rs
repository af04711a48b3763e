//! Counts that would not fit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::common::{Hand, panic_message, watchdog};
use compio_sync::{Barrier, Latch, Semaphore, SemaphorePermit};

#[test]
fn more_permits_than_there_can_be_are_refused_everywhere() {
    let _dog = watchdog();
    const MAX: usize = Semaphore::MAX_PERMITS;
    let refused = |what: &dyn Fn()| assert!(panic_message(what).contains("semaphore"));
    refused(&|| drop(Semaphore::new(MAX + 1)));
    let semaphore = Semaphore::new(MAX);
    refused(&|| semaphore.add_permits(1));
    refused(&|| semaphore.add_permits(usize::MAX));
    refused(&|| drop(semaphore.acquire_many(MAX + 1)));
    assert!(semaphore.try_acquire_many(MAX + 1).is_none());
    assert!(semaphore.try_acquire_many(usize::MAX).is_none());
    assert_eq!(semaphore.available_permits(), MAX);
    assert_eq!(semaphore.forget_permits(usize::MAX), MAX);
    // Made in the place of some that are taken: too many when these come back.
    semaphore.add_permits(1);
    let permit = semaphore.try_acquire();
    semaphore.add_permits(MAX);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(permit))).is_err());
    assert_eq!(semaphore.available_permits(), MAX);
}

#[test]
fn a_refused_request_can_wait_for_all_there_can_be() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(1);
    let mut all = Hand::waiting(semaphore.acquire_many(Semaphore::MAX_PERMITS));
    semaphore.add_permits(Semaphore::MAX_PERMITS - 1);
    let permit: SemaphorePermit<'_> = all.expect_ready();
    assert_eq!(permit.num_permits(), Semaphore::MAX_PERMITS);
}

#[test]
fn a_latch_refuses_a_count_that_is_too_large_and_a_barrier_takes_any() {
    let _dog = watchdog();
    for count in [Latch::MAX_COUNT + 1, usize::MAX] {
        let refused = panic_message(|| drop(Latch::new(count)));
        assert!(refused.contains("Latch::MAX_COUNT"));
    }
    let latch = Latch::new(Latch::MAX_COUNT);
    let mut wait = Hand::waiting(latch.wait());
    assert!(!latch.count_down_by(Latch::MAX_COUNT - 1));
    wait.expect_pending();
    assert!(latch.count_down_by(usize::MAX), "it stops at zero");
    assert_eq!(latch.count(), 0);
    wait.expect_ready();
    let barrier = Barrier::new(usize::MAX);
    let mut waits: Vec<_> = (0..10).map(|_| Hand::waiting(barrier.wait())).collect();
    waits.iter_mut().for_each(Hand::expect_pending);
    assert_eq!(barrier.waiter_count(), 10);
}
