//! What the read-write lock promises: who may have it together, order, upgrades and
//! downgrades, its forms and its guards.

mod common;

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use common::{
    Hand, in_runtime, on_another_thread, on_runtimes, panic_message, park_on, probe::woken, rounds,
    spawn, until, watchdog, yield_now,
};
use compio_sync::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, OwnedMappedRwLockReadGuard,
    OwnedMappedRwLockWriteGuard, OwnedRwLockReadGuard, OwnedRwLockUpgradableReadGuard,
    OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};

/// Who may come now: a reader, an upgradable reader, a writer.
#[track_caller]
fn assert_open<T>(lock: &RwLock<T>, read: bool, upgradable: bool, write: bool) {
    assert_eq!(lock.try_read().is_some(), read, "a reader");
    assert_eq!(
        lock.try_upgradable_read().is_some(),
        upgradable,
        "an upgradable reader"
    );
    assert_eq!(lock.try_write().is_some(), write, "a writer");
}

#[track_caller]
fn assert_at_rest<T>(lock: &RwLock<T>) {
    assert!(!lock.is_locked());
    assert_eq!(lock.waiter_count(), 0);
    assert_open(lock, true, true, true);
}

#[test]
fn who_may_have_it_together() {
    let _dog = watchdog();
    let lock = RwLock::new(0);
    assert_at_rest(&lock);
    let reader = lock.try_read();
    assert!(lock.is_locked());
    assert_open(&lock, true, true, false);
    let upgradable = lock.try_upgradable_read();
    assert_open(&lock, true, false, false);
    drop(reader);
    assert_open(&lock, true, false, false);
    drop(upgradable);
    let writer = lock.try_write();
    assert_open(&lock, false, false, false);
    drop(writer);
    assert_at_rest(&lock);
}

