//! Models of the latch and the wait group.

use std::sync::Arc;

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::{Latch, WaitGroup};

struct Latched {
    latch: Latch,
    cells: [Cell; 2],
}

fn latched(count: usize) -> Arc<Latched> {
    Arc::new(Latched {
        latch: Latch::new(count),
        cells: [Cell::new(), Cell::new()],
    })
}

impl Latched {
    fn wait(&self) {
        block_on(self.latch.wait());
        self.cells.iter().for_each(Cell::look);
    }
}

fn run<T: 'static>(shared: &Arc<T>, f: impl FnOnce(&T) + 'static) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || f(&shared))
}

/// Who waits sees what was done before each count, also before the first of them.
#[test]
fn two_count_down_for_one() {
    check(
        Bound::LightOrAll(3),
        &[
            Row::GateTakes,
            Row::GateOpens,
            Row::GateAwaited,
            Row::GateOpensForWaiters,
        ],
        || {
            let shared = latched(2);
            let others = [0, 1].map(|me| {
                run(&shared, move |shared| {
                    shared.cells[me].change();
                    shared.latch.count_down();
                })
            });
            shared.wait();
            join(others);
            assert!(shared.latch.is_done());
            assert_eq!(shared.latch.waiter_count(), 0);
        },
    );
}

#[test]
fn one_counts_down_for_two() {
    let rows = [Row::GateOpensForWaiters, Row::Enters, Row::IsWoken];
    check(Bound::Light(2), &rows, || {
        let shared = latched(1);
        let others = [
            run(&shared, |shared| {
                shared.cells[0].change();
                shared.latch.count_down();
            }),
            run(&shared, Latched::wait),
        ];
        shared.wait();
        join(others);
        assert_eq!(shared.latch.waiter_count(), 0);
    });
}

/// One of those that count further than there is to count opens it.
#[test]
fn two_count_down_below_zero() {
    check(Bound::All, &[Row::GateOpens], || {
        let shared = latched(2);
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.latch.count_down_by(2))
        };
        let mine = shared.latch.count_down_by(3);
        assert!(mine ^ other.join().unwrap(), "one of the two");
        assert_eq!(shared.latch.count(), 0);
    });
}

/// The same while somebody waits: both go for the lock.
#[test]
fn two_count_down_below_zero_for_one() {
    let rows = [Row::GateOpensForWaiters, Row::GateOpenAlready];
    check(Bound::All, &rows, || {
        let shared = latched(2);
        let mut waits = Hand::waiting(shared.latch.wait());
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.latch.count_down_by(2))
        };
        let mine = shared.latch.count_down_by(3);
        assert!(mine ^ other.join().unwrap(), "one of the two");
        assert_eq!(waits.alarm.calls(), 1);
        assert!(waits.poll().is_ready());
    });
}

/// Who opens it sees what was done before the other counts, with waiters and without.
#[test]
fn who_opens_it_sees_what_came_before() {
    for waits in [false, true] {
        let rows = [[Row::GateOpens], [Row::GateOpensForWaiters]];
        check(Bound::All, &rows[usize::from(waits)], move || {
            let shared = latched(2);
            let waiter = waits.then(|| Hand::waiting(shared.latch.wait()));
            let other = run(&shared, |shared| {
                shared.cells[0].change();
                if shared.latch.count_down() {
                    shared.cells[1].look();
                }
            });
            shared.cells[1].change();
            if shared.latch.count_down() {
                shared.cells[0].look();
            }
            join([other]);
            drop(waiter);
        });
    }
}

#[test]
fn waiter_goes() {
    check(Bound::All, &[Row::Leaves, Row::TakesWake], || {
        let shared = latched(1);
        let goes = Hand::waiting(shared.latch.wait());
        let mut stays = Hand::waiting(shared.latch.wait());
        let other = run(&shared, |shared| {
            shared.latch.count_down();
        });
        drop(goes);
        join([other]);
        assert!(stays.poll().is_ready());
        assert_eq!(shared.latch.waiter_count(), 0);
    });
}

/// Who waited when the last guard went gets through, though there is another at once; who waits
/// under that one is not let through by the end of the round before.
#[test]
fn a_new_round_begins() {
    let rows = [
        Row::GateAdds,
        Row::GateAddedTo,
        Row::GateOpensForWaiters,
        Row::IsWoken,
    ];
    check(Bound::All, &rows, || {
        let group = Arc::new(WaitGroup::new());
        let guard = group.add_owned();
        let mut waited = Hand::waiting(group.wait());
        let other = thread::spawn(move || drop(guard));
        let opened = group.is_empty();
        let next = group.add();
        let mut came = Hand::new(group.wait());
        assert!(came.poll().is_pending());
        let overlapped = group.len() == 2;
        other.join().unwrap();
        assert!(
            came.poll().is_pending(),
            "there has been a guard all the time"
        );
        // Else it may be either.
        assert!(!opened || waited.alarm.calls() == 1);
        assert!(!overlapped || waited.alarm.calls() == 0);
        let through = waited.poll().is_ready();
        assert_eq!(waited.alarm.calls(), usize::from(through));
        drop(next);
        assert!(came.poll().is_ready());
        assert_eq!(waited.alarm.calls(), 1);
        assert!(through || waited.poll().is_ready());
        assert_eq!(group.waiter_count(), 0);
    });
}

/// Nothing is left out when guards come and go on both sides.
#[test]
fn guards_come_and_go() {
    check(Bound::Light(2), &[Row::GateAdds, Row::GateTakes], || {
        let shared = Arc::new((WaitGroup::new(), Cell::new()));
        let guard = shared.0.add();
        let other = run(&shared, |(group, _)| drop(group.add()));
        let third = run(&shared, |(group, _)| block_on(group.wait()));
        shared.1.change();
        drop(guard);
        block_on(shared.0.wait());
        join([other, third]);
        assert!(shared.0.is_empty());
        assert_eq!(shared.0.waiter_count(), 0);
    });
}
