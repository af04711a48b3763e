//! Models of the read-write lock.

use std::{future::Future, sync::Arc, task::Poll};

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::{RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard};

type Shared = Arc<RwLock<Cell>>;

fn shared() -> Shared {
    Arc::new(RwLock::new(Cell::new()))
}

/// At rest: free, nobody waits, and whoever waits next is cared for, so no bit was
/// left behind.
fn assert_at_rest(lock: &RwLock<Cell>) {
    assert!(!lock.is_locked());
    assert_eq!(lock.waiter_count(), 0);
    let guard = lock.try_write().expect("it is free");
    let mut next = Hand::waiting(lock.read());
    drop(guard);
    assert_eq!(next.alarm.calls(), 1);
    assert!(next.poll().is_ready());
    assert!(!lock.is_locked());
}

fn read(lock: &RwLock<Cell>) {
    block_on(lock.read()).look();
}

fn write(lock: &RwLock<Cell>) {
    block_on(lock.write()).change();
}

/// Reads, upgrades and writes.
fn upgrade(lock: &RwLock<Cell>) {
    let guard = block_on(lock.upgradable_read());
    guard.look();
    block_on(RwLockUpgradableReadGuard::upgrade(guard)).change();
}

fn spawn(lock: &Shared, f: fn(&RwLock<Cell>)) -> thread::JoinHandle<()> {
    let lock = Arc::clone(lock);
    thread::spawn(move || f(&lock))
}

/// A guard of a thread of its own, which uses and drops it.
fn goes(guard: impl std::ops::Deref<Target = Cell> + 'static) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        guard.look();
        drop(guard);
    })
}

/// Runs each in a thread of its own, the last one here.
fn all_at_once<const N: usize>(others: [fn(&RwLock<Cell>); N], here: fn(&RwLock<Cell>)) {
    let lock = shared();
    let others = others.map(|f| spawn(&lock, f));
    here(&lock);
    join(others);
    assert_at_rest(&lock);
}

#[test]
fn two_write() {
    let rows = [
        Row::WriterComes,
        Row::WriterGoes,
        Row::LockIsWaitedFor,
        Row::WriterIsGivenIt,
        Row::Enters,
        Row::IsWoken,
        Row::TakesWake,
    ];
    check(Bound::LightOrAll(3), &rows, || all_at_once([write], write));
}

#[test]
fn one_reads_and_one_writes() {
    let rows = [
        Row::ReaderComes,
        Row::ReaderGoes,
        Row::LastReaderGoes,
        Row::ReadersAreLetIn,
        Row::WriterIsGivenIt,
    ];
    check(Bound::LightOrAll(3), &rows, || all_at_once([write], read));
}

#[test]
fn two_read_and_one_writes() {
    check(Bound::Light(2), &[Row::ReadersAreLetIn], || {
        all_at_once([read, write], read);
    });
}

#[test]
fn one_reads_and_two_write() {
    check(Bound::Light(2), &[Row::LastReaderGoes], || {
        all_at_once([write, write], read);
    });
}

#[test]
fn two_upgrade() {
    let rows = [
        Row::UpgradableComes,
        Row::Upgrades,
        Row::LockIsWaitedFor,
        Row::UpgradableIsGivenIt,
    ];
    check(Bound::LightOrAll(3), &rows, || {
        all_at_once([upgrade], upgrade);
    });
}

#[test]
fn one_upgrades_while_others_read() {
    let rows = [Row::Upgrades, Row::UpgradeIsGiven, Row::ReadersAreLetIn];
    check(Bound::Light(2), &rows, || {
        all_at_once([read, upgrade], read);
    });
}

#[test]
fn one_upgrades_and_one_writes() {
    let rows = [Row::UpgradesBeforeOthers, Row::WriterIsGivenIt];
    check(Bound::Light(3), &rows, || all_at_once([write], upgrade));
}

#[test]
fn threads_block() {
    check(Bound::LightOrAll(3), &[], || {
        all_at_once([|lock| lock.blocking_write().change()], |lock| {
            lock.blocking_read().look();
        });
    });
}

/// What readers did is ordered before what the next writer does, though they go without a lock.
#[test]
fn readers_go_before_the_writer() {
    check(Bound::Light(2), &[Row::LastReaderGoes], || {
        let lock = shared();
        let readers = [(); 2].map(|()| lock.try_read_owned().unwrap());
        let mut waits = Hand::waiting(lock.write());
        join(readers.map(goes));
        assert_eq!(waits.alarm.calls(), 1, "woken by the last, once");
        let Poll::Ready(writer) = waits.poll() else {
            panic!("it is its turn");
        };
        writer.change();
        drop(writer);
        assert_at_rest(&lock);
    });
}