#[compio::test]
async fn readers_are_there_together_and_writers_alone() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(0));
    let inside = Rc::new(Cell::new((0, 0)));
    let most = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..100)
        .map(|i| {
            let (lock, inside, most) = (lock.clone(), inside.clone(), most.clone());
            spawn(async move {
                if i % 10 == 9 {
                    let mut guard = lock.write().await;
                    assert_eq!(inside.get(), (0, 0));
                    inside.set((0, 1));
                    yield_now().await;
                    *guard += 1;
                    inside.set((0, 0));
                } else {
                    let _guard = lock.read().await;
                    let (readers, writers) = inside.get();
                    assert_eq!(writers, 0);
                    inside.set((readers + 1, 0));
                    most.set(most.get().max(readers + 1));
                    yield_now().await;
                    inside.set((inside.get().0 - 1, 0));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*lock.read().await, 10);
    assert_eq!(most.get(), 9, "those between two writers");
    assert_at_rest(&lock);
}

#[test]
fn runtimes_and_threads_exclude_each_other() {
    let _dog = watchdog();
    let n = rounds(2000);
    let lock = RwLock::new((0, 0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..n {
                let mut guard = lock.blocking_write();
                guard.0 += 1;
                guard.1 += 1;
            }
        });
        scope.spawn(|| {
            for _ in 0..n {
                let guard = lock.blocking_read();
                assert_eq!(guard.0, guard.1);
            }
        });
        on_runtimes(2, async |_| {
            for _ in 0..n {
                let guard = lock.upgradable_read().await;
                let seen = guard.0;
                let mut guard = RwLockUpgradableReadGuard::upgrade(guard).await;
                assert_eq!(guard.0, seen, "nobody wrote in between");
                guard.0 += 1;
                guard.1 += 1;
                let guard = RwLockWriteGuard::downgrade(guard);
                assert_eq!(*guard, (seen + 1, seen + 1));
            }
        });
    });
    assert_at_rest(&lock);
    assert_eq!(lock.into_inner(), (3 * n, 3 * n));
}

#[test]
fn strictly_in_order_and_readers_in_front_together() {
    let _dog = watchdog();
    let lock = RwLock::new(());
    let guard = lock.try_write();
    let mut readers: Vec<_> = (0..3).map(|_| Hand::waiting(lock.read())).collect();
    let mut writer = Hand::waiting(lock.write());
    let mut late: Vec<_> = (0..40).map(|_| Hand::waiting(lock.read())).collect();
    let mut last = Hand::waiting(lock.write());
    assert_eq!(lock.waiter_count(), 45);
    drop(guard);
    assert_eq!(woken(&readers), [0, 1, 2], "all that stand in front, and");
    assert_eq!(lock.waiter_count(), 42, "nobody behind the writer");
    assert!(lock.try_read().is_none(), "nobody overtakes");
    let guards: Vec<_> = readers.iter_mut().map(Hand::expect_ready).collect();
    for guard in guards {
        assert!(!writer.is_woken());
        drop(guard);
    }
    assert!(writer.is_woken(), "the last reader lets the writer in");
    drop(writer.expect_ready());
    assert_eq!(woken(&late).len(), 40);
    assert!(!last.is_woken());
    late.iter_mut()
        .for_each(|reader| drop(reader.expect_ready()));
    drop(last.expect_ready());
    assert!(readers.iter().chain(&late).all(|hand| hand.wakes() == 1));
    assert_at_rest(&lock);
}

#[test]
fn an_upgradable_among_readers_is_let_in_with_them() {
    let _dog = watchdog();
    let lock = RwLock::new(());
    let guard = lock.try_write();
    let mut first = Hand::waiting(lock.read());
    let mut upgradable = Hand::waiting(lock.upgradable_read());
    let mut second = Hand::waiting(lock.read());
    let mut another = Hand::waiting(lock.upgradable_read());
    let mut third = Hand::waiting(lock.read());
    drop(guard);
    assert!(first.is_woken() && upgradable.is_woken() && second.is_woken());
    assert!(!another.is_woken() && !third.is_woken(), "in their order");
    drop(first.expect_ready());
    drop(second.expect_ready());
    assert!(!another.is_woken());
    drop(upgradable.expect_ready());
    assert!(another.is_woken() && third.is_woken());
    drop((another.expect_ready(), third.expect_ready()));
    assert_at_rest(&lock);
}

#[compio::test]
async fn readers_that_come_and_come_do_not_starve_a_writer() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(0));
    let done = Rc::new(Cell::new(false));
    // One of them is always there.
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (lock, done) = (lock.clone(), done.clone());
            spawn(async move {
                while !done.get() {
                    let _guard = lock.read().await;
                    yield_now().await;
                    yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..50 {
        yield_now().await;
        *lock.write().await += 1;
    }
    done.set(true);
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(*lock.read().await, 50);
}

#[compio::test]
async fn writers_that_come_and_come_do_not_starve_a_reader() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(0));
    let done = Rc::new(Cell::new(false));
    let writers: Vec<_> = (0..3)
        .map(|i| {
            let (lock, done) = (lock.clone(), done.clone());
            spawn(async move {
                while !done.get() {
                    let mut guard = if i == 0 {
                        let guard = lock.upgradable_read().await;
                        RwLockUpgradableReadGuard::upgrade(guard).await
                    } else {
                        lock.write().await
                    };
                    *guard += 1;
                    yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..50 {
        yield_now().await;
        drop(lock.read().await);
        drop(lock.upgradable_read().await);
    }
    done.set(true);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(*lock.read().await > 50);
}

/// As documented: the second read waits behind the writer, who waits for the first.
#[test]
fn a_recursive_read_behind_a_waiting_writer_waits() {
    let _dog = watchdog();
    let lock = RwLock::new(());
    let first = lock.try_read();
    assert!(lock.try_read().is_some(), "nobody waits");
    let writer = Hand::waiting(lock.write());
    let mut again = Hand::waiting(lock.read());
    again.expect_pending();
    drop(writer);
    drop(again.expect_ready());
    drop(first);
    assert_at_rest(&lock);
}

#[test]
fn an_upgrade_goes_before_all_that_wait() {
    let _dog = watchdog();
    let lock = RwLock::new(0);
    let guard = lock.try_upgradable_read().unwrap();
    let readers = [lock.try_read().unwrap(), lock.try_read().unwrap()];
    let mut writer = Hand::waiting(lock.write());
    let mut late = Hand::waiting(lock.read());
    let guard = RwLockUpgradableReadGuard::try_upgrade(guard).unwrap_err();
    let mut upgrade = Hand::waiting(RwLockUpgradableReadGuard::upgrade(guard));
    assert_eq!(lock.waiter_count(), 3);
    for reader in readers {
        assert!(!upgrade.is_woken());
        drop(reader);
    }
    assert_eq!(upgrade.wakes(), 1);
    assert!(!writer.is_woken() && !late.is_woken());
    let mut guard = upgrade.expect_ready();
    *guard = 5;
    drop(guard);
    assert!(!late.is_woken());
    assert_eq!(*writer.expect_ready(), 5);
    drop(late.expect_ready());
    assert_at_rest(&lock);
}

#[test]
fn an_upgrade_without_other_readers_does_not_wait() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(0));
    for others in [false, true] {
        let guard = lock.try_upgradable_read().unwrap();
        let mut writer = others.then(|| Hand::waiting(lock.write()));
        let mut upgrade = Hand::new(RwLockUpgradableReadGuard::upgrade(guard));
        drop(upgrade.expect_ready());
        if let Some(writer) = &mut writer {
            drop(writer.expect_ready());
        }
        let guard = lock.try_upgradable_read_owned().unwrap();
        let mut writer = others.then(|| Hand::waiting(lock.write()));
        let guard = OwnedRwLockUpgradableReadGuard::try_upgrade(guard).unwrap();
        assert_open(&lock, false, false, false);
        drop(guard);
        if let Some(writer) = &mut writer {
            drop(writer.expect_ready());
        }
        assert_at_rest(&lock);
    }
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn readers_that_come_during_an_upgrade_wait_and_are_let_in_if_it_is_dropped() {
    let _dog = watchdog();
    let lock = RwLock::new(0);
    let reader = lock.try_read();
    let guard = lock.try_upgradable_read().unwrap();
    let upgrade = Hand::waiting(RwLockUpgradableReadGuard::upgrade(guard));
    let mut late: Vec<_> = (0..2).map(|_| Hand::waiting(lock.read())).collect();
    let mut upgradable = Hand::waiting(lock.upgradable_read());
    assert!(woken(&late).is_empty());
    drop(upgrade);
    assert_eq!(woken(&late), [0, 1]);
    drop(upgradable.expect_ready());
    late.iter_mut()
        .for_each(|reader| drop(reader.expect_ready()));
    drop(reader);
    assert_at_rest(&lock);
}

/// Each step down, with everybody who may be waiting.
#[test]
fn stepping_down_lets_in_whom_it_may() {
    let _dog = watchdog();
    for owned in [false, true] {
        let lock = Arc::new(RwLock::new(0));
        let waiting = || {
            (
                Hand::waiting(lock.read()),
                Hand::waiting(lock.upgradable_read()),
                Hand::waiting(lock.write()),
                Hand::waiting(lock.read()),
            )
        };
        // A writer that becomes a reader: readers and an upgradable come.
        let check = |guard: Box<dyn FnOnce() + '_>, upgradable_comes: bool| {
            let (mut reader, upgradable, writer, late) = waiting();
            guard();
            assert!(reader.is_woken());
            assert_eq!(upgradable.is_woken(), upgradable_comes);
            assert!(!writer.is_woken() && !late.is_woken());
            drop(reader.expect_ready());
            drop((reader, upgradable, writer, late));
        };
        let kept = Cell::new(None);
        let kept_owned = Cell::new(None);
        if owned {
            let guard = lock.try_write_owned().unwrap();
            check(
                Box::new(|| kept_owned.set(Some(OwnedRwLockWriteGuard::downgrade(guard)))),
                true,
            );
        } else {
            let guard = lock.try_write().unwrap();
            check(
                Box::new(|| kept.set(Some(RwLockWriteGuard::downgrade(guard)))),
                true,
            );
        }
        assert_open(&lock, true, true, false);
        drop((kept.take(), kept_owned.take()));
        assert_at_rest(&lock);

        // A writer that becomes upgradable: readers come.
        let kept = Cell::new(None);
        let kept_owned = Cell::new(None);
        if owned {
            let guard = lock.try_write_owned().unwrap();
            check(
                Box::new(|| {
                    kept_owned.set(Some(OwnedRwLockWriteGuard::downgrade_to_upgradable(guard)));
                }),
                false,
            );
        } else {
            let guard = lock.try_write().unwrap();
            check(
                Box::new(|| kept.set(Some(RwLockWriteGuard::downgrade_to_upgradable(guard)))),
                false,
            );
        }
        assert_open(&lock, true, false, false);
        drop((kept.take(), kept_owned.take()));
        assert_at_rest(&lock);
    }
}

#[test]
fn an_upgradable_that_becomes_a_reader_lets_another_in() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(0));
    let guard = lock.try_upgradable_read().unwrap();
    let mut next = Hand::waiting(lock.upgradable_read_owned());
    let mut writer = Hand::waiting(lock.write());
    let reader = RwLockUpgradableReadGuard::downgrade(guard);
    assert!(next.is_woken());
    let guard = next.expect_ready();
    let other = OwnedRwLockUpgradableReadGuard::downgrade(guard);
    drop(reader);
    assert!(!writer.is_woken(), "the other still reads");
    drop(other);
    drop(writer.expect_ready());
    assert_at_rest(&lock);
}

#[test]
fn owned_forms_wait_in_the_same_queue() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(0));
    let guard = park_on(lock.write_owned());
    assert!(Arc::ptr_eq(OwnedRwLockWriteGuard::rwlock(&guard), &lock));
    let mut first = Hand::waiting(lock.read());
    let mut second = Hand::waiting(lock.read_owned());
    let mut third = Hand::waiting(lock.write_owned());
    let mut fourth = Hand::waiting(lock.upgradable_read_owned());
    drop(guard);
    drop(first.expect_ready());
    let reader = second.expect_ready();
    assert!(!third.is_woken());
    on_another_thread(move || drop(reader));
    let mut guard = third.expect_ready();
    on_another_thread(move || *guard += 1);
    let mut upgrade = Hand::new(OwnedRwLockUpgradableReadGuard::upgrade(
        fourth.expect_ready(),
    ));
    *upgrade.expect_ready() += 1;
    drop((first, second, third, fourth, upgrade));
    assert_eq!(Arc::try_unwrap(lock).unwrap().into_inner(), 2);
}

