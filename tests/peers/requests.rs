//! What users of others have asked for, as they needed it.

use std::sync::Arc;

use super::common::{Hand, in_runtime, on_each_road, settle, spawn, until, watchdog};
use compio_sync::{Mutex, RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore};

/// async-lock 24: many permits at once, and fairly: a request for many is not passed over for
/// those that need less.
#[test]
fn async_lock_24_many_permits_at_once() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let semaphore = Semaphore::new(0);
        let mut many = road.wait(semaphore.acquire_many(5));
        let mut one = road.wait(semaphore.acquire());
        for _ in 0..4 {
            road.send(|| semaphore.add_permits(1));
            many.expect_pending();
            one.expect_pending();
        }
        road.send(|| semaphore.add_permits(2));
        assert_eq!(many.expect_ready().num_permits(), 5);
        assert_eq!(one.expect_ready().num_permits(), 1);
    });
}

/// tokio 5308, async-lock 108: a limit that is raised and lowered while it is in use.
#[test]
fn tokio_5308_a_limit_is_lowered_below_what_is_in_use_and_raised_again() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let semaphore = Semaphore::new(8);
        let mut used: Vec<_> = (0..6).map(|_| semaphore.try_acquire().unwrap()).collect();
        // From 8 to 3: what is free goes at once, the rest as it comes back.
        let free = semaphore.forget_permits(5);
        assert_eq!(free, 2);
        let mut rest = road.wait(semaphore.acquire_many(5 - free));
        let mut next = road.wait(semaphore.acquire());
        for _ in 0..3 {
            rest.expect_pending();
            let permit = used.pop();
            road.send(|| drop(permit));
        }
        rest.expect_ready().forget();
        next.expect_pending();
        assert_eq!(used.len() + semaphore.available_permits(), 3);
        // From 3 to 4.
        road.send(|| semaphore.add_permits(1));
        used.push(next.expect_ready());
        assert!(semaphore.try_acquire().is_none());
        drop(used);
        assert_eq!(semaphore.available_permits(), 4);
    });
}

/// tokio 8269: a plain thread waits for a permit, in the same queue as tasks.
#[test]
fn tokio_8269_a_thread_waits_among_tasks() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let semaphore = Arc::new(Semaphore::new(0));
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let task = |name| {
            let (semaphore, order) = (semaphore.clone(), order.clone());
            spawn(async move {
                let _permit = semaphore.acquire().await;
                order.lock().unwrap().push(name);
            })
        };
        let first = task("a task");
        until(|| semaphore.waiter_count() == 1).await;
        let thread = std::thread::spawn({
            let (semaphore, order) = (semaphore.clone(), order.clone());
            move || {
                let _permit = semaphore.blocking_acquire();
                order.lock().unwrap().push("a thread");
            }
        });
        until(|| semaphore.waiter_count() == 2).await;
        let last = task("another task");
        until(|| semaphore.waiter_count() == 3).await;
        semaphore.add_permits(1);
        first.await.unwrap();
        last.await.unwrap();
        thread.join().unwrap();
        let order = order.lock().unwrap();
        assert_eq!(*order, ["a task", "a thread", "another task"]);
    });
}

/// tokio 7282: what was read still holds when one may write; two who ask for that do not wait
/// for each other.
#[test]
fn tokio_7282_nobody_writes_between_reading_and_upgrading() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = RwLock::new(1);
        let reader = lock.try_read();
        let guard = lock.try_upgradable_read().unwrap();
        assert!(lock.try_upgradable_read().is_none(), "one at a time");
        let mut writer = road.wait(lock.write());
        let seen = *guard;
        let mut upgrade = road.wait(RwLockUpgradableReadGuard::upgrade(guard));
        road.send(|| drop(reader));
        let mut guard = upgrade.expect_ready();
        assert_eq!(*guard, seen, "before the writer, who came first");
        *guard += 1;
        writer.expect_pending();
        road.send(|| drop(guard));
        assert_eq!(*writer.expect_ready(), 2);
    });
}

/// async-lock 100: what `downgrade` promises. No writer comes in between, readers in front are
/// let in, and those behind a writer that waits are not.
#[test]
fn async_lock_100_nobody_writes_between_writing_and_reading() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let lock = RwLock::new(0);
        let mut guard = lock.try_write().unwrap();
        let mut in_front = road.wait(lock.read());
        let mut writer = road.wait(lock.write());
        let mut behind = road.wait(lock.read());
        *guard = 7;
        let mine = road.send(|| RwLockWriteGuard::downgrade(guard));
        let theirs = in_front.expect_ready();
        assert_eq!((*mine, *theirs), (7, 7));
        writer.expect_pending();
        behind.expect_pending();
        assert!(lock.try_read().is_none(), "the writer does not starve");
        road.send(|| drop((mine, theirs)));
        *writer.expect_ready() = 8;
        assert_eq!(*behind.expect_ready(), 8);
    });
}

/// futures-rs 2133: what is stuck says so, without being unlocked.
#[test]
fn futures_rs_2133_a_deadlock_can_be_seen() {
    let _dog = watchdog();
    let (a, b) = (Mutex::new(()), Mutex::new(()));
    let _held = (a.try_lock(), b.try_lock());
    let mut stuck = (Hand::waiting(a.lock()), Hand::waiting(b.lock()));
    for mutex in [&a, &b] {
        assert!(mutex.is_locked());
        assert_eq!(mutex.waiter_count(), 1);
        let said = format!("{mutex:?}");
        assert!(
            said.contains("locked") && said.contains("waiter_count: 1"),
            "{said}"
        );
    }
    stuck.0.expect_pending();
    stuck.1.expect_pending();
}
