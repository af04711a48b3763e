//! Models of how the addresses that point to a home are counted.

use std::sync::Arc;

use loom::thread;

use super::{Bound, Cell, check, rows::Row};
use crate::waiter_queue::Shares;

struct Home {
    shares: Shares,
    /// What the last one destroys.
    body: Cell,
}

impl Home {
    fn leave(&self, last: bool) -> usize {
        if last {
            self.body.change();
        }
        usize::from(last)
    }
}

/// Of `n` addresses, all of which look at the home, some go elsewhere and the rest here, before
/// or after the runtime has ended. One of all these is told that it is the last, after all others.
fn come_and_go(elsewhere: usize, before: usize, after: usize) {
    let home = Arc::new(Home {
        shares: Shares::new(),
        body: Cell::new(),
    });
    // SAFETY: this is the home's thread, and `settle` comes once and after all of them have come.
    (0..elsewhere + before + after).for_each(|_| unsafe { home.shares.add() });
    let others: Vec<_> = (0..elsewhere)
        .map(|_| {
            let home = Arc::clone(&home);
            thread::spawn(move || {
                home.body.look();
                home.leave(home.shares.remove_elsewhere())
            })
        })
        .collect();
    let mut last = 0;
    for _ in 0..before {
        home.body.look();
        // SAFETY: as above.
        last += home.leave(unsafe { home.shares.remove_here() });
    }
    // SAFETY: as above.
    last += home.leave(unsafe { home.shares.settle() });
    for _ in 0..after {
        home.body.look();
        // SAFETY: as above.
        last += home.leave(unsafe { home.shares.remove_here() });
    }
    last += others
        .into_iter()
        .map(|other| other.join().unwrap())
        .sum::<usize>();
    assert_eq!(last, 1);
}

#[test]
fn all_go_here() {
    check(Bound::All, &[Row::SharesSettle], || come_and_go(0, 2, 0));
}

#[test]
fn some_go_elsewhere() {
    let rows = [Row::ShareGoesElsewhere, Row::ShareIsLast, Row::SharesSettle];
    check(Bound::All, &rows, || come_and_go(2, 1, 0));
}

#[test]
fn some_go_after_the_runtime() {
    let rows = [Row::ShareIsLast, Row::SharesSettle];
    check(Bound::All, &rows, || come_and_go(1, 1, 1));
}
