//! The baseline with what it takes to be fair: a permit that is given back is the first waiter's,
//! and under the lock of the wakers, so that nobody comes in between.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use super::{Semaphore, baseline::Numbered};

#[derive(Debug, Default)]
struct State {
    permits: usize,
    waiters: Numbered,
}

#[derive(Debug, Default)]
pub struct FairBaseline(Mutex<State>);

impl FairBaseline {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Semaphore for FairBaseline {
    fn new(permits: usize) -> Self {
        Self(Mutex::new(State {
            permits,
            waiters: Numbered::default(),
        }))
    }

    fn acquire(&self) -> impl Future<Output = ()> + Send {
        Acquire {
            semaphore: self,
            number: None,
        }
    }

    fn add(&self, mut n: usize) {
        while n > 0 {
            let first = self.with(|state| {
                let first = state.waiters.pop();
                if first.is_none() {
                    state.permits += n;
                }
                first
            });
            match first {
                Some(waker) => waker.wake(),
                None => return,
            }
            n -= 1;
        }
    }
}

/// With a number it is in the queue, or has been given a permit if it is not there.
struct Acquire<'a> {
    semaphore: &'a FairBaseline,
    number: Option<u64>,
}

impl Future for Acquire<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let semaphore = self.semaphore;
        if let Some(number) = self.number {
            if semaphore.with(|state| state.waiters.update(number, cx.waker())) {
                return Poll::Pending;
            }
            self.number = None;
            return Poll::Ready(());
        }
        let waker = cx.waker();
        self.number = semaphore.with(|state| {
            if state.permits > 0 {
                state.permits -= 1;
                None
            } else {
                Some(state.waiters.push(waker.clone()))
            }
        });
        match self.number {
            Some(_) => Poll::Pending,
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number
            && self
                .semaphore
                .with(|state| state.waiters.remove(number))
                .is_none()
        {
            self.semaphore.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::{FairBaseline, Semaphore};

    #[test]
    fn a_permit_goes_to_the_first_and_from_who_gives_up_to_the_next() {
        let semaphore = FairBaseline::new(0);
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = Box::pin(semaphore.acquire());
        let mut second = pin!(semaphore.acquire());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        semaphore.add(1);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(pin!(semaphore.acquire()).poll(&mut cx).is_pending());
        drop(first);
        assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(()));
        semaphore.add(1);
        assert!(pin!(semaphore.acquire()).poll(&mut cx).is_ready());
    }
}