#[test]
fn threads_and_tasks_wait_in_one_queue() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(Vec::new()));
    in_runtime(async || {
        let guard = lock.try_write().unwrap();
        let mut tasks = Vec::new();
        let mut threads = Vec::new();
        for i in 0..12 {
            let lock_ = lock.clone();
            match i % 4 {
                0 => tasks.push(spawn(async move { lock_.write().await.push(i) })),
                1 => threads.push(std::thread::spawn(move || lock_.blocking_write().push(i))),
                2 => threads.push(std::thread::spawn(move || {
                    let guard = lock_.blocking_upgradable_read();
                    RwLockUpgradableReadGuard::blocking_upgrade(guard).push(i);
                })),
                _ => threads.push(std::thread::spawn(move || {
                    let guard = lock_.blocking_upgradable_read_owned();
                    OwnedRwLockUpgradableReadGuard::blocking_upgrade(guard).push(i);
                })),
            }
            until(|| lock.waiter_count() == i + 1).await;
        }
        drop(guard);
        for task in tasks {
            task.await.unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
    assert_eq!(*lock.blocking_read_owned(), (0..12).collect::<Vec<_>>());
    lock.blocking_write_owned().clear();
    assert!(lock.blocking_read().is_empty());
    assert_at_rest(&lock);
}

#[test]
fn blocking_inside_of_a_runtime_panics() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(()));
    in_runtime(async || {
        let upgradable = || lock.try_upgradable_read().unwrap();
        let owned = || lock.try_upgradable_read_owned().unwrap();
        let messages = [
            panic_message(|| lock.blocking_read()),
            panic_message(|| lock.blocking_read_owned()),
            panic_message(|| lock.blocking_write()),
            panic_message(|| lock.blocking_write_owned()),
            panic_message(|| lock.blocking_upgradable_read()),
            panic_message(|| lock.blocking_upgradable_read_owned()),
            panic_message(|| RwLockUpgradableReadGuard::blocking_upgrade(upgradable())),
            panic_message(|| OwnedRwLockUpgradableReadGuard::blocking_upgrade(owned())),
        ];
        assert!(
            messages.iter().all(|m| m.contains("cannot block")),
            "{messages:?}"
        );
    });
    assert_at_rest(&lock);
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn a_poll_after_ready_panics_and_harms_nobody() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(()));
    let mut read = Hand::new(lock.read());
    let mut write = Hand::new(lock.write_owned());
    let mut upgradable = Hand::new(lock.upgradable_read());
    drop(read.expect_ready());
    drop(write.expect_ready());
    let mut upgrade = Hand::new(RwLockUpgradableReadGuard::upgrade(
        upgradable.expect_ready(),
    ));
    drop(upgrade.expect_ready());
    for message in [
        panic_message(|| read.poll()),
        panic_message(|| write.poll()),
        panic_message(|| upgradable.poll()),
        panic_message(|| upgrade.poll()),
    ] {
        assert!(message.contains("after it was ready"), "{message}");
    }
    drop((read, write, upgradable, upgrade));
    assert_at_rest(&lock);
}

