//! Waiting until all of a changing number of things have come to their end.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    gate::{Gate, Wait},
    sys::sync::{Arc, const_fn},
    waiter_queue::block_on,
};

/// Counts what is under way by guards, and lets those through who wait for its end.
///
/// Whatever is to be waited for holds a [`WaitGroupGuard`], or an [owned](OwnedWaitGroupGuard)
/// one; it counts until it is dropped, however that comes about: at the end of a task, by a panic,
/// when the task is cancelled.
///
/// # Reuse
///
/// A group may be used again and again, as Go's: whenever the last guard is dropped, all who wait
/// at that moment are let through, even if a guard is added before they have run. A wait that
/// begins while there is no guard is over at once; so add the guard before the task that holds it
/// is spawned, not in it.
///
/// # Leaks
///
/// A guard that is leaked (`std::mem::forget`) counts for ever, and nobody gets through any more.
///
/// # Fairness
///
/// All are woken, in the order in which they came.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time: it does not count, so there is nothing that it could
/// lose or keep from others.
///
/// # Examples
///
/// ```
/// use compio_sync::WaitGroup;
/// use std::sync::Arc;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let connections = Arc::new(WaitGroup::new());
/// for _ in 0..3 {
///     let guard = connections.add_owned();
///     compio_runtime::spawn(async move {
///         // Serve.
///         drop(guard);
///     })
///     .detach();
/// }
/// connections.wait().await;
/// assert!(connections.is_empty());
/// # })
/// ```
pub struct WaitGroup {
    gate: Gate,
}

impl WaitGroup {
    const_fn! {
        /// A group without guards.
        ///
        /// # Examples
        ///
        /// ```
        /// static TASKS: compio_sync::WaitGroup = compio_sync::WaitGroup::new();
        /// let guard = TASKS.add();
        /// assert_eq!(TASKS.len(), 1);
        /// ```
        #[must_use]
        pub fn new() -> Self {
            Self { gate: Gate::new(0) }
        }
    }

    /// Adds a guard, which counts until it is dropped.
    ///
    /// # Panics
    ///
    /// If there are `usize::MAX / 2` already, which takes that many leaks.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = compio_sync::WaitGroup::new();
    /// let guard = group.add();
    /// assert!(!group.is_empty());
    /// drop(guard);
    /// assert!(group.is_empty());
    /// ```
    #[track_caller]
    pub fn add(&self) -> WaitGroupGuard<'_> {
        assert!(self.gate.add(), "too many guards");
        WaitGroupGuard { group: self }
    }

    /// Like [`add`](Self::add), with a share of the ownership: for tasks.
    ///
    /// # Panics
    ///
    /// As [`add`](Self::add).
    ///
    /// # Examples
    ///
    /// ```
    /// let group = std::sync::Arc::new(compio_sync::WaitGroup::new());
    /// let guard = group.add_owned();
    /// std::thread::spawn(move || drop(guard));
    /// group.blocking_wait();
    /// ```
    #[track_caller]
    pub fn add_owned(self: &Arc<Self>) -> OwnedWaitGroupGuard {
        std::mem::forget(self.add());
        OwnedWaitGroupGuard {
            group: self.clone(),
        }
    }

    /// How many guards there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = compio_sync::WaitGroup::new();
    /// let guards = [group.add(), group.add()];
    /// assert_eq!(group.len(), 2);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.gate.left()
    }

    /// Whether there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(compio_sync::WaitGroup::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until there is no guard. What was done before each of them was dropped has happened
    /// then.
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
    /// let group = compio_sync::WaitGroup::new();
    /// group.wait().await; // nothing is under way
    /// # })
    /// ```
    pub fn wait(&self) -> WaitGroupWait<'_> {
        WaitGroupWait {
            group: self,
            wait: Wait::new(),
        }
    }

    /// Waits until there is no guard from a plain thread, which is blocked meanwhile.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime, whose tasks it would all stop.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = compio_sync::WaitGroup::new();
    /// std::thread::scope(|scope| {
    ///     let guard = group.add();
    ///     scope.spawn(move || drop(guard));
    ///     group.blocking_wait();
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_wait(&self) {
        block_on(self.wait());
    }

    /// How many wait in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(compio_sync::WaitGroup::new().waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.gate.waiter_count()
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup")
            .field("len", &self.len())
            .field("waiter_count", &self.waiter_count())
            .finish()
    }
}

/// Counts in a [`WaitGroup`] until it is dropped; made by [`WaitGroup::add`].
///
/// A clone counts as well.
#[must_use = "it counts until it is dropped, which would be at once"]
pub struct WaitGroupGuard<'a> {
    group: &'a WaitGroup,
}

impl WaitGroupGuard<'_> {
    /// The group that it counts in.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = compio_sync::WaitGroup::new();
    /// assert_eq!(group.add().group().len(), 1);
    /// ```
    #[must_use]
    pub fn group(&self) -> &WaitGroup {
        self.group
    }
}

impl Clone for WaitGroupGuard<'_> {
    fn clone(&self) -> Self {
        self.group.add()
    }
}

impl Drop for WaitGroupGuard<'_> {
    fn drop(&mut self) {
        self.group.gate.take(1);
    }
}

impl fmt::Debug for WaitGroupGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroupGuard").finish_non_exhaustive()
    }
}

/// Counts in a [`WaitGroup`] until it is dropped, and keeps it alive; made by
/// [`WaitGroup::add_owned`].
///
/// A clone counts as well.
#[must_use = "it counts until it is dropped, which would be at once"]
pub struct OwnedWaitGroupGuard {
    group: Arc<WaitGroup>,
}

impl OwnedWaitGroupGuard {
    /// The group that it counts in.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = std::sync::Arc::new(compio_sync::WaitGroup::new());
    /// assert_eq!(group.add_owned().group().len(), 1);
    /// ```
    #[must_use]
    pub fn group(&self) -> &Arc<WaitGroup> {
        &self.group
    }
}

impl Clone for OwnedWaitGroupGuard {
    fn clone(&self) -> Self {
        self.group.add_owned()
    }
}

impl Drop for OwnedWaitGroupGuard {
    fn drop(&mut self) {
        self.group.gate.take(1);
    }
}

impl fmt::Debug for OwnedWaitGroupGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedWaitGroupGuard")
            .finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// Waits until a [`WaitGroup`] has no guard; made by [`WaitGroup::wait`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct WaitGroupWait<'a> {
        group: &'a WaitGroup,
        #[pin]
        wait: Wait,
    }

    impl PinnedDrop for WaitGroupWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.leave(&this.group.gate);
        }
    }
}

impl Future for WaitGroupWait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.wait.poll(&this.group.gate, cx)
    }
}

impl fmt::Debug for WaitGroupWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroupWait")
            .field("queued", &self.wait.is_queued())
            .field("done", &self.wait.is_done())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::WaitGroup;
    use crate::gate::{self, Gate};

    #[test]
    fn more_guards_than_there_can_be_are_refused() {
        let group = WaitGroup {
            gate: Gate::new(gate::MAX - 1),
        };
        let last = group.add();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(group.add()))).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(last.clone()))).is_err());
        assert_eq!(group.len(), gate::MAX);
        drop(last);
        assert_eq!(group.len(), gate::MAX - 1);
    }
}
