//! Wakers that panic, that call back, or that are wrapped: nobody else pays for it.

mod common;

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex as StdMutex, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use common::{
    Act, Hand, Probe, in_runtime, keep, on_another_thread, panic_message, probe::woken, settle,
    spawn, until, watchdog,
};
use compio_runtime::{CancelToken, FutureExt as _};
use compio_sync::{Condvar, Event, Mutex, Notify, Semaphore};
use futures_util::FutureExt as _;

/// A probe whose wakers panic when `act` is done to them.
fn panicking(act: Act) -> Arc<Probe> {
    let probe = Probe::with_hook(move |now| match now {
        // The crate stops it, and keeps what it was raised with: so with nothing.
        Act::Wake | Act::Drop if now == act => std::panic::resume_unwind(Box::new(())),
        _ => assert!(now != act, "on purpose"),
    });
    // Who has wakers of it that must not be dropped forgets them.
    keep(probe.clone());
    probe
}

/// Enough that some are woken directly and some through a mailbox.
const MANY: usize = 100;

#[test]
fn a_waker_that_panics_when_called_harms_neither_notifier_nor_others() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let test = || {
        let mut waits: Vec<_> = (0..MANY)
            .map(|i| {
                let probe = if i % 3 == 1 {
                    panicking(Act::Wake)
                } else {
                    Probe::new()
                };
                let mut wait = Hand::with_probe(semaphore.acquire(), probe);
                wait.expect_pending();
                wait
            })
            .collect();
        on_another_thread(|| semaphore.add_permits(MANY));
        waits
            .iter_mut()
            .for_each(|wait| wait.expect_ready().forget());
        waits
    };
    let waits = test();
    assert_eq!(woken(&waits).len(), MANY);
    in_runtime(async || {
        settle().await;
        test();
        settle().await;
        test();
    });
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (0, 0)
    );
}

#[test]
fn a_waker_that_panics_when_called_does_not_stop_the_mailbox() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let notify = Notify::new();
        for _ in 0..3 {
            let waits: Vec<_> = (0..MANY)
                .map(|_| {
                    let mut wait = Hand::with_probe(notify.notified(), panicking(Act::Wake));
                    wait.expect_pending();
                    wait
                })
                .collect();
            on_another_thread(|| notify.notify_waiters());
            until(|| woken(&waits).len() == MANY).await;
        }
    });
}

#[test]
fn a_waker_that_panics_when_cloned_fails_its_own_poll_only() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut first = Hand::waiting(semaphore.acquire());
    let mut bad = Hand::with_probe(semaphore.acquire(), panicking(Act::Clone));
    assert_eq!(panic_message(|| bad.poll()), "on purpose");
    assert_eq!(semaphore.waiter_count(), 1);
    // Also when it replaces one while it waits.
    let mut moved = Hand::waiting(semaphore.acquire());
    moved.set_waker(panicking(Act::Clone).waker());
    assert_eq!(panic_message(|| moved.poll()), "on purpose");
    assert_eq!(semaphore.waiter_count(), 2);
    semaphore.add_permits(2);
    drop((bad, moved));
    first.expect_ready().forget();
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_waker_that_panics_when_cloned_fails_every_kind_of_wait_cleanly() {
    let _dog = watchdog();
    let (mutex, condvar, notify, event) =
        (Mutex::new(0), Condvar::new(), Notify::new(), Event::new());
    let bad = || panicking(Act::Clone);
    assert_eq!(
        panic_message(|| Hand::with_probe(notify.notified(), bad()).poll()),
        "on purpose"
    );
    assert_eq!(
        panic_message(|| Hand::with_probe(event.wait(), bad()).poll()),
        "on purpose"
    );
    let guard = mutex.try_lock().unwrap();
    assert_eq!(
        panic_message(|| drop(Hand::with_probe(condvar.wait(guard), bad()).poll())),
        "on purpose"
    );
    let guard = mutex.try_lock().expect("the guard went with the future");
    assert_eq!(
        panic_message(|| drop(Hand::with_probe(mutex.lock(), bad()).poll())),
        "on purpose"
    );
    drop(guard);
    assert!(!mutex.is_locked());
    assert_eq!(mutex.waiter_count() + condvar.waiter_count(), 0);
    assert_eq!(notify.waiter_count() + event.waiter_count(), 0);
}

