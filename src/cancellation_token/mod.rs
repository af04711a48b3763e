//! Tokens that tell tasks to stop, in a tree.

mod guard;
mod node;
mod tree;
#[cfg(all(test, loom, not(shuttle)))]
pub(crate) use tree::state;
mod wait;

use std::{fmt, future::Future};

use self::node::{Node, Wait};
pub use self::{
    guard::DropGuard,
    wait::{Cancelled, CancelledOwned, RunUntilCancelled, RunUntilCancelledOwned},
};
use crate::{sys::sync::Arc, waiter_queue::block_on};

/// Tells any number of tasks to stop, and those below it in a tree.
///
/// As that of `tokio_util`. A token is cancelled once and for all. A [child](Self::child_token) is
/// cancelled with its parent; to cancel a child does nothing to its parent. Clones are handles of
/// the same token. To drop handles cancels nothing, and leaves the children of the token, if it
/// has any, to the token above it.
///
/// # Order
///
/// A cancellation goes from the top down: whoever sees a token cancelled by its parent sees that
/// one cancelled too. When the call that cancelled a token returns, all tokens below it are
/// cancelled, but for those below a token that another call is about to cancel itself. A call that
/// finds its token cancelled returns at once, even if those below it are still to come.
///
/// Who waits for one of the tokens is woken after the last of them was cancelled (or earlier, if
/// another call for this tree is at that point), in one batch: up to six runtimes that sleep
/// are each notified once, however many tokens and tasks there are. More of them may be notified
/// several times.
///
/// # Cost
///
/// All tokens of a tree share a lock, which is held for a few writes to make, drop or cancel one;
/// no waker is touched under it. A cancellation lets go of it every 32 tokens. To make one more
/// token than the tree ever had at a time may move its table, under the lock, to twice the memory;
/// that is returned with the tree's last token. Nothing is called recursively.
///
/// # Fairness
///
/// All are woken; those of one token in the order in which they came.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time: there is nothing that it could lose or keep from
/// others.
///
/// # Leaks
///
/// A handle that is leaked (`std::mem::forget`) keeps its place in the tree and the tree's memory.
///
/// # Examples
///
/// ```
/// use compio_sync::CancellationToken;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let stop = CancellationToken::new();
/// let tasks: Vec<_> = (0..3)
///     .map(|_| {
///         let stop = stop.child_token();
///         compio_runtime::spawn(async move { stop.cancelled().await })
///     })
///     .collect();
/// stop.cancel();
/// for task in tasks {
///     task.await.unwrap();
/// }
/// # })
/// ```
#[derive(Clone)]
pub struct CancellationToken {
    node: Arc<Node>,
}

