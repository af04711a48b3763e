//! The futures that get a value or make it.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{OnceCell, RawOnce, Turn};
use crate::waiter_queue::Waiter;

pin_project_lite::pin_project! {
    /// One attempt to get or make the value.
    ///
    /// | stage | waiter | `f` | `future`, `turn` | dropping |
    /// | --- | --- | --- | --- | --- |
    /// | new | idle | there | none | does nothing |
    /// | waiting | queued | there | none | leaves the queue |
    /// | chosen | posted, woken, counted | there | none | the next has the turn |
    /// | woken for the value | posted, woken, counted | there | none | does nothing |
    /// | running | idle | none | there | drops the future; then the next has the turn |
    /// | done | idle | none | none | does nothing |
    struct Attempt<'a, T, F, Fut> {
        cell: &'a OnceCell<T>,
        f: Option<F>,
        #[pin]
        future: Option<Fut>,
        // Dropped by `end`.
        turn: ManuallyDrop<Option<Turn<'a>>>,
        #[pin]
        waiter: Waiter,
    }

    impl<T, F, Fut> PinnedDrop for Attempt<'_, T, F, Fut> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // The one question for most: what is dropped was ready at once.
            if this.turn.is_some() || this.waiter.is_settled() {
                end(&this.cell.raw, this.waiter, this.future, this.turn);
            }
        }
    }
}

/// An attempt is dropped in a stage in which it may have something to give up.
#[cold]
#[inline(never)]
fn end<Fut>(
    raw: &RawOnce,
    waiter: Pin<&mut Waiter>,
    mut future: Pin<&mut Option<Fut>>,
    turn: &mut Option<Turn<'_>>,
) {
    let turn = turn.take();
    raw.abandon_turn(waiter);
    // Before the next has the turn, and also if this panics.
    future.set(None);
    drop(turn);
}

/// Drops a future in place, also if its poll panics.
struct Running<'p, Fut>(Pin<&'p mut Option<Fut>>);

impl<Fut> Drop for Running<'_, Fut> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl<'a, T, F, Fut> Attempt<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    fn new(cell: &'a OnceCell<T>, f: F) -> Self {
        Self {
            cell,
            f: Some(f),
            future: None,
            turn: ManuallyDrop::new(None),
            waiter: Waiter::new(),
        }
    }

    /// The value, if it is there when this is polled first: nothing has begun that is to be ended.
    #[inline]
    fn at_once(self: Pin<&mut Self>) -> Option<&'a T> {
        let this = self.project();
        let value = this.cell.get()?;
        if this.f.is_none() || this.waiter.is_settled() {
            return None;
        }
        *this.f = None;
        Some(value)
    }

    /// The next step. `result` says what the output of the future is worth.
    fn step<E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        result: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        let mut this = self.project();
        let cell = *this.cell;
        let turn = match this.turn.take() {
            Some(turn) => turn,
            None => {
                assert!(this.f.is_some(), "a future was polled after it was ready");
                let turn = ready!(cell.raw.poll_turn(this.waiter, cx.waker()));
                let f = this.f.take().expect("there until it has its turn");
                let Some(turn) = turn else {
                    return Poll::Ready(Ok(cell.expect_set()));
                };
                // From here on it is given up if anything panics.
                this.future.set(Some(f()));
                turn
            }
        };
        let mut running = Running(this.future);
        let future = running.0.as_mut().as_pin_mut();
        let Poll::Ready(output) = future.expect("there while it runs").poll(cx) else {
            std::mem::forget(running);
            **this.turn = Some(turn);
            return Poll::Pending;
        };
        drop(running);
        Poll::Ready(result(output).map(|value| cell.fill(turn, value)))
    }
}

impl<T, F, Fut> Attempt<'_, T, F, Fut> {
    fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.turn.is_some();
        f.debug_struct(name)
            .field("queued", &(self.waiter.is_linked()))
            .field("running", &running)
            .field("done", &(!running && self.f.is_none()))
            .finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// Gets the value of a [`OnceCell`] or makes it; made by [`OnceCell::get_or_init`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct GetOrInit<'a, T, F, Fut> {
        #[pin]
        attempt: Attempt<'a, T, F, Fut>,
    }
}

impl<'a, T, F, Fut> GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    pub(super) fn new(cell: &'a OnceCell<T>, f: F) -> Self {
        Self {
            attempt: Attempt::new(cell, f),
        }
    }
}

impl<'a, T, F, Fut> Future for GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let mut attempt = self.project().attempt;
        if let Some(value) = attempt.as_mut().at_once() {
            return Poll::Ready(value);
        }
        attempt
            .step(cx, Ok::<_, Infallible>)
            .map(|result| match result {
                Ok(value) => value,
                Err(never) => match never {},
            })
    }
}

impl<T, F, Fut> fmt::Debug for GetOrInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.attempt.debug("GetOrInit", f)
    }
}

pin_project_lite::pin_project! {
    /// Gets the value of a [`OnceCell`] or tries to make it; made by
    /// [`OnceCell::get_or_try_init`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct GetOrTryInit<'a, T, F, Fut> {
        #[pin]
        attempt: Attempt<'a, T, F, Fut>,
    }
}

impl<'a, T, F, Fut> GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    pub(super) fn new(cell: &'a OnceCell<T>, f: F) -> Self {
        Self {
            attempt: Attempt::new(cell, f),
        }
    }
}

impl<'a, T, E, F, Fut> Future for GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a T, E>> {
        let mut attempt = self.project().attempt;
        if let Some(value) = attempt.as_mut().at_once() {
            return Poll::Ready(Ok(value));
        }
        attempt.step(cx, |result| result)
    }
}

impl<T, F, Fut> fmt::Debug for GetOrTryInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.attempt.debug("GetOrTryInit", f)
    }
}
