//! Who wakes all that wait, and is held up in the middle of it, wakes nobody who came later, however
//! often others have woken all meanwhile.

mod common;

use std::{
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use common::{Act, Hand, Probe, is_slow, keep, watchdog};
use compio_sync::{Barrier, Event, Notify, WaitGroup};

/// More than are woken in one go, so that the rest is still to be woken when the first is.
const WAITS: usize = 40;
/// More than half of what 16 bits can count.
const ROUNDS: usize = 40_000;

/// Queues `WAITS` waits and calls `wake_all`. When the first of them is woken, the others are woken
/// by other calls, `between` of which there are many, and then comes one more wait: it stays.
fn held_up<F: Future<Output: Debug> + Send + 'static>(
    wait: impl Fn() -> F + Send + Sync + 'static,
    wake_all: impl FnOnce(),
    between: impl Fn() + Send + Sync + 'static,
) {
    let late = Arc::new(Mutex::new(None));
    let wait = Arc::new(wait);
    let probe = Probe::with_hook({
        let (is_first, late, wait) = (AtomicBool::new(true), late.clone(), wait.clone());
        move |act| {
            if act == Act::Wake && is_first.swap(false, SeqCst) {
                (0..ROUNDS).for_each(|_| between());
                *late.lock().unwrap() = Some(Hand::waiting(wait()));
            }
        }
    });
    let mut waits: Vec<_> = (0..WAITS)
        .map(|_| {
            let mut hand = Hand::with_probe(wait(), probe.clone());
            assert!(hand.poll().is_pending());
            hand
        })
        .collect();
    wake_all();
    for wait in &mut waits {
        wait.expect_ready();
    }
    let mut late = late.lock().unwrap().take().expect("one came late");
    assert_eq!(late.wakes(), 0, "woken by a call from before it came");
    late.expect_pending();
}

#[test]
fn a_wait_group() {
    static GROUP: WaitGroup = WaitGroup::new();
    let _dog = watchdog();
    let guard = GROUP.add();
    let last = keep(Mutex::new(None));
    held_up(
        || GROUP.wait(),
        || drop(guard),
        || {
            let mut last = last.lock().unwrap();
            // Of the round before.
            drop(last.replace(GROUP.add()));
            let mut wait = Hand::waiting(GROUP.wait());
            drop(last.take());
            wait.expect_ready();
            *last = Some(GROUP.add());
        },
    );
}

#[test]
fn a_barrier() {
    static BARRIER: Barrier = Barrier::new(WAITS + 1);
    let _dog = watchdog();
    if is_slow() {
        return; // So many waits, of a queue that is like the others.
    }
    let last = || Hand::new(BARRIER.wait()).expect_ready();
    held_up(
        || BARRIER.wait(),
        || assert!(last().is_leader()),
        move || {
            let mut waits: Vec<_> = (0..WAITS).map(|_| Hand::waiting(BARRIER.wait())).collect();
            last();
            for wait in &mut waits {
                wait.expect_ready();
            }
        },
    );
    assert_eq!(BARRIER.waiter_count(), 0);
}

#[test]
fn an_event() {
    static EVENT: Event = Event::new();
    let _dog = watchdog();
    held_up(
        || EVENT.wait(),
        || {
            EVENT.set();
        },
        || {
            EVENT.reset();
            let mut wait = Hand::waiting(EVENT.wait());
            EVENT.set();
            wait.expect_ready();
            EVENT.reset();
        },
    );
}

#[test]
fn a_notifier() {
    static NOTIFY: Notify = Notify::new();
    let _dog = watchdog();
    held_up(
        || NOTIFY.notified(),
        || NOTIFY.notify_waiters(),
        || {
            let mut wait = Hand::waiting(NOTIFY.notified());
            NOTIFY.notify_waiters();
            wait.expect_ready();
        },
    );
}