#[test]
fn a_panic_of_a_holder_unlocks_and_does_not_poison() {
    let _dog = watchdog();
    let lock = RwLock::new(1);
    let mut waits = None;
    panic_message(|| {
        let mut guard = lock.try_write().unwrap();
        *guard = 2;
        waits = Some(Hand::waiting(lock.read()));
        panic!("on purpose");
    });
    assert_eq!(*waits.unwrap().expect_ready(), 2);
    panic_message(|| {
        let _guards = (lock.try_read(), lock.try_upgradable_read());
        panic!("on purpose");
    });
    assert_at_rest(&lock);
}

#[test]
fn the_data_is_reached_without_locking_by_its_only_owner() {
    let _dog = watchdog();
    let mut lock = RwLock::from(String::from("a"));
    lock.get_mut().push('b');
    assert_eq!(lock.into_inner(), "ab");
    assert_eq!(RwLock::<u8>::default().into_inner(), 0);
    let unsized_lock: Box<RwLock<[i32]>> = Box::new(RwLock::new([1, 2, 3]));
    unsized_lock.try_write().unwrap()[1] = 5;
    assert_eq!(*park_on(unsized_lock.read()), [1, 5, 3]);
    assert!(std::ptr::eq(
        RwLockReadGuard::rwlock(&unsized_lock.try_read().unwrap()),
        &raw const *unsized_lock
    ));
    let shared: Arc<RwLock<dyn std::fmt::Debug + Send + Sync>> = Arc::new(RwLock::new(7));
    assert_eq!(format!("{:?}", &*shared.try_read_owned().unwrap()), "7");
}

