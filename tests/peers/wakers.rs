//! Wakers that come back to the primitive.

use std::sync::{Arc, atomic::AtomicUsize, atomic::Ordering::SeqCst};

use super::common::{Act, Hand, Probe, watchdog};
use compio_sync::{
    Barrier, CancellationToken, Condvar, Event, Latch, Mutex, Notify, OnceCell, RwLock, Semaphore,
    WaitGroup,
};

/// Calls `act` when a waker is dropped and when it is called: while a wait changes its waker,
/// is woken, and goes.
fn with_wakers_that_act<T, F: Future>(
    primitive: &Arc<T>,
    act: fn(&T),
    wait: impl Fn() -> F,
    wake: impl Fn(),
) where
    T: Send + Sync + 'static,
{
    let acted = Arc::new(AtomicUsize::new(0));
    let probe = || {
        let (primitive, acted) = (primitive.clone(), acted.clone());
        Probe::with_hook(move |what| {
            if what != Act::Clone {
                act(&primitive);
                acted.fetch_add(1, SeqCst);
            }
        })
    };
    let mut changes = Hand::with_probe(wait(), probe());
    let _first = changes.poll();
    let mut goes = Hand::with_probe(wait(), probe());
    let _first = goes.poll();
    changes.set_waker(probe().waker());
    let _again = changes.poll();
    drop(goes);
    wake();
    drop(changes);
    assert!(acted.load(SeqCst) >= 4, "the wakers have acted");
}

/// tokio 5429, asyncband 125 and 189: a waker that uses the primitive when it is dropped or
/// called deadlocks, since that happens under the primitive's lock.
#[test]
fn tokio_5429_wakers_that_use_the_primitive_do_not_deadlock() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    with_wakers_that_act(
        &notify,
        Notify::notify_waiters,
        || notify.clone().notified_owned(),
        || notify.notify_one(),
    );
    let semaphore = Arc::new(Semaphore::new(0));
    with_wakers_that_act(
        &semaphore,
        |semaphore| semaphore.add_permits(1),
        || semaphore.acquire_many_owned(100),
        || semaphore.add_permits(100),
    );
    let event = Arc::new(Event::new());
    with_wakers_that_act(
        &event,
        |event| {
            event.set();
        },
        || event.wait(),
        || {
            event.set();
        },
    );
    let mutex = Arc::new(Mutex::new(()));
    let guard = std::cell::Cell::new(mutex.try_lock());
    with_wakers_that_act(
        &mutex,
        |mutex| drop(mutex.try_lock()),
        || mutex.lock_owned(),
        || drop(guard.take()),
    );
    let rwlock = Arc::new(RwLock::new(()));
    let guard = std::cell::Cell::new(rwlock.try_write());
    with_wakers_that_act(
        &rwlock,
        |rwlock| drop((rwlock.try_read(), rwlock.try_write())),
        || rwlock.read_owned(),
        || drop(guard.take()),
    );
    let both = Arc::new((Mutex::new(()), Condvar::new()));
    with_wakers_that_act(
        &both,
        |(mutex, condvar)| {
            condvar.notify_all();
            drop(mutex.try_lock());
        },
        || both.1.wait(both.0.try_lock().unwrap()),
        || both.1.notify_one(),
    );
    let token = Arc::new(CancellationToken::new());
    with_wakers_that_act(
        &token,
        |token| {
            token.cancel();
        },
        || token.cancelled(),
        || {
            token.cancel();
        },
    );
    let latch = Arc::new(Latch::new(1));
    with_wakers_that_act(
        &latch,
        |latch| {
            latch.count_down();
        },
        || latch.wait(),
        || {
            latch.count_down();
        },
    );
    let group = Arc::new(WaitGroup::new());
    let guard = std::cell::Cell::new(Some(group.add()));
    with_wakers_that_act(
        &group,
        |group| drop(group.add()),
        || group.wait(),
        || drop(guard.take()),
    );
    let cell = Arc::new(OnceCell::new());
    with_wakers_that_act(
        &cell,
        |cell| {
            let _refused = cell.set(());
        },
        || cell.wait(),
        || {
            let _refused = cell.set(());
        },
    );
    let barrier = Arc::new(Barrier::new(3));
    with_wakers_that_act(
        &barrier,
        |barrier| {
            let _first = Hand::new(barrier.wait()).poll();
        },
        || barrier.wait(),
        || {
            // However many wait, one of three makes it full.
            let mut three = [0; 3].map(|_| Hand::new(barrier.wait()));
            assert!(three.iter_mut().any(|hand| hand.poll().is_ready()));
        },
    );
}
