//! Panics of tasks, closures and wakers: each unlocks and gives back as a drop does.

use std::{
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Waker},
};

use super::{
    common::{Act, Hand, Probe, in_runtime, keep, on_each_road, panic_message, spawn, watchdog},
    kinds::kinds,
};
use compio_sync::{
    CancellationToken, Condvar, Lazy, MappedMutexGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, Mutex, MutexGuard, OnceCell, OwnedMappedMutexGuard,
    OwnedMappedRwLockReadGuard, OwnedMappedRwLockWriteGuard, OwnedMutexGuard, OwnedRwLockReadGuard,
    OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    Semaphore, WaitGroup,
};

#[test]
fn a_panic_with_guards_and_permits_in_hand_gives_them_back() {
    let _dog = watchdog();
    let (mutex, semaphore) = (Arc::new(Mutex::new(0)), Arc::new(Semaphore::new(3)));
    let mut lock = None;
    let mut permit = None;
    let message = panic_message(AssertUnwindSafe(|| {
        let _guard = OwnedMutexGuard::map(mutex.try_lock_owned().unwrap(), |n| n);
        let mut both = semaphore.try_acquire_many(3).unwrap();
        let _one = both.split(1);
        lock = Some(Hand::waiting(mutex.lock()));
        permit = Some(Hand::waiting(semaphore.acquire_many(2)));
        panic!("of the user");
    }));
    assert_eq!(message, "of the user");
    drop(lock.unwrap().expect_ready());
    drop(permit.unwrap().expect_ready());
    assert_eq!(semaphore.available_permits(), 3);
    assert!(!mutex.is_locked());
}

#[test]
fn a_panicking_task_gives_back_what_it_holds_and_leaves_the_queue() {
    let _dog = watchdog();
    in_runtime(async || {
        let semaphore = Arc::new(Semaphore::new(1));
        let panics = spawn({
            let semaphore = semaphore.clone();
            async move {
                let _permit = semaphore.acquire().await;
                let _queued = Hand::waiting(semaphore.acquire());
                panic!("of the task");
            }
        });
        assert!(panics.await.is_err());
        assert_eq!(semaphore.waiter_count(), 0);
        drop(semaphore.acquire().await);
    });
}

#[test]
fn a_panicking_closure_of_wait_while_unlocks() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(1), Condvar::new());
    let unlocks = |what: &dyn Fn()| {
        assert!(catch_unwind(AssertUnwindSafe(what)).is_err());
        assert!(!mutex.is_locked());
    };
    fn boom(_: &mut i32) -> &mut i32 {
        panic!("of the closure")
    }
    // At the first look, and at one after a notification, with another behind it.
    let wait = || condvar.wait_while(mutex.try_lock().unwrap(), |n| *boom(n) == 0);
    unlocks(&|| assert!(Hand::new(wait()).poll().is_ready()));
    let mut looks = 0;
    let mut second = Hand::waiting(condvar.wait_while(mutex.try_lock().unwrap(), |n| {
        looks += 1;
        looks == 1 || *boom(n) == 0
    }));
    let mut other = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    condvar.notify_all();
    assert_eq!(panic_message(|| second.poll().is_ready()), "of the closure");
    other.expect_pending();
    drop(second);
    drop(other.expect_ready());
}