#[test]
fn an_heir_whose_waker_panics_when_cloned_does_not_take_the_lock_with_it() {
    let _dog = watchdog();
    let mutex = Mutex::new(0);
    let guard = mutex.try_lock();
    let mut heir = Hand::waiting(mutex.lock());
    let mut next = Hand::waiting(mutex.lock());
    drop(guard);
    assert!(heir.is_woken());
    let overtaker = mutex.try_lock();
    // It comes in vain, and would have to wait again.
    heir.set_waker(panicking(Act::Clone).waker());
    assert_eq!(panic_message(|| drop(heir.poll())), "on purpose");
    drop(heir);
    drop(overtaker);
    drop(next.expect_ready());
    for _ in 0..100 {
        assert!(mutex.try_lock().is_some(), "kept for nobody");
    }
}

#[test]
fn an_heir_whose_waker_panicked_when_cloned_can_be_polled_again() {
    let _dog = watchdog();
    let mutex = Mutex::new(0);
    let guard = mutex.try_lock();
    let mut heir = Hand::waiting(mutex.lock());
    drop(guard);
    let overtaker = mutex.try_lock();
    heir.set_waker(panicking(Act::Clone).waker());
    assert_eq!(panic_message(|| drop(heir.poll())), "on purpose");
    let probe = Probe::new();
    heir.set_waker(probe.waker());
    heir.expect_pending();
    drop(overtaker);
    assert_eq!(probe.wakes(), 1);
    drop(heir.expect_ready());
    assert!(!mutex.is_locked());
}

#[test]
fn a_condvar_waiter_whose_waker_panicked_when_cloned_passes_its_notification_on() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let mut first = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    let mut second = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    condvar.notify_one();
    let overtaker = mutex.try_lock();
    first.set_waker(panicking(Act::Clone).waker());
    assert_eq!(panic_message(|| drop(first.poll())), "on purpose");
    drop(first);
    drop(overtaker);
    drop(second.expect_ready());
    assert!(!mutex.is_locked());
}

#[test]
fn a_waker_that_panics_when_dropped_loses_nothing_but_its_own_wait() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    // Each in its own state, dropped with the panic: the hand holds a waker itself, whose drop
    // panics first of all, so only the future is dropped here.
    let drop_in = |prepare: &dyn Fn()| {
        let probe = panicking(Act::Drop);
        let mut future = Box::pin(semaphore.acquire());
        let waker = std::mem::ManuallyDrop::new(probe.waker());
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut cx).is_pending());
        prepare();
        std::panic::catch_unwind(AssertUnwindSafe(|| drop(future))).is_err()
    };
    let mut next = Hand::new(semaphore.acquire());
    assert!(drop_in(&|| ()), "dropped while queued, its drop panics");
    assert_eq!(semaphore.waiter_count(), 0);
    semaphore.add_permits(1);
    let held = next.expect_ready();
    assert!(
        !drop_in(&|| semaphore.add_permits(1)),
        "woken, it was used up"
    );
    assert_eq!(semaphore.available_permits(), 1);
    drop(held);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn a_waker_that_panics_when_dropped_in_the_mailbox_passes_on_what_it_was_woken_for() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let crowd = Notify::new();
        let waits: Vec<_> = (0..MANY).map(|_| Hand::waiting(crowd.notified())).collect();
        on_another_thread(|| crowd.notify_waiters());

        let (semaphore, mutex) = (Semaphore::new(0), Mutex::new(0));
        let probe = panicking(Act::Drop);
        let waker = std::mem::ManuallyDrop::new(probe.waker());
        let mut cx = std::task::Context::from_waker(&waker);
        let mut permit = Box::pin(semaphore.acquire());
        assert!(permit.as_mut().poll(&mut cx).is_pending());
        let guard = mutex.try_lock();
        let mut lock = Box::pin(mutex.lock());
        assert!(lock.as_mut().poll(&mut cx).is_pending());
        on_another_thread(|| {
            semaphore.add_permits(1);
            drop(guard);
        });
        assert_eq!(probe.wakes(), 0, "in the mailbox");
        let _may_panic = std::panic::catch_unwind(AssertUnwindSafe(|| drop(permit)));
        let _may_panic = std::panic::catch_unwind(AssertUnwindSafe(|| drop(lock)));
        assert_eq!(semaphore.available_permits(), 1);
        for _ in 0..100 {
            assert!(mutex.try_lock().is_some(), "kept for nobody");
        }
        drop(waits);
    });
}

