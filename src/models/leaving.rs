//! Models of waits that are dropped while another thread wakes them: each primitive has to take
//! their waiters back from the mailbox of their home, or tell it that they are counted no more.
//!
//! A waiter that is not taken back ends the process when it is dropped.

use std::sync::Arc;

use loom::thread;

use super::{Bound, Hand, block_on, check, join, rows::Row};
use crate::{
    Barrier, CancellationToken, Condvar, CondvarWait, Event, Latch, Mutex, Notify, OnceCell,
    RwLock, Semaphore,
    waiter_queue::{Kind, Runtime},
};

/// So many waits of tasks, made by `$wait`, go while another thread does `$wake`.
macro_rules! go {
    ($count:literal, $new:expr, $wait:expr, $wake:expr, $waiters:expr) => {{
        let runtime = Runtime::new();
        let waker = runtime.waker(Kind::Task);
        let shared = Arc::new($new($count));
        let wake = $wake(&shared);
        let waits = [(); $count].map(|()| {
            let mut wait = Hand::new($wait(&*shared));
            assert!(wait.poll_with(&waker).is_pending());
            wait
        });
        runtime.drain_if_rung();
        let other = thread::spawn(move || wake());
        drop(waits);
        join([other]);
        assert_eq!($waiters(&*shared), 0);
    }};
}

/// One of them is counted, if there is only one.
macro_rules! one_goes {
    ($($what:tt)*) => {
        check(
            Bound::All,
            &[Row::IsCounted, Row::TakesCounted, Row::Leaves],
            move || go!(1, $($what)*),
        )
    };
}

/// Two that are woken at once are sent, or posted.
macro_rules! two_go {
    ($comes:ident, $takes:ident, $($what:tt)*) => {
        check(
            Bound::Light(2),
            &[Row::$comes, Row::$takes, Row::Leaves],
            move || go!(2, $($what)*),
        )
    };
}

/// What another thread does to what it shares.
macro_rules! with {
    ($does:expr) => {
        |shared: &Arc<_>| {
            let shared = Arc::clone(shared);
            move || {
                let _ = $does(&*shared);
            }
        }
    };
}

macro_rules! models {
    ($($name:ident: $new:expr, $wait:expr, $does:expr, $waiters:expr;)*) => {$(
        #[test]
        fn $name() {
            one_goes!($new, $wait, with!($does), $waiters);
            two_go!(IsSent, TakesSent, $new, $wait, with!($does), $waiters);
        }
    )*};
}

models! {
    barrier: |n: usize| Barrier::new(n + 1), Barrier::wait,
        |barrier: &Barrier| Hand::new(barrier.wait()).poll().is_ready(), Barrier::waiter_count;
    cell: |_| OnceCell::new(), OnceCell::wait, |cell: &OnceCell<()>| cell.set(()),
        OnceCell::waiter_count;
    event: |_| Event::new(), Event::wait, Event::set, Event::waiter_count;
    latch: |_| Latch::new(1), Latch::wait, Latch::count_down, Latch::waiter_count;
    notify: |_| Notify::new(), Notify::notified, Notify::notify_waiters, Notify::waiter_count;
    token: |_| CancellationToken::new(), CancellationToken::cancelled, CancellationToken::cancel,
        CancellationToken::waiter_count;
}

#[test]
fn semaphore() {
    let give = || with!(|semaphore: &Semaphore| semaphore.add_permits(2));
    let new = |_| Semaphore::new(0);
    one_goes!(new, Semaphore::acquire, give(), Semaphore::waiter_count);
    two_go!(
        IsPosted,
        TakesMail,
        new,
        Semaphore::acquire,
        give(),
        Semaphore::waiter_count
    );
}

/// Only one is woken at a time, the heir.
#[test]
fn mutex() {
    one_goes!(
        |_| Mutex::new(()),
        Mutex::lock,
        |mutex: &Arc<Mutex<()>>| {
            let guard = mutex.try_lock_owned();
            move || drop(guard)
        },
        Mutex::waiter_count
    );
}

#[test]
fn rwlock() {
    one_goes!(
        |_| RwLock::new(()),
        RwLock::write,
        unlock,
        RwLock::waiter_count
    );
    two_go!(
        IsPosted,
        TakesMail,
        |_| RwLock::new(()),
        RwLock::read,
        unlock,
        RwLock::waiter_count
    );
}

fn unlock(lock: &Arc<RwLock<()>>) -> impl FnOnce() + use<> {
    let guard = lock.try_write_owned();
    move || drop(guard)
}

type Watched = (Mutex<()>, Condvar);

fn watch(shared: &Watched) -> CondvarWait<'_, ()> {
    shared.1.wait(shared.0.try_lock().unwrap())
}

#[test]
fn condvar() {
    let new = |_| (Mutex::new(()), Condvar::new());
    let waiters = |shared: &Watched| shared.1.waiter_count();
    one_goes!(
        new,
        watch,
        with!(|shared: &Watched| shared.1.notify_one()),
        waiters
    );
    one_goes!(
        new,
        watch,
        with!(|shared: &Watched| shared.1.notify_all()),
        waiters
    );
    two_go!(
        IsSent,
        TakesSent,
        new,
        watch,
        with!(|shared: &Watched| shared.1.notify_all()),
        waiters
    );
}

/// A candidate for the turn of another thread, whose attempt fails.
#[test]
fn candidate() {
    let rows = [Row::IsCounted, Row::TakesCounted, Row::Leaves];
    check(Bound::LightOrAll(3), &rows, || {
        let runtime = Runtime::new();
        let waker = runtime.waker(Kind::Task);
        let cell = Arc::new(OnceCell::<()>::new());
        let attempt = async || Err::<(), ()>(());
        let other = thread::spawn({
            let cell = Arc::clone(&cell);
            move || assert!(block_on(cell.get_or_try_init(attempt)).is_err())
        });
        runtime.drain_if_rung();
        let mut wait = Hand::new(cell.get_or_try_init(attempt));
        let _is_done = wait.poll_with(&waker);
        drop(wait);
        join([other]);
        assert_eq!(cell.waiter_count(), 0);
    });
}
