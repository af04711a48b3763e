//! Futures that are polled when they should not be, and dropped where they were not polled.

use std::sync::Arc;

use super::{
    common::{
        Hand, in_runtime, on_another_thread, on_each_road, panic_message, settle, spawn, until,
        watchdog,
    },
    kinds::kinds,
};
use compio_sync::{Mutex, Semaphore};

/// Of each kind; `Lazy::get` is an `async fn`, and says so in the compiler's words.
#[test]
fn what_is_polled_after_it_was_ready_panics_and_can_still_be_dropped() {
    let _dog = watchdog();
    for kind in kinds() {
        eprintln!("{}", kind.name);
        let mut hand = Hand::waiting(kind.wait());
        kind.wake();
        hand.expect_ready();
        assert!(kind.is_at_rest());
        for _ in 0..2 {
            let message = panic_message(|| hand.poll());
            let expected = match kind.name {
                "Lazy::get" => "`async fn` resumed after",
                _ => "a future was polled after it was ready",
            };
            assert!(message.starts_with(expected), "{message}");
        }
        drop(hand);
        assert!(kind.is_at_rest());
    }
}

/// Of each kind, in each state.
#[test]
fn a_future_may_be_dropped_on_another_thread() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for kind in kinds() {
            eprintln!("{}", kind.name);
            let mut never_polled = Some(kind.wait());
            if kind.name.starts_with("upgrade ")
                || kind.name == "upgrade"
                || kind.name.starts_with("Condvar")
            {
                // It has a guard, and there is only one.
                let gone = never_polled.take();
                on_another_thread(|| drop(gone));
            }
            let waits = road.wait(kind.wait());
            on_another_thread(|| drop(waits));
            assert!(kind.is_at_rest());
            let woken = road.wait(kind.wait());
            road.send(|| kind.wake());
            on_another_thread(|| drop((woken, never_polled)));
            assert!(kind.is_at_rest());
        }
    });
}

/// Of each kind: what is given to a future that nobody polls, or that is dropped, is there for
/// the next. Those behind it are in the tests of cancellation.
#[test]
fn a_future_may_be_polled_on_one_thread_after_another() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for kind in kinds() {
            eprintln!("{}", kind.name);
            let mut wait = Hand::new(kind.wait());
            on_another_thread(|| wait.expect_pending());
            wait.expect_pending();
            road.send(|| kind.wake());
            on_another_thread(|| wait.expect_ready());
            assert!(kind.is_at_rest());
        }
    });
}

#[test]
fn a_guard_or_permit_may_be_dropped_on_another_thread() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let (mutex, semaphore) = (Arc::new(Mutex::new(1)), Arc::new(Semaphore::new(1)));
        let (guard, permit) = (mutex.lock().await, semaphore.acquire().await);
        let waits = spawn({
            let (mutex, semaphore) = (mutex.clone(), semaphore.clone());
            async move {
                let _permit = semaphore.acquire().await;
                *mutex.lock().await += 1;
            }
        });
        until(|| semaphore.waiter_count() == 1).await;
        on_another_thread(move || drop((guard, permit)));
        waits.await.unwrap();
        assert_eq!(*mutex.lock().await, 2);
    });
}
