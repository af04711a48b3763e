//! Tokens, latches and wait groups, with tasks of several runtimes and plain threads that give up
//! at random.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use super::{below, explore, join, perhaps, spawn};
use crate::{CancellationToken, Latch, WaitGroup, cancellation_token::entries};

/// Two cancel, one above the other, while tokens are made, waited for and dropped below them; all
/// are cancelled in the end, and nothing is left in the tree.
#[test]
fn cancellation_token() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let tokens = [root.clone(), middle.child_token(), middle.child_token()];
        let waits = tokens.clone().map(|token| {
            spawn(async move || {
                perhaps(token.cancelled()).await;
                token.cancelled_owned().await;
            })
        });
        let grows = {
            let middle = middle.clone();
            spawn(async move || {
                let child = middle.child_token();
                let below_it = [child.child_token(), child.child_token()];
                drop(child);
                let [first, second] = below_it;
                if below(2) == 0 {
                    drop(first);
                }
                perhaps(second.cancelled()).await;
                second.child_token().cancelled_owned().await;
            })
        };
        let cancels = [root.clone(), middle].map(|token| {
            spawn(async move || {
                token.cancel();
                assert!(token.is_cancelled());
            })
        });
        join(waits.into_iter().chain([grows]).chain(cancels));
        assert!(tokens.iter().all(CancellationToken::is_cancelled));
        assert!(tokens.iter().all(|token| token.waiter_count() == 0));
        assert_eq!(entries(&root), 0);
    });
}

/// Nobody gets through before all have counted down, and all who stay do.
#[test]
fn latch() {
    explore(|| {
        let shared = Arc::new((Latch::new(3), AtomicUsize::new(0)));
        let counts = [1, 2].map(|n| {
            let shared = shared.clone();
            spawn(async move || {
                shared.1.fetch_add(n, SeqCst);
                shared.0.count_down_by(n);
            })
        });
        let waits = (0..3).map(|i| {
            let shared = shared.clone();
            spawn(async move || {
                let through = match i {
                    0 => Some(shared.0.wait().await),
                    _ => perhaps(shared.0.wait()).await,
                };
                assert!(through.is_none() || shared.1.load(SeqCst) == 3);
            })
        });
        join(counts.into_iter().chain(waits));
        assert!(shared.0.is_done());
        assert_eq!(shared.0.waiter_count(), 0);
    });
}

/// A guard that was there before a wait began has gone when the wait is over.
#[test]
fn wait_group() {
    explore(|| {
        let shared = Arc::new((Arc::new(WaitGroup::new()), AtomicUsize::new(0)));
        let guards = [shared.0.add_owned(), shared.0.add_owned()];
        let go = guards.map(|guard| {
            let shared = shared.clone();
            spawn(async move || {
                let other = shared.0.add();
                shared.1.fetch_add(1, SeqCst);
                drop(guard);
                drop(other);
            })
        });
        let waits = (0..3).map(|i| {
            let shared = shared.clone();
            spawn(async move || {
                let through = match i {
                    0 => Some(shared.0.wait().await),
                    _ => perhaps(shared.0.wait()).await,
                };
                assert!(through.is_none() || shared.1.load(SeqCst) == 2);
            })
        });
        join(go.into_iter().chain(waits));
        assert!(shared.0.is_empty());
        assert_eq!(shared.0.waiter_count(), 0);
    });
}
