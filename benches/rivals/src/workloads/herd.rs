//! Many tasks of a runtime that a thread notifies at once.

use std::{
    cell::Cell,
    pin::pin,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use compio::runtime::{Runtime, spawn};

use super::turn;
use crate::{
    contestants::{Notifier, NotifierWork},
    limits::Bare,
};

/// Measures how long the notifier takes, and how long until all tasks have run.
///
/// The runtime sleeps when it begins. There is a notifier for each round, since that of some
/// rivals stays set.
#[derive(Clone, Copy)]
pub(crate) struct Herd(pub(crate) usize);

impl NotifierWork for Herd {
    fn run<N: Notifier + Send + Sync>(self, rounds: u64) -> Vec<f64> {
        let notifiers: Arc<[N]> = (0..rounds).map(|_| N::new()).collect();
        let theirs = notifiers.clone();
        self.measure(
            rounds,
            move |waiting, ran| self.target(theirs, waiting, ran),
            |round| notifiers[round].notify_all(),
        )
    }
}

/// The least that it takes: one task of the runtime is woken by its plain waker, and wakes the
/// herd, which waits without a lock and without an atomic operation.
pub(crate) fn by_a_bare_list(herd: Herd, rounds: u64) -> Vec<f64> {
    let signal = Arc::new(Signal::default());
    let theirs = signal.clone();
    herd.measure(
        rounds,
        move |waiting, ran| async move {
            #[allow(clippy::arc_with_non_send_sync)] // As `target` takes them.
            let notifiers: Arc<[Bare]> = (0..rounds).map(|_| <Bare as Notifier>::new()).collect();
            let herald = spawn({
                let notifiers = notifiers.clone();
                async move {
                    for notifier in notifiers.iter() {
                        theirs.wait().await;
                        // All in one turn takes twice as long: see docs/RESEARCH.md.
                        while notifier.give_some(60) {
                            turn().await;
                        }
                    }
                }
            });
            herd.target(notifiers, waiting, ran).await;
            herald.await.unwrap_or_else(|_| panic!("a task"));
        },
        |_| signal.give(),
    )
}

/// To one task from another thread.
#[derive(Default)]
struct Signal {
    given: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Signal {
    fn give(&self) {
        self.given.store(true, Ordering::SeqCst);
        let waker = self.waker.lock().expect("no panic").take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(&self) {
        std::future::poll_fn(|cx| {
            *self.waker.lock().expect("no panic") = Some(cx.waker().clone());
            if self.given.swap(false, Ordering::SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

impl Herd {
    /// `target` is run by a runtime of its own, which sleeps when `notify` is called for a round.
    fn measure<F: Future<Output = ()>>(
        self,
        rounds: u64,
        target: impl FnOnce(Arc<AtomicU64>, mpsc::Sender<Instant>) -> F + Send + 'static,
        notify: impl Fn(usize),
    ) -> Vec<f64> {
        // So many rounds all tasks have begun to wait for.
        let waiting = Arc::new(AtomicU64::new(0));
        let (ran, all_ran) = mpsc::channel();
        let target = {
            let waiting = waiting.clone();
            thread::spawn(move || {
                Runtime::new()
                    .expect("a runtime")
                    .block_on(target(waiting, ran));
            })
        };
        let (mut notifying, mut until_all) = (Duration::ZERO, Duration::ZERO);
        for round in 0..rounds {
            // Acquire: pairs with the release in `target`.
            while waiting.load(Ordering::Acquire) <= round {
                thread::yield_now();
            }
            // It falls asleep.
            thread::sleep(Duration::from_micros(200));
            let start = Instant::now();
            notify(round as usize);
            notifying += start.elapsed();
            // Some never reach all; their runtime's thread is left where it is.
            let Ok(end) = all_ran.recv_timeout(Duration::from_secs(3)) else {
                return Vec::new();
            };
            until_all += end - start;
        }
        target.join().expect("the runtime's thread");
        [notifying, until_all]
            .map(|time| time.as_nanos() as f64 / rounds as f64)
            .into()
    }
}

impl Herd {
    async fn target<N: Notifier>(
        self,
        notifiers: Arc<[N]>,
        waiting: Arc<AtomicU64>,
        ran: mpsc::Sender<Instant>,
    ) {
        let total = self.0;
        let counts = Rc::new((Cell::new(0), Cell::new(0)));
        let tasks: Vec<_> = (0..total)
            .map(|_| {
                let (notifiers, waiting) = (notifiers.clone(), waiting.clone());
                let (ran, counts) = (ran.clone(), counts.clone());
                spawn(async move {
                    for (round, notifier) in (1..).zip(notifiers.iter()) {
                        let mut notified = pin!(notifier.notified());
                        let mut first = true;
                        std::future::poll_fn(|cx| {
                            let poll = notified.as_mut().poll(cx);
                            if std::mem::take(&mut first) {
                                counts.0.set(counts.0.get() + 1);
                                if counts.0.get() == total * round {
                                    // Release: pairs with the acquire of the notifier.
                                    waiting.store(round as u64, Ordering::Release);
                                }
                            }
                            poll.map(drop)
                        })
                        .await;
                        counts.1.set(counts.1.get() + 1);
                        if counts.1.get() == total * round {
                            ran.send(Instant::now()).expect("the notifier");
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap_or_else(|_| panic!("a task"));
        }
    }
}
