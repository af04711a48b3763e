//! One token: whether it is cancelled, and who waits for that.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use super::tree::{Found, NONE, Tree};
use crate::{
    sys::sync::{Arc, AtomicBool, AtomicUsize, Ordering},
    waiter_queue::{Phase, Place, Waiter, WaiterQueue},
};

/// What a wait that is over writes down.
const DONE: u16 = 1;

/// The level of a tree's queue; a token's own is 0.
pub(super) const GONE: u8 = 1;

/// What the handles of a token share.
///
/// A waiter is queued only if it sees, under the queue's lock, that the token is not cancelled;
/// a canceller sets `cancelled` before it takes that lock, so it finds everybody.
pub(super) struct Node {
    /// Set under the tree's lock, once.
    pub(super) cancelled: AtomicBool,
    /// Its entry in the tree, or `NONE`: it is cancelled. Written under the tree's lock.
    pub(super) place: AtomicUsize,
    pub(super) queue: WaiterQueue,
    pub(super) tree: Arc<Tree>,
}

impl Node {
    pub(super) fn root() -> Arc<Self> {
        Self::make(Arc::new(Tree::new()), None)
    }

    pub(super) fn child(&self) -> Arc<Self> {
        Self::make(Arc::clone(&self.tree), Some(self))
    }

    fn make(tree: Arc<Tree>, parent: Option<&Self>) -> Arc<Self> {
        let node = Arc::new(Self {
            cancelled: AtomicBool::new(false),
            place: AtomicUsize::new(NONE),
            queue: WaiterQueue::new(),
            tree,
        });
        if !node.tree.enter(&node, parent) {
            // Relaxed: nobody else knows it yet, and whoever is told is told of the canceller
            // too, of whom we know by the tree's lock.
            node.cancelled.store(true, Ordering::Relaxed);
        }
        node
    }

    pub(super) fn is_cancelled(&self) -> bool {
        // Acquire: pairs with the release of the canceller.
        self.cancelled.load(Ordering::Acquire)
    }

    /// Cancels this token and all below it, from the top down, and then wakes all that waited.
    pub(super) fn cancel(&self) {
        if self.is_cancelled() {
            return;
        }
        let Some(mut at) = self.tree.begin(self) else {
            return;
        };
        if at == NONE {
            self.queue.wake_all(|| ());
            return;
        }
        self.give_up_waiters();
        while at != NONE {
            let mut found = Found::default();
            at = self.tree.walk(at, &mut found);
            for node in found.iter().flatten() {
                node.give_up_waiters();
            }
        }
        self.tree.gone.wake_all(|| ());
    }

    /// Moves all that wait here to the tree's queue, a few at a time.
    fn give_up_waiters(&self) {
        loop {
            let mut from = self.queue.lock();
            if from.is_empty() {
                return;
            }
            let mut to = self.tree.gone.lock();
            for _ in 0..64 {
                if !from.move_first(&mut to) {
                    return;
                }
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !self.is_cancelled() {
            self.tree.leave(self);
        }
    }
}

pin_project_lite::pin_project! {
    /// The wait for a token, which whoever holds it passes to each call; always the same.
    pub(super) struct Wait {
        #[pin]
        waiter: Waiter,
    }
}

impl Wait {
    pub(super) fn new() -> Self {
        Self {
            waiter: Waiter::new(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.waiter.memo() == DONE
    }

    pub(super) fn is_queued(&self) -> bool {
        self.waiter.is_linked()
    }

    pub(super) fn expect_not_done(&self) {
        assert!(!self.is_done(), "a future was polled after it was ready");
    }

    pub(super) fn poll(mut self: Pin<&mut Self>, node: &Node, cx: &mut Context<'_>) -> Poll<()> {
        self.expect_not_done();
        let mut waiter = self.as_mut().project().waiter;
        let waits = if waiter.as_mut().take_wake().is_some() {
            false
        } else if waiter.phase() == Phase::Idle {
            !node.is_cancelled()
                && node
                    .queue
                    .add_waiter_if(waiter.as_mut(), Place::of(cx.waker()), 0, || {
                        !node.is_cancelled()
                    })
        } else {
            // Not there any more: it is on its way to be woken, or has been.
            node.queue.refresh(waiter.as_mut(), cx.waker())
        };
        if waits {
            return Poll::Pending;
        }
        self.end(node);
        Poll::Ready(())
    }

    /// There is nothing to wait for any more.
    pub(super) fn end(mut self: Pin<&mut Self>, node: &Node) {
        self.as_mut().project().waiter.set_memo(DONE);
        self.leave(node);
    }

    /// Takes the waiter back, wherever it is.
    #[inline]
    pub(super) fn leave(self: Pin<&mut Self>, node: &Node) {
        if self.waiter.phase() != Phase::Idle {
            self.take_back(node);
        }
    }

    #[inline(never)]
    fn take_back(self: Pin<&mut Self>, node: &Node) {
        let mut waiter = self.project().waiter;
        // From the token's queue a waiter goes to the tree's, and never back.
        if node.queue.lock().remove(waiter.as_mut()).is_none()
            && node.tree.gone.lock().remove(waiter.as_mut()).is_none()
        {
            waiter.give_up_wake();
        }
    }
}
