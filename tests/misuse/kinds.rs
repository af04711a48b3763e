//! One of each kind of wait, so that what is shown is shown of all of them.

use std::{
    future::{pending, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex as StdMutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use super::common::{Hand, keep};
use compio_sync::{
    Barrier, CancellationToken, Condvar, Event, Latch, Lazy, Mutex, Notify, OnceCell,
    OwnedRwLockUpgradableReadGuard, RwLock, RwLockUpgradableReadGuard, Semaphore, WaitGroup,
};

pub(crate) type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something to wait for, at most once at a time.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    wait: Box<dyn Fn() -> Wait + Send + Sync>,
    wake: Box<dyn Fn() + Send + Sync>,
    at_rest: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Kind {
    fn new<F: Future + Send + 'static>(
        name: &'static str,
        wait: impl Fn() -> F + Send + Sync + 'static,
        wake: impl Fn() + Send + Sync + 'static,
        at_rest: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            wait: Box::new(move || Box::pin(Unit(Box::pin(wait())))),
            wake: Box::new(wake),
            at_rest: Box::new(at_rest),
        }
    }

    /// A new wait. What it gives is dropped when it is ready.
    pub(crate) fn wait(&self) -> Wait {
        (self.wait)()
    }

    /// Lets the wait through.
    pub(crate) fn wake(&self) {
        (self.wake)();
    }

    /// Whether nobody waits and nothing is locked.
    pub(crate) fn is_at_rest(&self) -> bool {
        (self.at_rest)()
    }
}

/// The future as it is, but for what it gives.
struct Unit<F>(Pin<Box<F>>);

impl<F: Future> Future for Unit<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx).map(drop)
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Something that is held until it is let go of, from any thread.
fn held<T>(value: Option<T>) -> (impl Fn() + Send + Sync, impl Fn() -> bool + Send + Sync)
where
    T: Send + 'static,
{
    assert!(value.is_some(), "it was free");
    let held: &'static StdMutex<_> = keep(StdMutex::new(value));
    // Some platforms make a lock when it is first taken.
    drop(held.lock());
    let let_go = || drop(held.lock().unwrap().take());
    (let_go, || held.lock().unwrap().is_some())
}

/// For what is locked by a guard until it is woken.
fn locked<T: Send + 'static, F: Future + Send + 'static>(
    name: &'static str,
    guard: Option<T>,
    wait: impl Fn() -> F + Send + Sync + 'static,
    state: impl Fn() -> (bool, usize) + Send + Sync + 'static,
) -> Kind {
    let (let_go, is_held) = held(guard);
    Kind::new(name, wait, let_go, move || {
        let (is_locked, waiters) = state();
        is_locked == is_held() && waiters == 0
    })
}

/// One of each kind.
pub(crate) fn kinds() -> Vec<Kind> {
    let mut kinds = gates();
    kinds.extend(locks());
    kinds.extend(owned());
    kinds
}

/// Those that have a share of the ownership.
fn owned() -> Vec<Kind> {
    let semaphore = keep(Arc::new(Semaphore::new(0)));
    let mutex = keep(Arc::new(Mutex::new(())));
    let [for_read, for_write, for_both, for_upgrade] =
        [(); 4].map(|()| keep(Arc::new(RwLock::new(()))));
    let state = |lock: &'static RwLock<()>| move || (lock.is_locked(), lock.waiter_count());
    let notify = keep(Arc::new(Notify::new()));
    let [token, other_token] = [(); 2].map(|()| keep(CancellationToken::new()));
    vec![
        Kind::new(
            "acquire_owned",
            || semaphore.acquire_owned(),
            || semaphore.add_permits(1),
            || semaphore.waiter_count() == 0,
        ),
        locked(
            "lock_owned",
            mutex.try_lock_owned(),
            || mutex.lock_owned(),
            || (mutex.is_locked(), mutex.waiter_count()),
        ),
        locked(
            "read_owned",
            for_read.try_write_owned(),
            || for_read.read_owned(),
            state(for_read),
        ),
        locked(
            "write_owned",
            for_write.try_write_owned(),
            || for_write.write_owned(),
            state(for_write),
        ),
        locked(
            "upgradable_read_owned",
            for_both.try_write_owned(),
            || for_both.upgradable_read_owned(),
            state(for_both),
        ),
        locked(
            "upgrade of an owned guard",
            for_upgrade.try_read_owned(),
            || {
                OwnedRwLockUpgradableReadGuard::upgrade(
                    for_upgrade.try_upgradable_read_owned().unwrap(),
                )
            },
            state(for_upgrade),
        ),
        Kind::new(
            "notified_owned",
            || notify.notified_owned(),
            || notify.notify_one(),
            || notify.waiter_count() == 0,
        ),
        Kind::new(
            "cancelled_owned",
            || token.clone().cancelled_owned(),
            || token.cancel(),
            || token.waiter_count() == 0,
        ),
        Kind::new(
            "run_until_cancelled_owned",
            || {
                other_token
                    .clone()
                    .run_until_cancelled_owned(pending::<()>())
            },
            || other_token.cancel(),
            || other_token.waiter_count() == 0,
        ),
    ]
}

