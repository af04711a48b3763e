//! Models for the loom checker: small programs that it runs in every order that the
//! memory model allows. `scripts/loom.sh` runs them.
//!
//! A model says which rows of the tables in the sources it reaches, and fails if it
//! does not; a row that no model names does not compile.
//!
//! A wait that is never woken is a deadlock, which loom reports. What a lock or a
//! notification is to order is a [`Cell`], whose unordered uses loom reports. What
//! others might use too long is a [`Mortal`].

#![allow(
    clippy::arc_with_non_send_sync,
    reason = "loom says whether sharing is sound"
)]

mod barrier;
mod cancellation_token;
mod condvar;
mod doorbell;
mod event;
mod gate;
mod home;
mod leaving;
mod mutex;
mod notify;
mod once_cell;
mod permits;
mod queue;
mod rows;
mod rwlock;
mod send;
mod shares;
mod spin;

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

use loom::{cell::UnsafeCell, thread};

use self::rows::Row;
use crate::sys::loom::{Mortal, take_steps};

/// How thoroughly a model is explored: with how many preemptions at most.
#[derive(Clone, Copy)]
enum Bound {
    /// Every order.
    All,
    /// So many, and one more in a full run.
    Light(usize),
    /// So many, and every order in a full run.
    LightOrAll(usize),
}

/// Explores `model` and checks that it reaches `rows`.
fn check(bound: Bound, rows: &[Row], model: impl Fn() + Send + Sync + 'static) {
    let full = std::env::var("LOOM_SET").is_ok_and(|set| set == "full");
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 10_000;
    builder.preemption_bound = match (bound, full) {
        (Bound::All, _) | (Bound::LightOrAll(_), true) => None,
        (Bound::Light(n) | Bound::LightOrAll(n), false) => Some(n),
        (Bound::Light(n), true) => Some(n + 1),
    };
    let start = Instant::now();
    let runs = Arc::new(AtomicUsize::new(0));
    take_steps();
    builder.check({
        let runs = Arc::clone(&runs);
        move || {
            runs.fetch_add(1, Ordering::Relaxed);
            model();
        }
    });
    println!(
        "{}: {} orders, {:.1} s, preemptions: {:?}",
        std::thread::current().name().unwrap_or("model"),
        runs.load(Ordering::Relaxed),
        start.elapsed().as_secs_f32(),
        builder.preemption_bound,
    );
    let steps = take_steps();
    for row in rows {
        assert!(
            steps.iter().any(|step| row.is(step)),
            "{row:?} is not reached: {steps:?}"
        );
    }
}

/// Data that must be used by one at a time, each use ordered after the one before.
struct Cell(UnsafeCell<()>);

impl Cell {
    fn new() -> Self {
        Self(UnsafeCell::new(()))
    }

    fn change(&self) {
        self.0.with_mut(|_| ());
    }

    fn look(&self) {
        self.0.with(|_| ());
    }
}

/// A waker of no runtime, which counts its calls.
#[derive(Default)]
struct Alarm {
    calls: AtomicUsize,
    rung: AtomicBool,
    outer: OnceLock<Waker>,
}

impl Alarm {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.rung.store(true, Ordering::SeqCst);
        if let Some(outer) = self.outer.get() {
            outer.wake_by_ref();
        }
    }
}

/// A future that is polled by hand and spoilt when it is dropped.
struct Hand<F> {
    future: Pin<Box<Mortal<F>>>,
    alarm: Arc<Alarm>,
}

impl<F: Future> Hand<F> {
    fn new(future: F) -> Self {
        Self {
            future: Box::pin(Mortal::new(future)),
            alarm: Alarm::new(),
        }
    }

    /// A future that waits.
    fn waiting(future: F) -> Self {
        let mut hand = Self::new(future);
        assert!(hand.poll().is_pending());
        hand
    }

    fn poll(&mut self) -> Poll<F::Output> {
        self.poll_with(&Waker::from(Arc::clone(&self.alarm)))
    }

    fn poll_with(&mut self, waker: &Waker) -> Poll<F::Output> {
        self.get().poll(&mut Context::from_waker(waker))
    }

    fn get(&mut self) -> Pin<&mut F> {
        self.future.as_mut().as_pin_mut()
    }
}

/// Blocks until `future` is done, and polls it only when its waker was called.
fn block_on<F: Future>(future: F) -> F::Output {
    let alarm = Alarm::new();
    alarm.rung.store(true, Ordering::SeqCst);
    let waker = Waker::from(Arc::clone(&alarm));
    let mut future = pin!(future);
    loom::future::block_on(poll_fn(|cx| {
        alarm.outer.get_or_init(|| cx.waker().clone());
        while alarm.rung.swap(false, Ordering::SeqCst) {
            let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
            if poll.is_ready() {
                return poll;
            }
        }
        Poll::Pending
    }))
}

/// Polls both, each only when its own waker was called, until both are done. What a
/// future returns is dropped at once.
fn block_on_both<F: Future, G: Future>(first: F, second: G) {
    let mut first = pin!(async { drop(first.await) });
    let mut second = pin!(async { drop(second.await) });
    let alarms = [Alarm::new(), Alarm::new()];
    let wakers = alarms.clone().map(Waker::from);
    for alarm in &alarms {
        alarm.rung.store(true, Ordering::SeqCst);
    }
    let mut left = 2;
    loom::future::block_on(poll_fn(|cx| {
        for at in 0..2 {
            alarms[at].outer.get_or_init(|| cx.waker().clone());
            while alarms[at].rung.swap(false, Ordering::SeqCst) {
                let mut cx = Context::from_waker(&wakers[at]);
                let poll = match at {
                    0 => first.as_mut().poll(&mut cx),
                    _ => second.as_mut().poll(&mut cx),
                };
                if poll.is_ready() {
                    left -= 1;
                    break;
                }
            }
        }
        if left == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
}

/// Both, in one task.
async fn both<F: Future, G: Future>(first: F, second: G) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut left = (true, true);
    poll_fn(|cx| {
        left.0 = left.0 && first.as_mut().poll(cx).is_pending();
        left.1 = left.1 && second.as_mut().poll(cx).is_pending();
        if left.0 || left.1 {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

fn join<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    for thread in threads {
        thread.join().unwrap();
    }
}
