//! A queue of so many: does its length matter?

use std::{
    future::poll_fn,
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{each, in_task};
use crate::contestants::{Semaphore, SemaphoreWork};

/// Polls all. Returns whether that took less than a second: saa spins for a while before it
/// waits.
fn come<F: Future>(queue: &mut [Pin<Box<F>>], cx: &mut Context<'_>) -> bool {
    let start = Instant::now();
    queue.iter_mut().all(|wait| {
        assert!(wait.as_mut().poll(cx).is_pending());
        start.elapsed() < Duration::from_secs(1)
    })
}

/// The last one comes, and gives up.
#[derive(Clone, Copy)]
pub(crate) struct ComeAndGo(pub(crate) usize);

impl SemaphoreWork for ComeAndGo {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64> {
        self.on_one::<S>(n)
    }
}

impl ComeAndGo {
    /// By one thread.
    pub(crate) fn on_one<S: Semaphore>(self, n: u64) -> Vec<f64> {
        in_task(poll_fn(move |cx| {
            let semaphore = S::new(0);
            let semaphore = black_box(&semaphore);
            let mut queue: Vec<_> = (0..self.0).map(|_| Box::pin(semaphore.acquire())).collect();
            if !come(&mut queue, cx) {
                return Poll::Ready(Vec::new());
            }
            let start = Instant::now();
            for _ in 0..n {
                let mut wait = pin!(semaphore.acquire());
                assert!(black_box(wait.as_mut().poll(cx).is_pending()));
            }
            let took = start.elapsed();
            drop(queue);
            Poll::Ready(each(took, n))
        }))
    }
}

/// One in the middle gives up, and comes again as the last.
#[derive(Clone, Copy)]
pub(crate) struct LeaveMiddle(pub(crate) usize);

impl SemaphoreWork for LeaveMiddle {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64> {
        self.on_one::<S>(n)
    }
}

impl LeaveMiddle {
    /// By one thread.
    pub(crate) fn on_one<S: Semaphore>(self, n: u64) -> Vec<f64> {
        in_task(poll_fn(move |cx| {
            let semaphore = S::new(0);
            let semaphore = black_box(&semaphore);
            let mut queue: Vec<_> = (0..self.0).map(|_| Box::pin(semaphore.acquire())).collect();
            if !come(&mut queue, cx) {
                return Poll::Ready(Vec::new());
            }
            let mut middle = self.0 / 2;
            let start = Instant::now();
            for _ in 0..n {
                queue[middle].set(semaphore.acquire());
                assert!(queue[middle].as_mut().poll(cx).is_pending());
                middle = (middle + 7) % self.0;
            }
            let took = start.elapsed();
            drop(queue);
            Poll::Ready(each(took, n))
        }))
    }
}

/// The first one is given a permit, and comes again as the last.
#[derive(Clone, Copy)]
pub(crate) struct WakeFirst(pub(crate) usize);

impl SemaphoreWork for WakeFirst {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64> {
        self.on_one::<S>(n)
    }
}

impl WakeFirst {
    /// By one thread.
    pub(crate) fn on_one<S: Semaphore>(self, n: u64) -> Vec<f64> {
        in_task(poll_fn(move |cx| {
            let semaphore = S::new(0);
            let semaphore = black_box(&semaphore);
            let mut queue: Vec<_> = (0..self.0).map(|_| Box::pin(semaphore.acquire())).collect();
            if !come(&mut queue, cx) {
                return Poll::Ready(Vec::new());
            }
            let mut first = 0;
            let start = Instant::now();
            for _ in 0..n {
                let wait = &mut queue[first];
                semaphore.add();
                match wait.as_mut().poll(cx) {
                    Poll::Ready(permit) => S::forget(permit),
                    Poll::Pending => panic!("not the first was woken"),
                }
                wait.set(semaphore.acquire());
                assert!(wait.as_mut().poll(cx).is_pending());
                first = if first + 1 == self.0 { 0 } else { first + 1 };
            }
            let took = start.elapsed();
            drop(queue);
            Poll::Ready(each(took, n))
        }))
    }
}
