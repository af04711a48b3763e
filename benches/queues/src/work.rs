//! What is measured.

use std::{
    future::poll_fn,
    hint::black_box,
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use compio::runtime::{Runtime, spawn};

use crate::{
    candidates::{Semaphore, Work},
    priority,
};

fn each(took: Duration, n: u64) -> Vec<f64> {
    vec![took.as_nanos() as f64 / n as f64]
}

fn in_task<T: 'static>(task: impl Future<Output = T> + 'static) -> T {
    Runtime::new()
        .expect("a runtime")
        .block_on(async { spawn(task).await.unwrap_or_else(|_| panic!("a task")) })
}

/// Nobody else is there: taken and given back.
#[derive(Clone, Copy)]
pub struct Free;

impl Work for Free {
    fn run<S: Semaphore>(self, n: u64) -> Vec<f64> {
        in_task(async move {
            let semaphore = S::new(1);
            let semaphore = black_box(&semaphore);
            let start = Instant::now();
            for _ in 0..n {
                semaphore.acquire().await;
                semaphore.add(1);
            }
            each(start.elapsed(), n)
        })
    }
}

/// Behind so many, one comes and gives up.
#[derive(Clone, Copy)]
pub struct Leave(pub usize);

impl Work for Leave {
    fn run<S: Semaphore>(self, n: u64) -> Vec<f64> {
        in_task(poll_fn(move |cx| {
            let semaphore = S::new(0);
            let semaphore = black_box(&semaphore);
            let mut others: Vec<_> = (0..self.0).map(|_| Box::pin(semaphore.acquire())).collect();
            for other in &mut others {
                assert!(other.as_mut().poll(cx).is_pending());
            }
            let start = Instant::now();
            for _ in 0..n {
                let mut wait = pin!(semaphore.acquire());
                assert!(wait.as_mut().poll(cx).is_pending());
            }
            Poll::Ready(each(start.elapsed(), n))
        }))
    }
}

/// The first of so many is woken, and comes again.
#[derive(Clone, Copy)]
pub struct WakeOne(pub usize);

impl Work for WakeOne {
    fn run<S: Semaphore>(self, n: u64) -> Vec<f64> {
        in_task(poll_fn(move |cx| {
            let semaphore = S::new(0);
            let semaphore = black_box(&semaphore);
            let mut queue: Vec<_> = (0..self.0).map(|_| Box::pin(semaphore.acquire())).collect();
            for wait in &mut queue {
                assert!(wait.as_mut().poll(cx).is_pending());
            }
            let mut first = 0;
            let start = Instant::now();
            for _ in 0..n {
                let wait = &mut queue[first];
                semaphore.add(1);
                assert!(wait.as_mut().poll(cx).is_ready());
                wait.set(semaphore.acquire());
                assert!(wait.as_mut().poll(cx).is_pending());
                first = if first + 1 == self.0 { 0 } else { first + 1 };
            }
            Poll::Ready(each(start.elapsed(), n))
        }))
    }
}

/// So many come, and are all woken: for each.
#[derive(Clone, Copy)]
pub struct WakeAll(pub usize);

impl Work for WakeAll {
    fn run<S: Semaphore>(self, n: u64) -> Vec<f64> {
        in_task(poll_fn(move |cx| {
            let semaphore = S::new(0);
            let semaphore = black_box(&semaphore);
            let rounds = n.div_ceil(self.0 as u64);
            let mut queue: Vec<_> = (0..self.0).map(|_| Box::pin(semaphore.acquire())).collect();
            let start = Instant::now();
            for _ in 0..rounds {
                for wait in &mut queue {
                    assert!(wait.as_mut().poll(cx).is_pending());
                }
                semaphore.add(self.0);
                for wait in &mut queue {
                    assert!(wait.as_mut().poll(cx).is_ready());
                    wait.set(semaphore.acquire());
                }
            }
            Poll::Ready(each(start.elapsed(), rounds * self.0 as u64))
        }))
    }
}

/// Tasks of so many runtimes, each with a thread, that all want the same permit and let the
/// others of their runtime run while they have it.
#[derive(Clone, Copy)]
pub struct Contended {
    pub runtimes: usize,
    pub tasks: usize,
}

