//! One task, or two of one runtime that take turns.

use std::{future::poll_fn, hint::black_box, pin::pin, rc::Rc, task::Poll, time::Instant};

use compio::runtime::spawn;

use super::{each, in_task};
use crate::contestants::{Mutex, MutexWork, Semaphore, SemaphoreWork};

/// A permit is free: taken and given back.
#[derive(Clone, Copy)]
pub(crate) struct Acquire;

impl SemaphoreWork for Acquire {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64> {
        in_task(async move {
            let semaphore = S::new(1);
            let semaphore = black_box(&semaphore);
            let start = Instant::now();
            for _ in 0..n {
                drop(black_box(semaphore.acquire().await));
            }
            each(start.elapsed(), n)
        })
    }
}

#[derive(Clone, Copy)]
pub(crate) struct TryAcquire;

impl SemaphoreWork for TryAcquire {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64> {
        let semaphore = S::new(1);
        let semaphore = black_box(&semaphore);
        let start = Instant::now();
        for _ in 0..n {
            drop(black_box(semaphore.try_acquire()));
        }
        each(start.elapsed(), n)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Lock;

impl MutexWork for Lock {
    fn run<M: Mutex + Send + Sync>(self, n: u64) -> Vec<f64> {
        in_task(async move {
            let mutex = M::new();
            let mutex = black_box(&mutex);
            let start = Instant::now();
            for _ in 0..n {
                drop(black_box(mutex.lock().await));
            }
            each(start.elapsed(), n)
        })
    }
}

#[derive(Clone, Copy)]
pub(crate) struct TryLock;

impl MutexWork for TryLock {
    fn run<M: Mutex + Send + Sync>(self, n: u64) -> Vec<f64> {
        let mutex = M::new();
        let mutex = black_box(&mutex);
        let start = Instant::now();
        for _ in 0..n {
            drop(black_box(mutex.try_lock()));
        }
        each(start.elapsed(), n)
    }
}

/// Polled once by a task, and dropped.
pub(crate) fn park_and_cancel<S: Semaphore>(n: u64) -> Vec<f64> {
    in_task(poll_fn(move |cx| {
        let semaphore = S::new(0);
        let semaphore = black_box(&semaphore);
        let start = Instant::now();
        for _ in 0..n {
            let mut wait = pin!(semaphore.acquire());
            assert!(black_box(wait.as_mut().poll(cx).is_pending()));
        }
        Poll::Ready(each(start.elapsed(), n))
    }))
}

/// Polled by a task, given a permit, polled again.
pub(crate) fn park_and_wake<S: Semaphore>(n: u64) -> Vec<f64> {
    in_task(poll_fn(move |cx| {
        let semaphore = S::new(0);
        let semaphore = black_box(&semaphore);
        let start = Instant::now();
        for _ in 0..n {
            let mut wait = pin!(semaphore.acquire());
            assert!(wait.as_mut().poll(cx).is_pending());
            semaphore.add();
            match wait.as_mut().poll(cx) {
                Poll::Ready(permit) => S::forget(permit),
                Poll::Pending => panic!("a wake-up is lost"),
            }
        }
        Poll::Ready(each(start.elapsed(), n))
    }))
}

/// Pairs of tasks that take turns: for one hand-over, of which each turn is one.
pub(crate) fn hand_over<S: Semaphore>(pairs: usize, n: u64) -> Vec<f64> {
    async fn play<S: Semaphore>(mine: Rc<S>, others: Rc<S>, turns: u64) {
        for _ in 0..turns {
            S::forget(mine.acquire().await);
            others.add();
        }
    }
    in_task(async move {
        let turns = n.div_ceil(2 * pairs as u64);
        let (mut first, mut second, mut begin) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..pairs {
            let (ping, pong) = (Rc::new(S::new(0)), Rc::new(S::new(0)));
            first.push(spawn(play(ping.clone(), pong.clone(), turns)));
            second.push(spawn(play(pong, ping.clone(), turns)));
            begin.push(ping);
        }
        // All wait when it begins.
        super::turn().await;
        let start = Instant::now();
        for ping in begin {
            ping.add();
        }
        for task in first.into_iter().chain(second) {
            task.await.unwrap_or_else(|_| panic!("a task"));
        }
        each(start.elapsed(), 2 * pairs as u64 * turns)
    })
}

#[derive(Clone, Copy)]
pub(crate) struct ParkAndCancel;

impl SemaphoreWork for ParkAndCancel {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64> {
        park_and_cancel::<S>(n)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct ParkAndWake;

impl SemaphoreWork for ParkAndWake {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64> {
        park_and_wake::<S>(n)
    }
}

/// Of so many pairs.
#[derive(Clone, Copy)]
pub(crate) struct HandOver(pub(crate) usize);

impl SemaphoreWork for HandOver {
    fn run<S: Semaphore + Send + Sync>(self, n: u64) -> Vec<f64> {
        hand_over::<S>(self.0, n)
    }
}
