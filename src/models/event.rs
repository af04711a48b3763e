//! Models of the event.

use std::sync::Arc;

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::Event;

struct Shared {
    event: Event,
    cell: Cell,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            event: Event::new(),
            cell: Cell::new(),
        })
    }

    fn set(&self) {
        self.cell.change();
        self.event.set();
    }

    fn wait(&self) {
        block_on(self.event.wait());
        self.cell.look();
    }
}

fn run(shared: &Arc<Shared>, f: fn(&Shared)) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || f(&shared))
}

#[test]
fn set_for_one() {
    let rows = [
        Row::Sets,
        Row::SetsForWaiters,
        Row::EventWaits,
        Row::EventVacates,
    ];
    check(Bound::All, &rows, || {
        let shared = Shared::new();
        let other = run(&shared, Shared::set);
        shared.wait();
        join([other]);
        assert!(shared.event.is_set());
        assert_eq!(shared.event.waiter_count(), 0);
    });
}

#[test]
fn set_for_two() {
    check(Bound::Light(2), &[Row::SetsForWaiters], || {
        let shared = Shared::new();
        let others = [run(&shared, Shared::set), run(&shared, Shared::wait)];
        shared.wait();
        join(others);
        assert_eq!(shared.event.waiter_count(), 0);
    });
}

/// Who waited when it was set gets through, though it is reset at once.
#[test]
fn set_and_reset() {
    let rows = [Row::SetsForWaiters, Row::Resets];
    check(Bound::All, &rows, || {
        let shared = Shared::new();
        let mut waited = Hand::waiting(shared.event.wait());
        let other = run(&shared, |shared| {
            shared.set();
            shared.event.reset();
        });
        let mut came = Hand::new(shared.event.wait());
        let early = came.poll();
        join([other]);
        assert_eq!(waited.alarm.calls(), 1);
        assert!(waited.poll().is_ready());
        assert!(!shared.event.is_set());
        if early.is_pending() && came.poll().is_pending() {
            assert_eq!(shared.event.waiter_count(), 1);
            shared.event.set();
            assert!(came.poll().is_ready());
        }
        assert_eq!(shared.event.waiter_count(), 0);
    });
}

/// Who takes the flag down sees what was done before it was set.
#[test]
fn reset_by_another() {
    check(Bound::All, &[Row::Sets, Row::Resets], || {
        let shared = Shared::new();
        let other = run(&shared, Shared::set);
        if shared.event.reset() {
            shared.cell.change();
        }
        join([other]);
    });
}

#[test]
fn waiter_goes() {
    let rows = [Row::Leaves, Row::TakesWake, Row::EventVacates];
    check(Bound::All, &rows, || {
        let shared = Shared::new();
        let goes = Hand::waiting(shared.event.wait());
        let mut stays = Hand::waiting(shared.event.wait());
        let other = run(&shared, Shared::set);
        drop(goes);
        join([other]);
        assert!(stays.poll().is_ready());
        assert_eq!(shared.event.waiter_count(), 0);
    });
}