/// Of all guards, mapped and not, borrowed and owned.
#[test]
fn a_panicking_closure_of_map_or_try_map_unlocks() {
    let _dog = watchdog();
    let (mutex, lock) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::new(1)));
    fn write(_: &mut i32) -> &mut i32 {
        panic!("of the closure")
    }
    fn read(_: &i32) -> &i32 {
        panic!("of the closure")
    }
    let unlocks = |what: &dyn Fn()| {
        assert_eq!(panic_message(what), "of the closure");
        assert!(!mutex.is_locked() && !lock.is_locked());
    };
    // One macro, since each guard is a type of its own.
    macro_rules! unlock {
        ($($guard:ident $make:expr, $map:ident;)*) => {$(
            unlocks(&|| drop($guard::map($make, $map)));
            unlocks(&|| drop($guard::try_map($make, |n| Some($map(n)))));
        )*};
    }
    let locked = || mutex.try_lock().unwrap();
    let locked_owned = || mutex.try_lock_owned().unwrap();
    let reader = || lock.try_read().unwrap();
    let reader_owned = || lock.try_read_owned().unwrap();
    let writer = || lock.try_write().unwrap();
    let writer_owned = || lock.try_write_owned().unwrap();
    unlock! {
        MutexGuard locked(), write;
        MappedMutexGuard MutexGuard::map(locked(), |n| n), write;
        OwnedMutexGuard locked_owned(), write;
        OwnedMappedMutexGuard OwnedMutexGuard::map(locked_owned(), |n| n), write;
        RwLockReadGuard reader(), read;
        MappedRwLockReadGuard RwLockReadGuard::map(reader(), |n| n), read;
        OwnedRwLockReadGuard reader_owned(), read;
        OwnedMappedRwLockReadGuard OwnedRwLockReadGuard::map(reader_owned(), |n| n), read;
        RwLockWriteGuard writer(), write;
        MappedRwLockWriteGuard RwLockWriteGuard::map(writer(), |n| n), write;
        OwnedRwLockWriteGuard writer_owned(), write;
        OwnedMappedRwLockWriteGuard OwnedRwLockWriteGuard::map(writer_owned(), |n| n), write;
    }
}

/// With the guards of everything else.
#[test]
fn a_panic_with_any_guard_in_hand_gives_it_back() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new((1, 2)));
    let group = Arc::new(WaitGroup::new());
    let token = CancellationToken::new();
    let unlocks = |what: &dyn Fn()| {
        assert_eq!(panic_message(what), "of the user");
        assert!(!lock.is_locked() && group.is_empty());
        assert_eq!(lock.waiter_count() + group.waiter_count(), 0);
    };
    unlocks(&|| {
        let _reader = RwLockReadGuard::map(lock.try_read().unwrap(), |both| &both.0);
        let _other = OwnedRwLockReadGuard::map(lock.try_read_owned().unwrap(), |both| &both.1);
        let _upgradable = lock.try_upgradable_read().unwrap();
        let _behind = Hand::waiting(lock.write());
        panic!("of the user");
    });
    unlocks(&|| {
        let _writer = RwLockWriteGuard::map(lock.try_write().unwrap(), |both| &mut both.0);
        let _behind = (Hand::waiting(lock.read()), Hand::waiting(lock.write()));
        panic!("of the user");
    });
    unlocks(&|| {
        let _reader = lock.try_read();
        let guard = lock.try_upgradable_read().unwrap();
        let _upgrade = Hand::waiting(RwLockUpgradableReadGuard::upgrade(guard));
        panic!("of the user");
    });
    unlocks(&|| {
        let _guards = (group.add(), group.add_owned());
        let _wait = Hand::waiting(group.wait());
        panic!("of the user");
    });
    unlocks(&|| {
        let _guard = token.clone().drop_guard();
        let _wait = Hand::waiting(token.cancelled());
        panic!("of the user");
    });
    assert!(token.is_cancelled(), "as each drop of its guard does");
    assert_eq!(token.waiter_count(), 0);
}