/// Steps down while another comes, who uses what the first one may have changed before.
fn steps_down(step: fn(RwLockWriteGuard<'_, Cell>), other: fn(&RwLock<Cell>)) {
    let lock = shared();
    let guard = lock.try_write().unwrap();
    let other = spawn(&lock, other);
    guard.change();
    step(guard);
    join([other]);
    assert_at_rest(&lock);
}

#[test]
fn writer_becomes_a_reader() {
    let step = |guard: RwLockWriteGuard<'_, Cell>| {
        RwLockWriteGuard::downgrade(guard).look();
    };
    let with: [(_, fn(&RwLock<Cell>)); 3] = [
        (Row::ReadersAreLetIn, read),
        (Row::LastReaderGoes, write),
        (Row::UpgradableIsGivenIt, upgrade),
    ];
    for (row, other) in with {
        let rows = [Row::WriterReads, row];
        check(Bound::LightOrAll(3), &rows, move || steps_down(step, other));
    }
}

#[test]
fn writer_becomes_upgradable() {
    let step = |guard: RwLockWriteGuard<'_, Cell>| {
        let guard = RwLockWriteGuard::downgrade_to_upgradable(guard);
        guard.look();
        block_on(RwLockUpgradableReadGuard::upgrade(guard)).change();
    };
    let with: [(_, fn(&RwLock<Cell>)); 3] = [
        (Row::ReadersAreLetIn, read),
        (Row::UpgradesBeforeOthers, write),
        (Row::Upgrades, upgrade),
    ];
    for (row, other) in with {
        let rows = [Row::WriterMayUpgrade, row];
        check(Bound::LightOrAll(3), &rows, move || steps_down(step, other));
    }
}

/// What upgradable readers do with something of theirs is ordered, as they come one by one.
#[test]
fn upgradable_becomes_a_reader() {
    let rows = [
        Row::UpgradableReads,
        Row::UpgradableGoes,
        Row::UpgradableIsGivenIt,
    ];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Arc::new((RwLock::new(Cell::new()), Cell::new()));
        let run = |(lock, theirs): &(RwLock<Cell>, Cell), step: bool| {
            let guard = block_on(lock.upgradable_read());
            theirs.change();
            if step {
                RwLockUpgradableReadGuard::downgrade(guard).look();
            }
        };
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || run(&shared, false)
        });
        run(&shared, true);
        join([other]);
        assert_at_rest(&shared.0);
    });
}

/// The writer at the head goes, at any moment, while one of the readers before it does: the
/// readers behind it are let in, though the other stays.
#[test]
fn waiting_writer_goes() {
    let rows = [Row::Leaves, Row::ReadersAreLetIn, Row::TakesWake];
    check(Bound::LightOrAll(3), &rows, || {
        let lock = shared();
        let [reader, stays] = [(); 2].map(|()| lock.try_read_owned().unwrap());
        let writer = Hand::waiting(lock.write());
        let mut behind = Hand::waiting(lock.read());
        let other = goes(reader);
        drop(writer);
        assert_eq!(behind.alarm.calls(), 1);
        assert!(behind.poll().is_ready());
        join([other]);
        drop(stays);
        assert_at_rest(&lock);
    });
}

/// The last in the queue goes while the lock is given back.
#[test]
fn only_waiter_goes() {
    let waits: [fn(&Shared); 3] = [
        |lock| drop(Hand::new(lock.write()).poll()),
        |lock| drop(Hand::new(lock.upgradable_read()).poll()),
        |lock| drop(Hand::new(lock.read()).poll()),
    ];
    let rows = [Row::LockIsWaitedForNoMore, Row::Leaves];
    for wait in waits {
        check(Bound::LightOrAll(3), &rows, move || {
            let lock = shared();
            let guard = lock.try_write().unwrap();
            let other = thread::spawn({
                let lock = Arc::clone(&lock);
                move || wait(&lock)
            });
            guard.change();
            drop(guard);
            join([other]);
            assert_at_rest(&lock);
        });
    }
}

