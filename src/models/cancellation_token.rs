//! Models of the cancellation token and its tree.

use std::sync::Arc;

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::{CancellationToken, cancellation_token::entries};

fn run(f: impl FnOnce() + 'static) -> thread::JoinHandle<()> {
    thread::spawn(f)
}

/// Who waits for a child sees what was done before its parent was cancelled.
#[test]
fn wait_for_a_child() {
    check(Bound::All, &[Row::TokenIsCancelled, Row::IsMoved], || {
        let shared = Arc::new((CancellationToken::new(), Cell::new()));
        let child = shared.0.child_token();
        let other = {
            let shared = Arc::clone(&shared);
            run(move || {
                shared.1.change();
                shared.0.cancel();
            })
        };
        block_on(child.cancelled());
        assert!(shared.0.is_cancelled(), "from the top down");
        shared.1.look();
        join([other]);
        assert_eq!(entries(&child), 0);
        assert_eq!(child.waiter_count(), 0);
    });
}

/// A wait that goes while its waiter is taken from the token to the tree, and woken.
#[test]
fn waiter_goes() {
    let rows = [Row::IsMoved, Row::Leaves, Row::TakesWake];
    check(Bound::All, &rows, || {
        let root = CancellationToken::new();
        let child = root.child_token();
        let goes = Hand::waiting(child.cancelled());
        let mut stays = Hand::waiting(child.cancelled());
        let other = {
            let root = root.clone();
            run(move || root.cancel())
        };
        drop(goes);
        join([other]);
        assert_eq!(stays.alarm.calls(), 1);
        assert!(stays.poll().is_ready());
    });
}

/// A wait that is polled again meanwhile.
#[test]
fn waiter_is_polled() {
    check(Bound::All, &[Row::IsMoved], || {
        let root = CancellationToken::new();
        let child = root.child_token();
        let mut wait = Hand::waiting(child.cancelled());
        let other = {
            let root = root.clone();
            run(move || root.cancel())
        };
        let early = wait.poll();
        join([other]);
        if early.is_pending() {
            assert_eq!(wait.alarm.calls(), 1);
            assert!(wait.poll().is_ready());
        }
    });
}

/// A child that is made meanwhile is cancelled.
#[test]
fn a_child_is_made() {
    check(Bound::All, &[Row::TokenIsCancelled], || {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let other = {
            let middle = middle.clone();
            thread::spawn(move || middle.child_token())
        };
        root.cancel();
        let child = other.join().unwrap();
        assert!(middle.is_cancelled() && child.is_cancelled());
        assert_eq!(entries(&root), 0);
    });
}

/// Two cancel at once, the one above the other; both calls leave theirs cancelled.
#[test]
fn two_cancel() {
    check(Bound::All, &[Row::TokenIsCancelled], || {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaf = middle.child_token();
        let mut wait = Hand::waiting(leaf.cancelled());
        let other = {
            let middle = middle.clone();
            run(move || {
                middle.cancel();
                assert!(middle.is_cancelled());
            })
        };
        root.cancel();
        join([other]);
        assert!(middle.is_cancelled() && leaf.is_cancelled());
        assert_eq!(wait.alarm.calls(), 1);
        assert!(wait.poll().is_ready());
        assert_eq!(entries(&root), 0);
    });
}

/// Handles are dropped while the tree is walked: nothing is left of them, and what they leave
/// behind is cancelled.
#[test]
fn handles_go() {
    let rows = [
        Row::HeldLeaves,
        Row::HeldBecomesInner,
        Row::HeldIsDoomed,
        Row::InnerIsReplaced,
        Row::InnerIsDoomed,
        Row::DoomedEnds,
        Row::DoomedIsAwaited,
        Row::DroppedBeforeItsEnd,
        Row::AwaitedIsDropped,
    ];
    check(Bound::All, &rows, || {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaves = [middle.child_token(), middle.child_token()];
        let [first, last] = leaves;
        let other = run(move || {
            drop(middle);
            drop(first);
        });
        root.cancel();
        join([other]);
        assert!(last.is_cancelled());
        assert_eq!(entries(&root), 0);
    });
}