/// What runs the code of others, and lets its panics through: as if the future had been
/// dropped then.
#[test]
fn a_panicking_function_or_future_leaves_the_next_a_chance() {
    let _dog = watchdog();
    on_each_road(async |road| {
        fn boom() -> std::future::Ready<u8> {
            panic!("of the function")
        }
        let cell = OnceCell::new();
        assert_eq!(
            panic_message(|| Hand::new(cell.get_or_init(boom)).poll().is_ready()),
            "of the function"
        );
        let panics = async || -> u8 { panic!("of the future") };
        assert_eq!(
            panic_message(|| Hand::new(cell.get_or_init(panics)).poll().is_ready()),
            "of the future"
        );
        assert_eq!(Hand::new(cell.get_or_init(async || 1)).expect_ready(), &1);

        let calls = std::cell::Cell::new(0);
        let lazy = Lazy::new(async || {
            calls.set(calls.get() + 1);
            assert!(calls.get() > 1, "of the future");
            calls.get()
        });
        assert_eq!(
            panic_message(|| Hand::new(lazy.get()).poll().is_ready()),
            "of the future"
        );
        assert_eq!(Hand::new(lazy.get()).expect_ready(), &2);

        let token = CancellationToken::new();
        let mut looks = 0;
        let mut runs = road.wait(token.run_until_cancelled(std::future::poll_fn(|_| {
            looks += 1;
            assert!(looks < 2, "of the future");
            std::task::Poll::<()>::Pending
        })));
        assert_eq!(token.waiter_count(), 1);
        assert_eq!(panic_message(|| runs.poll().is_ready()), "of the future");
        drop(runs);
        assert_eq!(token.waiter_count(), 0);
    });
}

/// A probe whose wakers panic when `act` is done to them; but for the probe's own waker, which
/// the hand has.
fn panicking(act: Act) -> Arc<Probe> {
    Probe::with_hook(move |now| {
        if now == act {
            std::panic::resume_unwind(Box::new(()));
        }
    })
}

/// Of each kind: the panic of a waker that is cloned comes out of the poll that cloned it, and
/// nothing is left of the wait when it is dropped.
#[test]
fn a_waker_that_panics_when_cloned_fails_its_poll_and_leaves_nothing_behind() {
    let _dog = watchdog();
    for kind in kinds() {
        eprintln!("{}", kind.name);
        let mut bad = Hand::with_probe(kind.wait(), panicking(Act::Clone));
        assert!(catch_unwind(AssertUnwindSafe(|| bad.poll())).is_err());
        drop(bad);
        assert!(kind.is_at_rest());
        let mut good = Hand::waiting(kind.wait());
        kind.wake();
        good.expect_ready();
        assert!(kind.is_at_rest());
    }
}

/// Of each kind: whoever wakes does not pay for it, nor does the wait.
#[test]
fn a_waker_that_panics_when_called_is_contained() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for kind in kinds() {
            eprintln!("{}", kind.name);
            let mut wait = Hand::with_probe(kind.wait(), panicking(Act::Wake));
            wait.expect_pending();
            road.send(|| kind.wake());
            wait.expect_ready();
            drop(wait);
            assert!(kind.is_at_rest());
        }
    });
}

/// Of each kind: the panic of a waker that is dropped comes out of what dropped it, and the
/// next wait is as any other.
#[test]
fn a_waker_that_panics_when_dropped_takes_nothing_but_its_wait() {
    let _dog = watchdog();
    for kind in kinds() {
        eprintln!("{}", kind.name);
        // The test's own wakers of it are not dropped, so it is kept.
        let probe = keep(panicking(Act::Drop));
        let waker = ManuallyDrop::new(probe.waker());
        let mut bad = kind.wait();
        assert!(
            bad.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert!(catch_unwind(AssertUnwindSafe(|| drop(bad))).is_err());
        assert!(kind.is_at_rest(), "dropped while it waited");

        let mut changes = kind.wait();
        assert!(
            changes
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        let mut cx = Context::from_waker(Waker::noop());
        assert!(catch_unwind(AssertUnwindSafe(|| changes.as_mut().poll(&mut cx))).is_err());
        drop(changes);
        assert!(kind.is_at_rest(), "dropped after its waker was changed");

        let mut good = Hand::waiting(kind.wait());
        kind.wake();
        good.expect_ready();
        assert!(kind.is_at_rest());
    }
}