/// One to whom the lock is given goes, at any moment; a writer is behind it.
fn goes_when_it_is_given<F: Future>(wait: fn(&Shared) -> F) {
    let lock = shared();
    let guard = lock.try_write_owned().unwrap();
    let given = Hand::waiting(wait(&lock));
    let mut behind = Hand::waiting(lock.write());
    let other = goes(guard);
    drop(given);
    join([other]);
    assert_eq!(behind.alarm.calls(), 1);
    assert!(behind.poll().is_ready());
    assert_at_rest(&lock);
}

#[test]
fn given_one_goes() {
    let rows = [Row::Leaves, Row::TakesWake, Row::WriterIsGivenIt];
    check(Bound::LightOrAll(3), &rows, || {
        goes_when_it_is_given(|lock| lock.read_owned());
    });
    check(Bound::LightOrAll(3), &rows, || {
        goes_when_it_is_given(|lock| lock.write_owned());
    });
    check(Bound::LightOrAll(3), &rows, || {
        goes_when_it_is_given(|lock| lock.upgradable_read_owned());
    });
}

/// An upgrade goes, at any moment, while the reader that it waits for does: whoever it kept
/// out is let in.
#[test]
fn upgrade_goes() {
    let rows = [Row::UpgradableGoes, Row::UpgradeIsGiven, Row::Leaves];
    check(Bound::LightOrAll(3), &rows, || {
        let lock = shared();
        let reader = lock.try_read_owned().unwrap();
        let guard = lock.try_upgradable_read().unwrap();
        let upgrade = Hand::waiting(RwLockUpgradableReadGuard::upgrade(guard));
        let mut behind = [Hand::waiting(lock.read()), Hand::waiting(lock.read())];
        let other = goes(reader);
        drop(upgrade);
        join([other]);
        for reader in &mut behind {
            assert_eq!(reader.alarm.calls(), 1);
            assert!(reader.poll().is_ready());
        }
        assert_at_rest(&lock);
    });
}

/// What who upgrades has read lies before what is written after it has gone, by a thread that has
/// nothing else to do with it.
#[test]
fn upgrade_goes_after_reading() {
    let rows = [Row::UpgradableGoes, Row::Leaves];
    check(Bound::LightOrAll(3), &rows, || {
        let lock = shared();
        let reader = lock.try_read_owned().unwrap();
        let guard = lock.try_upgradable_read().unwrap();
        let next = Arc::clone(&lock);
        let other = thread::spawn(move || {
            drop(reader);
            if let Some(writer) = next.try_write() {
                writer.change();
            }
        });
        guard.look();
        let mut upgrade = Hand::new(RwLockUpgradableReadGuard::upgrade(guard));
        drop(upgrade.poll());
        drop(upgrade);
        join([other]);
        assert_at_rest(&lock);
    });
}

/// An upgrade while the writer that waits first goes, and the reader behind it is let in.
#[test]
fn upgrade_while_the_first_goes() {
    let rows = [Row::UpgradesBeforeOthers, Row::ReadersAreLetIn];
    check(Bound::LightOrAll(3), &rows, || {
        let lock = shared();
        let guard = lock.try_upgradable_read().unwrap();
        let writer = Hand::waiting(lock.write_owned());
        let mut behind = Hand::waiting(lock.read_owned());
        let other = thread::spawn(move || {
            drop(writer);
            if let Poll::Ready(reader) = behind.poll() {
                reader.look();
            }
        });
        match RwLockUpgradableReadGuard::try_upgrade(guard) {
            Ok(writer) => writer.change(),
            Err(guard) => guard.look(),
        }
        join([other]);
        // One that does not begin has nothing to give back but this.
        let guard = lock.try_upgradable_read().unwrap();
        drop(RwLockUpgradableReadGuard::upgrade(guard));
        assert_at_rest(&lock);
    });
}

/// The upgrade goes before the writer that waited first, who waits for it, too.
#[test]
fn upgrade_before_a_writer_that_waits() {
    let rows = [Row::UpgradeIsGiven, Row::WriterIsGivenIt];
    check(Bound::LightOrAll(3), &rows, || {
        let lock = shared();
        let reader = lock.try_read_owned().unwrap();
        let guard = lock.try_upgradable_read().unwrap();
        let mut writer = Hand::waiting(lock.write());
        let mut upgrade = Hand::waiting(RwLockUpgradableReadGuard::upgrade(guard));
        join([goes(reader)]);
        assert_eq!(upgrade.alarm.calls(), 1);
        let Poll::Ready(guard) = upgrade.poll() else {
            panic!("it is its turn");
        };
        guard.change();
        drop(guard);
        assert_eq!(writer.alarm.calls(), 1);
        assert!(writer.poll().is_ready());
        assert_at_rest(&lock);
    });
}

