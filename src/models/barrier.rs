//! Models of the barrier.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::Barrier;

struct Shared {
    barrier: Barrier,
    cells: [Cell; 3],
    leaders: AtomicUsize,
}

impl Shared {
    fn new(parties: usize) -> Arc<Self> {
        Arc::new(Self {
            barrier: Barrier::new(parties),
            cells: [(); 3].map(|()| Cell::new()),
            leaders: AtomicUsize::new(0),
        })
    }

    /// Changes its data, and then looks at that of all.
    fn meet(&self, me: usize, parties: usize) {
        self.cells[me].change();
        let result = block_on(self.barrier.wait());
        self.leaders
            .fetch_add(usize::from(result.is_leader()), SeqCst);
        for cell in &self.cells[..parties] {
            cell.look();
        }
    }
}

fn run(shared: &Arc<Shared>, f: impl FnOnce(&Shared) + 'static) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || f(&shared))
}

#[test]
fn two_meet() {
    check(Bound::All, &[Row::Enters, Row::IsWoken], || {
        let shared = Shared::new(2);
        let other = run(&shared, |shared| shared.meet(1, 2));
        shared.meet(0, 2);
        join([other]);
        assert_eq!(shared.leaders.load(SeqCst), 1);
        assert_eq!(shared.barrier.waiter_count(), 0);
    });
}

#[test]
fn two_meet_twice() {
    check(Bound::Light(3), &[], || {
        let shared = Shared::new(2);
        let twice = |shared: &Shared, me| {
            shared.meet(me, 2);
            // Nobody changes anything before the other has looked.
            block_on(shared.barrier.wait());
            shared.meet(me, 2);
        };
        let other = run(&shared, move |shared| twice(shared, 1));
        twice(&shared, 0);
        join([other]);
        assert_eq!(shared.leaders.load(SeqCst), 2);
        assert_eq!(shared.barrier.waiter_count(), 0);
    });
}

#[test]
fn three_meet() {
    let rows = [Row::BarrierArrives, Row::BarrierCompletes];
    check(Bound::Light(2), &rows, || {
        let shared = Shared::new(3);
        let others = [1, 2].map(|me| run(&shared, move |shared| shared.meet(me, 3)));
        shared.meet(0, 3);
        join(others);
        assert_eq!(shared.leaders.load(SeqCst), 1);
        assert_eq!(shared.barrier.waiter_count(), 0);
    });
}

/// Who goes does not count, though others come at the same time.
#[test]
fn one_of_three_goes() {
    let rows = [Row::Leaves, Row::BarrierLeaves, Row::BarrierCompletes];
    check(Bound::Light(3), &rows, || {
        let shared = Shared::new(3);
        let goes = Hand::waiting(shared.barrier.wait());
        let other = run(&shared, |shared| {
            block_on(shared.barrier.wait());
        });
        drop(goes);
        let mut stays = Hand::waiting(shared.barrier.wait());
        let mut last = Hand::new(shared.barrier.wait());
        // It completes the generation, or the other will.
        let completes = last.poll().is_ready();
        join([other]);
        assert!(stays.poll().is_ready());
        assert!(completes || last.poll().is_ready());
        assert_eq!(shared.barrier.waiter_count(), 0);
    });
}

/// A waiter goes while the last one comes: it counted or it did not.
#[test]
fn one_goes_when_the_last_comes() {
    let rows = [Row::Leaves, Row::TakesWake];
    check(Bound::All, &rows, || {
        let shared = Shared::new(2);
        let goes = Hand::waiting(shared.barrier.wait());
        let leads = Arc::new(AtomicUsize::new(0));
        let other = run(&shared, {
            let leads = leads.clone();
            move |shared| {
                let result = block_on(shared.barrier.wait());
                leads.store(1 + usize::from(result.is_leader()), SeqCst);
            }
        });
        drop(goes);
        let mut next = Hand::new(shared.barrier.wait());
        let result = next.poll();
        if result.is_ready() {
            // The other had not been let through: we do it.
            join([other]);
            assert_eq!(leads.load(SeqCst), 1);
            assert_eq!(shared.barrier.waiter_count(), 0);
            return;
        }
        join([other]);
        // Through with the one that went, or with us.
        if leads.load(SeqCst) == 2 && next.poll().is_pending() {
            assert_eq!(shared.barrier.waiter_count(), 1);
            assert!(Hand::new(shared.barrier.wait()).poll().is_ready());
            assert!(next.poll().is_ready());
        }
        assert_eq!(shared.barrier.waiter_count(), 0);
    });
}

/// While the waiters of a generation are woken, which lets go of the lock, one of them goes
/// and a newcomer comes: neither counts for the wrong one.
#[test]
fn newcomers_while_many_are_woken() {
    let rows = [Row::Leaves, Row::BarrierLeavesEarlier];
    check(Bound::Light(2), &rows, || {
        let shared = Shared::new(4);
        let mut waits = [(); 3].map(|()| Some(Hand::waiting(shared.barrier.wait())));
        let other = run(&shared, |shared| {
            assert!(block_on(shared.barrier.wait()).is_leader());
        });
        // Until it is complete.
        let first = waits[0].as_mut().unwrap();
        if first.poll().is_pending() {
            join([other]);
            return;
        }
        let mut newcomer = Hand::waiting(shared.barrier.wait());
        waits[2] = None;
        join([other]);
        assert!(waits[1].as_mut().unwrap().poll().is_ready());
        assert!(newcomer.poll().is_pending());
        let mut more = [(); 2].map(|()| Hand::waiting(shared.barrier.wait()));
        assert!(Hand::new(shared.barrier.wait()).poll().is_ready());
        assert!(newcomer.poll().is_ready());
        assert!(more.iter_mut().all(|wait| wait.poll().is_ready()));
        assert_eq!(shared.barrier.waiter_count(), 0);
    });
}