#[test]
fn a_waker_may_use_the_primitive_that_calls_it() {
    let _dog = watchdog();
    type Shared = (Semaphore, Mutex<u32>, Condvar, Notify, Event);
    let shared: Arc<Shared> = Arc::new((
        Semaphore::new(0),
        Mutex::new(0),
        Condvar::new(),
        Notify::new(),
        Event::new(),
    ));
    let calls = Arc::new(AtomicUsize::new(0));
    let probe = || {
        let (shared, calls) = (shared.clone(), calls.clone());
        Probe::with_hook(move |_| {
            // Nothing may be locked while a waker is called, cloned or dropped.
            let (semaphore, mutex, condvar, notify, event) = &*shared;
            semaphore.add_permits(1);
            drop(semaphore.try_acquire());
            let _free = semaphore.forget_permits(1);
            drop(mutex.try_lock());
            condvar.notify_one();
            condvar.notify_all();
            assert!(format!("{shared:?}").contains("waiter_count"));
            let _was = event.is_set();
            let mut wait = Box::pin(notify.notified());
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            let _ready = wait.as_mut().poll(&mut cx);
            drop(wait);
            let mut wait = Box::pin(semaphore.acquire());
            let _ready = wait.as_mut().poll(&mut cx).is_ready();
            calls.fetch_add(1, SeqCst);
        })
    };
    for _ in 0..50 {
        let (semaphore, mutex, condvar, notify, event) = &*shared;
        let guard = mutex.try_lock();
        let mut permit = Hand::with_probe(semaphore.acquire_many(100).fuse(), probe());
        let mut lock = Hand::with_probe(mutex.lock().fuse(), probe());
        let mut told = Hand::with_probe(notify.notified(), probe());
        let mut set = Hand::with_probe(event.wait(), probe());
        let _ = permit.poll().is_ready();
        let _ = lock.poll().is_ready();
        let (_, _) = (told.poll(), set.poll());
        drop(guard);
        let mut wait = Hand::with_probe(condvar.wait(mutex.try_lock().unwrap()), probe());
        let _ = wait.poll().is_ready();
        condvar.notify_all();
        // Changes of the waker while they wait.
        for waker in [probe().waker(), probe().waker()] {
            permit.set_waker(waker.clone());
            lock.set_waker(waker.clone());
            told.set_waker(waker.clone());
            let _ = permit.poll().is_ready();
            let _ = lock.poll().is_ready();
            let _ = told.as_mut().enable();
        }
        semaphore.add_permits(100);
        notify.notify_waiters();
        notify.notify_one();
        event.set();
        event.reset();
        drop((permit, lock, told, set, wait));
        semaphore.forget_permits(usize::MAX);
    }
    assert!(calls.load(SeqCst) > 500);
    assert_eq!(shared.0.waiter_count() + shared.3.waiter_count(), 0);
    assert!(shared.1.try_lock().is_some());
}

