//! The futures of a token.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    CancellationToken,
    node::{Node, Wait},
};

pin_project_lite::pin_project! {
    /// Waits until a token is cancelled; made by [`CancellationToken::cancelled`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Cancelled<'a> {
        pub(super) token: &'a CancellationToken,
        #[pin]
        pub(super) wait: Wait,
    }

    impl PinnedDrop for Cancelled<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.leave(&this.token.node);
        }
    }
}

impl Future for Cancelled<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.wait.poll(&this.token.node, cx)
    }
}

impl fmt::Debug for Cancelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled")
            .field("queued", &self.wait.is_queued())
            .field("done", &self.wait.is_done())
            .finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// Waits until a token is cancelled; made by [`CancellationToken::cancelled_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct CancelledOwned {
        pub(super) token: CancellationToken,
        #[pin]
        pub(super) wait: Wait,
    }

    impl PinnedDrop for CancelledOwned {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.leave(&this.token.node);
        }
    }
}

impl Future for CancelledOwned {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.wait.poll(&this.token.node, cx)
    }
}

impl fmt::Debug for CancelledOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelledOwned")
            .field("queued", &self.wait.is_queued())
            .field("done", &self.wait.is_done())
            .finish_non_exhaustive()
    }
}

/// The future first, so that what it has done is not lost; but it does not begin if it is over
/// already.
fn run<F: Future>(
    wait: Pin<&mut Wait>,
    node: &Node,
    begun: &mut bool,
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Option<F::Output>> {
    wait.expect_not_done();
    let begins = std::mem::replace(begun, true) || !node.is_cancelled();
    if begins && let Poll::Ready(output) = future.poll(cx) {
        wait.end(node);
        return Poll::Ready(Some(output));
    }
    wait.poll(node, cx).map(|()| None)
}

pin_project_lite::pin_project! {
    /// Runs a future until a token is cancelled; made by
    /// [`CancellationToken::run_until_cancelled`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RunUntilCancelled<'a, F> {
        #[pin]
        pub(super) cancelled: Cancelled<'a>,
        pub(super) begun: bool,
        #[pin]
        pub(super) future: F,
    }
}

impl<F: Future> Future for RunUntilCancelled<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let cancelled = this.cancelled.project();
        let node = &cancelled.token.node;
        run(cancelled.wait, node, this.begun, this.future, cx)
    }
}

impl<F> fmt::Debug for RunUntilCancelled<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunUntilCancelled")
            .field("cancelled", &self.cancelled)
            .finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// Runs a future until a token is cancelled; made by
    /// [`CancellationToken::run_until_cancelled_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RunUntilCancelledOwned<F> {
        #[pin]
        pub(super) cancelled: CancelledOwned,
        pub(super) begun: bool,
        #[pin]
        pub(super) future: F,
    }
}

impl<F: Future> Future for RunUntilCancelledOwned<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let cancelled = this.cancelled.project();
        let node = &cancelled.token.node;
        run(cancelled.wait, node, this.begun, this.future, cx)
    }
}

impl<F> fmt::Debug for RunUntilCancelledOwned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunUntilCancelledOwned")
            .field("cancelled", &self.cancelled)
            .finish_non_exhaustive()
    }
}
