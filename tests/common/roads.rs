//! The roads on which a wake-up may reach a waiter. What is promised holds on each.

use std::{fmt::Debug, future::poll_fn, task::Poll, task::Waker};

use super::{Hand, in_runtime, on_another_thread, park_on, settle, spawn};
use compio_sync::Notify;

/// Enough foreign wakers to use up what may be called directly.
const MANY: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Polled outside of every runtime, woken on the same thread.
    NoRuntime,
    /// Polled outside of every runtime, woken by another thread.
    NoRuntimeRemote,
    /// A compio task, woken on its own runtime.
    SameRuntime,
    /// A compio task, woken by another thread: through the mailbox.
    Task,
    /// The future in `block_on`, woken by another thread: directly.
    Driver,
    /// A combinator in a compio task, woken by another thread: directly.
    Direct,
    /// The same, when many have been woken directly before: through the mailbox.
    Crowded,
}

const KINDS: [Kind; 7] = [
    Kind::NoRuntime,
    Kind::NoRuntimeRemote,
    Kind::SameRuntime,
    Kind::Task,
    Kind::Driver,
    Kind::Direct,
    Kind::Crowded,
];

/// One of the roads, with a test on its way.
pub(crate) struct Road {
    kind: Kind,
    waker: Waker,
}

impl Road {
    /// A future that has been polled on this road, and waits.
    #[track_caller]
    pub(crate) fn wait<F: Future>(&self, future: F) -> Hand<F>
    where
        F::Output: Debug,
    {
        let mut hand = self.hand(future);
        hand.expect_pending();
        hand
    }

    /// A future to be polled on this road.
    pub(crate) fn hand<F: Future>(&self, future: F) -> Hand<F> {
        match self.kind {
            Kind::SameRuntime | Kind::Task | Kind::Driver => {
                Hand::with_waker(future, self.waker.clone())
            }
            _ => Hand::new(future),
        }
    }

    /// Runs `f` where the road begins.
    pub(crate) fn send<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        match self.kind {
            Kind::NoRuntime | Kind::SameRuntime => f(),
            _ => on_another_thread(f),
        }
    }

    /// Checks that the wake-up of `hand` is where this road says: called already, or in
    /// the mailbox.
    #[track_caller]
    pub(crate) fn check_on_its_way<F: Future>(&self, hand: &Hand<F>) {
        match self.kind {
            Kind::NoRuntime | Kind::NoRuntimeRemote | Kind::Direct => assert_eq!(hand.wakes(), 1),
            Kind::Crowded => assert_eq!(hand.wakes(), 0, "not yet out of the mailbox"),
            Kind::SameRuntime | Kind::Task | Kind::Driver => {}
        }
    }
}

/// Runs `test` on each of the roads.
pub(crate) fn on_each_road<F: AsyncFn(&Road) + Copy + 'static>(test: F) {
    for kind in KINDS {
        eprintln!("on the road {kind:?}");
        let go = async move || {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            test(&Road { kind, waker }).await;
        };
        match kind {
            Kind::NoRuntime | Kind::NoRuntimeRemote => park_on(go()),
            Kind::Driver => in_runtime(async || {
                settle().await;
                go().await;
            }),
            Kind::SameRuntime | Kind::Task | Kind::Direct => in_runtime(async || {
                settle().await;
                spawn(async move { go().await }).await.unwrap();
            }),
            Kind::Crowded => in_runtime(async || {
                settle().await;
                spawn(async move {
                    let crowd = Notify::new();
                    let crowd_waits: Vec<_> =
                        (0..MANY).map(|_| Hand::waiting(crowd.notified())).collect();
                    on_another_thread(|| crowd.notify_waiters());
                    go().await;
                    drop(crowd_waits);
                })
                .await
                .unwrap();
            }),
        }
    }
}