#[test]
fn the_data_is_dropped_with_the_lock_and_only_then() {
    let _dog = watchdog();
    let data = Arc::new(());
    let lock = RwLock::new(data.clone());
    drop((lock.try_read(), lock.try_upgradable_read()));
    drop(lock.try_write());
    assert_eq!(Arc::strong_count(&data), 2);
    drop(lock);
    assert_eq!(Arc::strong_count(&data), 1);
}

#[test]
fn mapped_guards_reach_a_part_and_unlock() {
    let _dog = watchdog();
    let lock = RwLock::new((1, vec![2, 3]));
    let list = RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.1);
    let mut wait = Hand::waiting(lock.read());
    let list = MappedRwLockWriteGuard::try_map(list, |list| list.get_mut(9)).unwrap_err();
    let second = MappedRwLockWriteGuard::try_map(list, |list| list.get_mut(1)).unwrap();
    let mut second = MappedRwLockWriteGuard::map(second, |number| number);
    *second += 10;
    assert_eq!(format!("{second} {second:?}"), "13 13");
    assert!(!wait.is_woken());
    drop(second);
    let guard = wait.expect_ready();
    let guard = RwLockReadGuard::try_map(guard, |_| None::<&u8>).unwrap_err();
    let list = RwLockReadGuard::map(guard, |pair| &pair.1);
    let list = MappedRwLockReadGuard::try_map(list, |list| list.get(9)).unwrap_err();
    let second = MappedRwLockReadGuard::try_map(list, |list| list.get(1)).unwrap();
    let second = MappedRwLockReadGuard::map(second, |number| number);
    assert_eq!(format!("{second} {second:?}"), "13 13");
    assert_open(&lock, true, true, false);
    drop(second);
    let guard = lock.try_write().unwrap();
    let guard = RwLockWriteGuard::try_map(guard, |_| None::<&mut u8>).unwrap_err();
    drop(RwLockWriteGuard::try_map(guard, |pair| Some(&mut pair.0)).unwrap());
    drop(RwLockReadGuard::try_map(lock.try_read().unwrap(), |pair| Some(&pair.0)).unwrap());
    assert_at_rest(&lock);
}