impl CancellationToken {
    /// A token that is not cancelled, without parent.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!compio_sync::CancellationToken::new().is_cancelled());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { node: Node::root() }
    }

    /// A token that is cancelled with this one; at once if this one is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// let parent = compio_sync::CancellationToken::new();
    /// let (first, second) = (parent.child_token(), parent.child_token());
    /// first.cancel();
    /// assert!(!parent.is_cancelled() && !second.is_cancelled());
    /// parent.cancel();
    /// assert!(second.is_cancelled() && parent.child_token().is_cancelled());
    /// ```
    #[must_use]
    pub fn child_token(&self) -> Self {
        Self {
            node: self.node.child(),
        }
    }

    /// Cancels the token and all below it, and wakes all that wait for one of them. Does nothing
    /// if it is cancelled already. Never waits for a runtime, whatever that is doing.
    ///
    /// # Examples
    ///
    /// ```
    /// let token = compio_sync::CancellationToken::new();
    /// token.cancel();
    /// assert!(token.is_cancelled());
    /// ```
    pub fn cancel(&self) {
        self.node.cancel();
    }

    /// Whether it is cancelled, by itself or from above.
    ///
    /// # Examples
    ///
    /// ```
    /// let token = compio_sync::CancellationToken::new();
    /// token.clone().cancel();
    /// assert!(token.is_cancelled());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Waits until it is cancelled.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let token = compio_sync::CancellationToken::new();
    /// token.cancel();
    /// token.cancelled().await;
    /// # })
    /// ```
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled {
            token: self,
            wait: Wait::new(),
        }
    }

    /// Like [`cancelled`](Self::cancelled), and keeps the handle.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// As [`cancelled`](Self::cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let token = compio_sync::CancellationToken::new();
    /// let task = compio_runtime::spawn(token.clone().cancelled_owned());
    /// token.cancel();
    /// task.await.unwrap();
    /// # })
    /// ```
    pub fn cancelled_owned(self) -> CancelledOwned {
        CancelledOwned {
            token: self,
            wait: Wait::new(),
        }
    }

    /// Waits until it is cancelled from a plain thread, which is blocked meanwhile.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop.
    ///
    /// # Examples
    ///
    /// ```
    /// let token = compio_sync::CancellationToken::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| token.blocking_cancelled());
    ///     token.cancel();
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_cancelled(&self) {
        block_on(self.cancelled());
    }

    /// Runs a future until it is done, which gives its output, or the token is cancelled, which
    /// gives `None`.
    ///
    /// If the token is cancelled beforehand the future is not polled at all. Later, one that is
    /// done when it is polled has its output returned even if the token is cancelled by then. The
    /// future is dropped when this one is, not before.
    ///
    /// It is as cancel safe as the future that it runs.
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready, or if the one that it runs panics.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let token = compio_sync::CancellationToken::new();
    /// assert_eq!(token.run_until_cancelled(async { 1 }).await, Some(1));
    /// token.cancel();
    /// assert_eq!(token.run_until_cancelled(async { 1 }).await, None);
    /// # })
    /// ```
    pub fn run_until_cancelled<F: Future>(&self, future: F) -> RunUntilCancelled<'_, F> {
        RunUntilCancelled {
            cancelled: self.cancelled(),
            begun: false,
            future,
        }
    }

    /// Like [`run_until_cancelled`](Self::run_until_cancelled), and keeps the handle.
    ///
    /// # Panics
    ///
    /// As [`run_until_cancelled`](Self::run_until_cancelled).
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let token = compio_sync::CancellationToken::new();
    /// let wait = token.clone().run_until_cancelled_owned(std::future::pending::<()>());
    /// let task = compio_runtime::spawn(wait);
    /// token.cancel();
    /// assert_eq!(task.await.unwrap(), None);
    /// # })
    /// ```
    pub fn run_until_cancelled_owned<F: Future>(self, future: F) -> RunUntilCancelledOwned<F> {
        RunUntilCancelledOwned {
            cancelled: self.cancelled_owned(),
            begun: false,
            future,
        }
    }

    /// A guard that cancels the token when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let token = compio_sync::CancellationToken::new();
    /// drop(token.clone().drop_guard());
    /// assert!(token.is_cancelled());
    /// ```
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }

    /// How many wait for this token; those of its children do not count.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(compio_sync::CancellationToken::new().waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.node.queue.waiter_count()
    }
}

impl Default for CancellationToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("is_cancelled", &self.is_cancelled())
            .field("waiter_count", &self.waiter_count())
            .finish()
    }
}

/// How many entries the tree of a token has in use.
#[cfg(test)]
pub(crate) fn entries(token: &CancellationToken) -> usize {
    tree::used(&token.node)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{CancellationToken, entries};

    #[test]
    fn who_goes_leaves_nothing_in_the_tree() {
        let root = CancellationToken::new();
        for _ in 0..1000 {
            drop(root.child_token());
            root.child_token().cancel();
            let middle = root.child_token();
            let leaves = [middle.child_token(), middle.child_token()];
            drop(middle);
            assert_eq!(entries(&root), 4);
            let [first, second] = leaves;
            drop(first);
            assert_eq!(entries(&root), 2, "the last takes the place of its parent");
            drop(second);
            assert_eq!(entries(&root), 1);
        }
    }

    #[test]
    fn a_line_whose_elders_are_gone_is_short() {
        let root = CancellationToken::new();
        let mut last = root.clone();
        for _ in 0..1000 {
            last = last.child_token();
            assert!(entries(&root) <= 3);
        }
        root.cancel();
        assert!(last.is_cancelled());
        assert_eq!(entries(&root), 0);
    }
}