impl Work for Contended {
    fn run<S: Semaphore>(self, n: u64) -> Vec<f64> {
        let semaphore = Arc::new(S::new(1));
        let turns = n.div_ceil(self.tasks as u64);
        let begin = Barrier::new(self.runtimes);
        let run = || {
            Runtime::new().expect("a runtime").block_on(async {
                begin.wait();
                let start = Instant::now();
                let tasks: Vec<_> = (0..self.tasks / self.runtimes)
                    .map(|_| {
                        let semaphore = semaphore.clone();
                        spawn(async move {
                            for _ in 0..turns {
                                semaphore.acquire().await;
                                turn().await;
                                semaphore.add(1);
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap_or_else(|_| panic!("a task"));
                }
                start.elapsed()
            })
        };
        let took = thread::scope(|scope| {
            let threads: Vec<_> = (1..self.runtimes).map(|_| scope.spawn(run)).collect();
            let mine = run();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a runtime's thread"))
                .fold(mine, Duration::max)
        });
        each(took, turns * self.tasks as u64)
    }
}

async fn turn() {
    let mut first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

fn come_and_go<S: Semaphore>(semaphore: &S, turn: u64, cx: &mut Context<'_>) {
    let mut wait = pin!(semaphore.acquire());
    if turn.is_multiple_of(8) {
        semaphore.add(1);
    }
    // Who is lucky gives it to the next one.
    if wait.as_mut().poll(cx).is_ready() && turn % 8 != 1 {
        semaphore.add(1);
    }
}

/// Threads without a runtime that come to the same queue and give up, and now and then give a
/// permit and take it again. For each operation of all together, and the longest of all, which
/// may itself have been preempted.
#[derive(Clone, Copy)]
pub struct Threads(pub usize);

impl Work for Threads {
    fn run<S: Semaphore>(self, n: u64) -> Vec<f64> {
        let semaphore = S::new(0);
        let turns = n.div_ceil(self.0 as u64);
        let begin = Barrier::new(self.0);
        let run = || {
            let mut cx = Context::from_waker(Waker::noop());
            let mut longest = Duration::ZERO;
            begin.wait();
            let start = Instant::now();
            for turn in 0..turns {
                let asked = Instant::now();
                come_and_go(&semaphore, turn, &mut cx);
                longest = longest.max(asked.elapsed());
            }
            (start.elapsed(), longest)
        };
        let (took, longest) = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.0).map(|_| scope.spawn(run)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a thread"))
                .fold(Default::default(), |a: (Duration, Duration), b| {
                    (a.0.max(b.0), a.1.max(b.1))
                })
        });
        let mut figures = each(took, turns * self.0 as u64);
        figures.push(longest.as_nanos() as f64);
        figures
    }
}

/// A thread that comes and goes all the time, and on the same processor one of higher priority
/// that does so now and then: whenever it wakes, it has preempted the other, sometimes while that
/// held a lock. What it takes for an operation, and the longest. None at all without the right to
/// a real-time priority.
#[derive(Clone, Copy)]
pub struct Preempting;

impl Work for Preempting {
    fn run<S: Semaphore>(self, n: u64) -> Vec<f64> {
        const PAUSE: Duration = Duration::from_micros(50);
        let semaphore = S::new(0);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                priority::pin_to_one_processor();
                let mut cx = Context::from_waker(Waker::noop());
                for turn in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    come_and_go(&semaphore, turn, &mut cx);
                }
            });
            let above = scope.spawn(|| {
                priority::pin_to_one_processor();
                let mut cx = Context::from_waker(Waker::noop());
                let mut took: Vec<f64> = if priority::raise() {
                    (0..n)
                        .map(|turn| {
                            thread::sleep(PAUSE);
                            let asked = Instant::now();
                            come_and_go(&semaphore, turn, &mut cx);
                            asked.elapsed().as_nanos() as f64
                        })
                        .collect()
                } else {
                    Vec::new()
                };
                over.store(true, Ordering::Relaxed);
                took.sort_by(f64::total_cmp);
                took
            });
            let took = above.join().expect("a thread");
            took.get(took.len() / 2)
                .map_or_else(Vec::new, |median| vec![*median, took[took.len() - 1]])
        })
    }
}