fn locks() -> Vec<Kind> {
    let semaphore = keep(Semaphore::new(0));
    let mutex = keep(Mutex::new(()));
    let [for_read, for_write, for_both, for_upgrade] = [(); 4].map(|()| keep(RwLock::new(())));
    let state = |lock: &'static RwLock<()>| move || (lock.is_locked(), lock.waiter_count());
    let (condition, condvar) = keep((Mutex::new(()), Condvar::new()));
    vec![
        Kind::new(
            "acquire",
            || semaphore.acquire(),
            || semaphore.add_permits(1),
            || semaphore.waiter_count() == 0,
        ),
        locked(
            "lock",
            mutex.try_lock(),
            || mutex.lock(),
            || (mutex.is_locked(), mutex.waiter_count()),
        ),
        locked(
            "read",
            for_read.try_write(),
            || for_read.read(),
            state(for_read),
        ),
        locked(
            "write",
            for_write.try_write(),
            || for_write.write(),
            state(for_write),
        ),
        locked(
            "upgradable_read",
            for_both.try_write(),
            || for_both.upgradable_read(),
            state(for_both),
        ),
        locked(
            "upgrade",
            for_upgrade.try_read(),
            || RwLockUpgradableReadGuard::upgrade(for_upgrade.try_upgradable_read().unwrap()),
            state(for_upgrade),
        ),
        Kind::new(
            "Condvar::wait",
            || condvar.wait(condition.try_lock().unwrap()),
            || condvar.notify_one(),
            || !condition.is_locked() && condition.waiter_count() + condvar.waiter_count() == 0,
        ),
        Kind::new(
            "Condvar::wait_while",
            || {
                let mut looks = 0;
                condvar.wait_while(condition.try_lock().unwrap(), move |()| {
                    looks += 1;
                    looks == 1
                })
            },
            || condvar.notify_all(),
            || !condition.is_locked() && condition.waiter_count() + condvar.waiter_count() == 0,
        ),
    ]
}

fn gates() -> Vec<Kind> {
    let notify = keep(Notify::new());
    let event = keep(Event::new());
    let barrier = keep(Barrier::new(2));
    let cell = keep(OnceCell::new());
    let turns = keep(OnceCell::new());
    let (stop_turn, _) = held(Some(Hand::waiting(turns.get_or_init(pending))));
    let tries = keep(OnceCell::new());
    let (stop_try, _) = held(Some(Hand::waiting(
        tries.get_or_try_init(pending::<Result<i32, ()>>),
    )));
    let open = keep(AtomicBool::new(false));
    let lazy = keep(Lazy::new(async || {
        poll_fn(|_| {
            if open.load(SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }));
    let mut first = Box::pin(lazy.get());
    assert!(poll(first.as_mut()).is_pending());
    let (stop_lazy, _) = held(Some(first));
    let [token, other_token] = [(); 2].map(|()| keep(CancellationToken::new()));
    let latch = keep(Latch::new(1));
    let group = keep(WaitGroup::new());
    let (end_group, _) = held(Some(group.add()));
    vec![
        Kind::new(
            "notified",
            || notify.notified(),
            || notify.notify_one(),
            || notify.waiter_count() == 0,
        ),
        Kind::new(
            "Event::wait",
            || event.wait(),
            || {
                event.set();
            },
            || event.waiter_count() == 0,
        ),
        Kind::new(
            "Barrier::wait",
            || barrier.wait(),
            || assert!(poll(pin!(barrier.wait())).is_ready()),
            || barrier.waiter_count() == 0,
        ),
        Kind::new(
            "OnceCell::wait",
            || cell.wait(),
            || cell.set(1).unwrap(),
            || cell.waiter_count() == 0,
        ),
        Kind::new(
            "get_or_init",
            || turns.get_or_init(async || 1),
            stop_turn,
            || turns.waiter_count() == 0,
        ),
        Kind::new(
            "get_or_try_init",
            || tries.get_or_try_init(async || Ok::<_, ()>(1)),
            stop_try,
            || tries.waiter_count() == 0,
        ),
        Kind::new(
            "Lazy::get",
            || lazy.get(),
            move || {
                open.store(true, SeqCst);
                stop_lazy();
            },
            || lazy.waiter_count() == 0,
        ),
        Kind::new(
            "cancelled",
            || token.cancelled(),
            || token.cancel(),
            || token.waiter_count() == 0,
        ),
        Kind::new(
            "run_until_cancelled",
            || other_token.run_until_cancelled(pending::<()>()),
            || other_token.cancel(),
            || other_token.waiter_count() == 0,
        ),
        Kind::new(
            "Latch::wait",
            || latch.wait(),
            || {
                latch.count_down();
            },
            || latch.waiter_count() == 0,
        ),
        Kind::new(
            "WaitGroup::wait",
            || group.wait(),
            end_group,
            || group.waiter_count() == 0,
        ),
    ]
}