#[test]
fn owned_mapped_guards_reach_a_part_and_unlock() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new((1, vec![2, 3])));
    let list = OwnedRwLockWriteGuard::map(lock.try_write_owned().unwrap(), |pair| &mut pair.1);
    let list = OwnedMappedRwLockWriteGuard::try_map(list, |list| list.get_mut(9)).unwrap_err();
    let second = OwnedMappedRwLockWriteGuard::try_map(list, |list| list.get_mut(1)).unwrap();
    let mut second = OwnedMappedRwLockWriteGuard::map(second, |number| number);
    *second += 10;
    assert_eq!(format!("{second} {second:?}"), "13 13");
    assert_open(&lock, false, false, false);
    on_another_thread(move || drop(second));
    let list = OwnedRwLockReadGuard::map(lock.try_read_owned().unwrap(), |pair| &pair.1);
    let list = OwnedMappedRwLockReadGuard::try_map(list, |list| list.get(9)).unwrap_err();
    let second = OwnedMappedRwLockReadGuard::try_map(list, |list| list.get(1)).unwrap();
    let second = OwnedMappedRwLockReadGuard::map(second, |number| number);
    assert_eq!(format!("{second} {second:?}"), "13 13");
    assert_open(&lock, true, true, false);
    on_another_thread(move || drop(second));
    let guard = lock.try_read_owned().unwrap();
    let guard = OwnedRwLockReadGuard::try_map(guard, |_| None::<&u8>).unwrap_err();
    drop(OwnedRwLockReadGuard::try_map(guard, |pair| Some(&pair.0)).unwrap());
    let guard = lock.try_write_owned().unwrap();
    let guard = OwnedRwLockWriteGuard::try_map(guard, |_| None::<&mut u8>).unwrap_err();
    drop(OwnedRwLockWriteGuard::try_map(guard, |pair| Some(&mut pair.0)).unwrap());
    assert_at_rest(&lock);
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn a_panic_while_mapping_unlocks() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(1));
    panic_message(|| RwLockReadGuard::map(lock.try_read().unwrap(), |_| -> &u8 { panic!("x") }));
    panic_message(|| {
        RwLockWriteGuard::map(lock.try_write().unwrap(), |_| -> &mut u8 { panic!("x") })
    });
    panic_message(|| {
        OwnedRwLockReadGuard::map(lock.try_read_owned().unwrap(), |_| -> &u8 { panic!("x") })
    });
    panic_message(|| {
        OwnedRwLockWriteGuard::map(lock.try_write_owned().unwrap(), |_| -> &mut u8 {
            panic!("x")
        })
    });
    assert_at_rest(&lock);
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn guards_that_are_forgotten_keep_the_lock_and_nothing_else() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new(1));
    std::mem::forget(lock.try_read());
    assert_open(&lock, true, true, false);
    std::mem::forget(lock.try_upgradable_read());
    assert_open(&lock, true, false, false);
    drop(Hand::waiting(lock.write()));
    assert_open(&lock, true, false, false);
    let written = RwLock::new(1);
    std::mem::forget(written.try_write());
    assert_open(&written, false, false, false);
    assert_eq!(written.into_inner(), 1, "its owner reaches it");
}