/// A writer that is polled by chance comes, and goes, while it is being let in.
#[test]
fn writer_goes_while_it_is_let_in() {
    let rows = [Row::WriterIsGivenIt, Row::TakesWake];
    check(Bound::LightOrAll(3), &rows, || {
        let lock = shared();
        let guard = lock.try_write_owned().unwrap();
        let mut next = Hand::waiting(lock.write_owned());
        let other = thread::spawn(move || {
            if let Poll::Ready(writer) = next.poll() {
                writer.change();
            }
        });
        guard.change();
        drop(guard);
        join([other]);
        assert_at_rest(&lock);
    });
}

/// `try_upgrade` while the last reader goes and a writer comes.
#[test]
fn upgrade_is_tried() {
    let rows = [Row::Upgrades, Row::UpgradesBeforeOthers];
    check(Bound::Light(3), &rows, || {
        let lock = shared();
        let reader = lock.try_read_owned().unwrap();
        let guard = lock.try_upgradable_read().unwrap();
        let others = [spawn(&lock, write), goes(reader)];
        match RwLockUpgradableReadGuard::try_upgrade(guard) {
            Ok(writer) => writer.change(),
            Err(guard) => guard.look(),
        }
        join(others);
        assert_at_rest(&lock);
    });
}

/// Who is woken goes at once, while the others that wait are still being let in.
#[test]
fn readers_go_while_others_are_let_in() {
    let rows = [Row::ReadersAreLetIn, Row::LastReaderGoes];
    check(Bound::Light(2), &rows, || {
        let lock = shared();
        let guard = lock.try_write_owned().unwrap();
        let mut readers = [(); 2].map(|()| Hand::waiting(lock.read()));
        let mut writer = Hand::waiting(lock.write());
        let other = goes(guard);
        for reader in &mut readers {
            if let Poll::Ready(reader) = reader.poll() {
                reader.look();
            }
        }
        drop(readers);
        join([other]);
        assert_eq!(writer.alarm.calls(), 1, "the last reader lets it in");
        let Poll::Ready(writer) = writer.poll() else {
            panic!("it is its turn");
        };
        writer.change();
        drop(writer);
        assert_at_rest(&lock);
    });
}

/// No more readers than there may be: the next waits for one to go. In models three may.
#[test]
fn too_many_readers() {
    let rows = [Row::ReaderComes, Row::ReadersAreLetIn, Row::OneOfManyGoes];
    check(Bound::LightOrAll(3), &rows, || {
        let lock = shared();
        let [first, second, third] = [(); 3].map(|()| lock.try_read_owned().unwrap());
        assert!(lock.try_read().is_none());
        assert!(lock.try_upgradable_read().is_none());
        let mut fourth = Hand::waiting(lock.read());
        let mut fifth = Hand::waiting(lock.upgradable_read());
        let other = goes(first);
        drop(second);
        join([other]);
        let both = (fourth.poll(), fifth.poll());
        assert!(both.0.is_ready() && both.1.is_ready());
        drop((third, both));
        assert_at_rest(&lock);
    });
}

/// An upgradable that steps down may make one too many, and lets nobody in then.
#[test]
fn one_reader_too_many() {
    let rows = [Row::UpgradableReads, Row::OneOfManyGoes];
    check(Bound::LightOrAll(3), &rows, || {
        let lock = shared();
        let guard = lock.try_upgradable_read().unwrap();
        let [first, second, third] = [(); 3].map(|()| lock.try_read_owned().unwrap());
        let mut waits = Hand::waiting(lock.upgradable_read());
        let fourth = RwLockUpgradableReadGuard::downgrade(guard);
        assert!(waits.poll().is_pending());
        let other = goes(first);
        drop(second);
        join([other]);
        let upgradable = waits.poll();
        assert!(upgradable.is_ready());
        drop((third, fourth, upgradable));
        assert_at_rest(&lock);
    });
}

#[test]
fn nobody_gets_in_between() {
    check(Bound::LightOrAll(3), &[], || {
        let lock = shared();
        let reader = lock.try_read_owned().unwrap();
        let mut writer = Hand::waiting(lock.write());
        let other = goes(reader);
        assert!(lock.try_read().is_none());
        assert!(lock.try_write().is_none());
        assert!(lock.try_upgradable_read().is_none());
        join([other]);
        assert!(writer.poll().is_ready());
        assert_at_rest(&lock);
    });
}
