//! A semaphore on a queue of wakers alone: who is woken asks again, and may find that somebody
//! else was faster. Not fair, but as much as such a queue can do.

use std::{
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    task::{Context, Poll, Waker},
};

use super::Semaphore;

/// A queue of wakers. Everything is in one order with the permits (`SeqCst`, or a lock): who
/// has added itself and finds no permit is found by whoever gives one.
pub trait Wakers: Default + Send + Sync + 'static {
    type Ticket: Send + Sync + Unpin;

    fn push(&self, waker: &Waker) -> Self::Ticket;
    /// Replaces the waker. False if it has been woken.
    fn update(&self, ticket: &Self::Ticket, waker: &Waker) -> bool;
    /// False if it has been woken.
    fn remove(&self, ticket: &Self::Ticket) -> bool;
    fn wake(&self, n: usize);
}

#[derive(Debug)]
pub struct WokenAgain<W> {
    permits: AtomicUsize,
    wakers: W,
}

impl<W: Wakers> WokenAgain<W> {
    fn try_take(&self) -> bool {
        self.permits
            .fetch_update(SeqCst, SeqCst, |permits| permits.checked_sub(1))
            .is_ok()
    }

    /// A wake-up that its owner did not need.
    fn pass_on(&self) {
        if self.permits.load(SeqCst) > 0 {
            self.wakers.wake(1);
        }
    }
}

impl<W: Wakers> Semaphore for WokenAgain<W> {
    fn new(permits: usize) -> Self {
        Self {
            permits: permits.into(),
            wakers: W::default(),
        }
    }

    fn acquire(&self) -> impl Future<Output = ()> + Send {
        Acquire {
            semaphore: self,
            ticket: None,
        }
    }

    fn add(&self, n: usize) {
        self.permits.fetch_add(n, SeqCst);
        self.wakers.wake(n);
    }
}

struct Acquire<'a, W: Wakers> {
    semaphore: &'a WokenAgain<W>,
    ticket: Option<W::Ticket>,
}

impl<W: Wakers> Future for Acquire<'_, W> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let semaphore = self.semaphore;
        if semaphore.try_take() {
            if let Some(ticket) = self.ticket.take() {
                semaphore.wakers.remove(&ticket);
            }
            return Poll::Ready(());
        }
        if let Some(ticket) = &self.ticket
            && semaphore.wakers.update(ticket, cx.waker())
        {
            return Poll::Pending;
        }
        let ticket = semaphore.wakers.push(cx.waker());
        if semaphore.try_take() {
            if !semaphore.wakers.remove(&ticket) {
                semaphore.pass_on();
            }
            self.ticket = None;
            return Poll::Ready(());
        }
        self.ticket = Some(ticket);
        Poll::Pending
    }
}

impl<W: Wakers> Drop for Acquire<'_, W> {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket
            && !self.semaphore.wakers.remove(ticket)
        {
            self.semaphore.pass_on();
        }
    }
}