#[test]
fn debug_output_never_shows_data_that_is_being_written() {
    let _dog = watchdog();
    let lock = Arc::new(RwLock::new("secret"));
    let free = "RwLock { data: \"secret\", waiter_count: 0 }";
    assert_eq!(format!("{lock:?}"), free);
    let reader = lock.try_read().unwrap();
    assert_eq!(format!("{reader} {reader:?}"), "secret \"secret\"");
    assert_eq!(format!("{lock:?}"), free, "readers do not hide it");
    drop(reader);
    let upgradable = lock.try_upgradable_read().unwrap();
    assert_eq!(format!("{upgradable} {upgradable:?}"), "secret \"secret\"");
    drop(upgradable);
    let guard = lock.try_write().unwrap();
    assert_eq!(format!("{guard} {guard:?}"), "secret \"secret\"");
    let mut wait = Hand::waiting(lock.read());
    let locked = "RwLock { data: <locked>, waiter_count: 1 }";
    assert_eq!(format!("{lock:?}"), locked);
    let shown = format!("{:?}", wait.as_ref());
    assert!(
        shown.starts_with("RwLockRead { queued: true, done: false"),
        "{shown}"
    );
    drop(guard);
    drop(wait.expect_ready());
    let owned = lock.try_read_owned().unwrap();
    assert_eq!(format!("{owned} {owned:?}"), "secret \"secret\"");
    drop(owned);
    let owned = lock.try_write_owned().unwrap();
    assert_eq!(format!("{owned} {owned:?}"), "secret \"secret\"");
    drop(owned);
    let owned = lock.try_upgradable_read_owned().unwrap();
    assert_eq!(format!("{owned} {owned:?}"), "secret \"secret\"");
    let names = [
        format!("{:?}", lock.read_owned()),
        format!("{:?}", lock.write()),
        format!("{:?}", lock.write_owned()),
        format!("{:?}", lock.upgradable_read()),
        format!("{:?}", lock.upgradable_read_owned()),
        format!("{:?}", OwnedRwLockUpgradableReadGuard::upgrade(owned)),
        format!(
            "{:?}",
            RwLockUpgradableReadGuard::upgrade(lock.try_upgradable_read().unwrap())
        ),
    ];
    let expected = [
        "RwLockReadOwned",
        "RwLockWrite",
        "RwLockWriteOwned",
        "RwLockUpgradableRead",
        "RwLockUpgradableReadOwned",
        "RwLockUpgradeOwned",
        "RwLockUpgrade",
    ];
    for (shown, name) in names.iter().zip(expected) {
        let expected = format!("{name} {{ queued: false, done: false, .. }}");
        assert_eq!(*shown, expected);
    }
    assert_at_rest(&lock);
}

#[compio::test]
async fn a_timeout_composes() {
    let _dog = watchdog();
    let limit = Duration::from_millis(1);
    let lock = Arc::new(RwLock::new(()));
    let reader = compio::time::timeout(limit, lock.read()).await.unwrap();
    assert!(compio::time::timeout(limit, lock.write()).await.is_err());
    let guard = lock.try_upgradable_read().unwrap();
    let upgrade = RwLockUpgradableReadGuard::upgrade(guard);
    assert!(compio::time::timeout(limit, upgrade).await.is_err());
    drop(reader);
    assert_at_rest(&lock);
}