#[test]
fn a_waker_may_drop_or_poll_another_wait_of_the_same_queue() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(0));
    let others = Arc::new(StdMutex::new(Vec::new()));
    let got = Arc::new(AtomicUsize::new(0));
    let probe = Probe::with_hook({
        let (others, got) = (others.clone(), got.clone());
        move |act| {
            if act == Act::Wake {
                let mut others = std::mem::take(&mut *others.lock().unwrap());
                for (i, other) in others.iter_mut().enumerate() {
                    let other: &mut Hand<compio_sync::AcquireOwned> = other;
                    if i % 2 == 0
                        && let std::task::Poll::Ready(permit) = other.poll()
                    {
                        permit.forget();
                        got.fetch_add(1, SeqCst);
                    }
                }
                drop(others);
            }
        }
    });
    let mut first = Hand::with_probe(semaphore.acquire_owned(), probe);
    first.expect_pending();
    others
        .lock()
        .unwrap()
        .extend((0..MANY).map(|_| Hand::waiting(semaphore.acquire_owned())));
    semaphore.add_permits(MANY / 2);
    assert_eq!(semaphore.waiter_count(), 0);
    first.expect_ready().forget();
    assert_eq!(
        semaphore.available_permits() + got.load(SeqCst),
        MANY / 2 - 1
    );
}

#[test]
fn a_waker_may_queue_its_own_next_wait() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    let again = Arc::new(OnceLock::new());
    let probe = Probe::with_hook({
        let (notify, again) = (notify.clone(), again.clone());
        move |act| {
            if act == Act::Wake {
                let wait = Hand::waiting(notify.clone().notified_owned());
                assert!(again.set(StdMutex::new(wait)).is_ok());
            }
        }
    });
    let mut wait = Hand::with_probe(notify.notified(), probe);
    wait.expect_pending();
    notify.notify_one();
    wait.expect_ready();
    assert_eq!(notify.waiter_count(), 1);
    notify.notify_one();
    again.get().unwrap().lock().unwrap().expect_ready();
}

#[test]
fn no_waker_leaks_or_is_dropped_twice() {
    let _dog = watchdog();
    let probe = Probe::new();
    in_runtime(async || {
        settle().await;
        let (semaphore, notify) = (Semaphore::new(0), Notify::new());
        let waits: Vec<_> = (0..MANY)
            .map(|_| {
                let mut wait = Hand::with_probe(semaphore.acquire(), probe.clone());
                wait.expect_pending();
                wait
            })
            .collect();
        let told: Vec<_> = (0..MANY)
            .map(|_| {
                let mut wait = Hand::with_probe(notify.notified(), probe.clone());
                wait.expect_pending();
                wait
            })
            .collect();
        on_another_thread(|| {
            semaphore.add_permits(MANY / 2);
            notify.notify_waiters();
        });
        drop(waits);
        until(|| probe.wakes() >= MANY / 2).await;
        drop(told);
    });
    assert_eq!(Arc::strong_count(&probe), 1);
    // Each hand's own waker was dropped besides.
    assert_eq!(probe.clones() + 2 * MANY, probe.wakes() + probe.drops());
}

#[test]
fn waits_under_a_cancel_token_are_woken_and_cancelled() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let semaphore = Arc::new(Semaphore::new(0));
        let tasks: Vec<_> = (0..MANY)
            .map(|_| {
                let semaphore = semaphore.clone();
                let token = CancelToken::new();
                spawn(async move {
                    let wait = async { semaphore.acquire().await.forget() };
                    wait.with_cancel(token).await
                })
            })
            .collect();
        until(|| semaphore.waiter_count() == MANY).await;
        on_another_thread(|| semaphore.add_permits(MANY));
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(
            (semaphore.available_permits(), semaphore.waiter_count()),
            (0, 0)
        );
    });
}
