//! Barriers and cells, with tasks that give up while others come.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    },
};

use super::{
    common::{Random, rounds, spawn, watchdog, yield_now},
    steady::on_runtimes,
};
use compio_sync::{Barrier, OnceCell};
use futures_util::future::{Either, select};

/// Polls `future` a few times, and drops it if it is not ready by then.
async fn give_up<F: Future>(future: F, patience: usize) -> Option<F::Output> {
    let patience = async {
        for _ in 0..patience {
            yield_now().await;
        }
    };
    match select(pin!(future), pin!(patience)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// Those who stay keep step, whoever comes with them and goes.
#[test]
fn impatient_tasks_at_a_barrier_let_nobody_through_early() {
    let dog = watchdog();
    const PARTIES: usize = 12;
    let steps = rounds(300);
    let barrier = dog.shown(Barrier::new(PARTIES));
    let (arrived, passed, led) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    // How many of those who stay have still to go their steps: as many as it takes.
    let staying = Arc::new(AtomicUsize::new(PARTIES));
    on_runtimes(3, async |me| {
        let tasks: Vec<_> = (0..PARTIES + 4)
            .map(|i| {
                let (barrier, staying) = (barrier.clone(), staying.clone());
                let (arrived, passed, led) = (arrived.clone(), passed.clone(), led.clone());
                let mut random = Random::new((me * 100 + i) as u64 + 1);
                let stays = me < 2 && i < PARTIES / 2;
                spawn(async move {
                    let mut step = 0;
                    while if stays {
                        step < steps
                    } else {
                        staying.load(SeqCst) > 0
                    } {
                        step += 1;
                        // Each asks once more than it is counted for, if it gives up.
                        arrived.fetch_add(1, SeqCst);
                        let wait = barrier.wait();
                        let wait = async {
                            if stays {
                                Some(wait.await)
                            } else {
                                give_up(wait, random.below(12)).await
                            }
                        };
                        match wait.await {
                            Some(result) => {
                                passed.fetch_add(1, SeqCst);
                                if result.is_leader() {
                                    led.fetch_add(1, SeqCst);
                                }
                                let (passed, led) = (passed.load(SeqCst), led.load(SeqCst));
                                // A leader may not have been counted yet, for each runtime one.
                                assert!(passed <= PARTIES * (led + 3));
                            }
                            None => yield_now().await,
                        }
                    }
                    if stays {
                        staying.fetch_sub(1, SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let (arrived, passed) = (arrived.load(SeqCst), passed.load(SeqCst));
    let led = led.load(SeqCst);
    assert!(led >= steps && passed <= PARTIES * led && passed <= arrived);
    assert_eq!(barrier.waiter_count(), 0);
}

/// Attempts that fail, panic, are dropped; on several runtimes and threads. Never two at a
/// time, and each cell is set in the end.
#[test]
fn attempts_of_many_runtimes_go_on_until_one_succeeds() {
    let _dog = watchdog();
    let n = rounds(300);
    let cells: Arc<Vec<_>> = Arc::new(
        (0..n)
            .map(|_| (OnceCell::new(), AtomicUsize::new(0), AtomicUsize::new(0)))
            .collect(),
    );
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for (i, (cell, ..)) in cells.iter().enumerate() {
                    assert_eq!(*cell.blocking_wait(), i);
                }
            });
        }
        on_runtimes(3, async |me| {
            let tasks: Vec<_> = (0..10)
                .map(|task| {
                    let cells = cells.clone();
                    let mut random = Random::new((me * 10 + task) as u64 + 3);
                    spawn(async move {
                        for (i, (cell, inside, made)) in cells.iter().enumerate() {
                            loop {
                                let (turns, fails) = (random.below(3), random.one_in(3));
                                let init = async || {
                                    struct Inside<'a>(&'a AtomicUsize);
                                    impl Drop for Inside<'_> {
                                        fn drop(&mut self) {
                                            self.0.store(0, Relaxed);
                                        }
                                    }
                                    // Relaxed: the turns order it.
                                    assert_eq!(inside.load(Relaxed), 0);
                                    inside.store(1, Relaxed);
                                    let _inside = Inside(inside);
                                    for _ in 0..turns {
                                        yield_now().await;
                                    }
                                    if fails {
                                        return Err(());
                                    }
                                    made.fetch_add(1, SeqCst);
                                    Ok(i)
                                };
                                let wait = cell.get_or_try_init(init);
                                let patience = random.below(5);
                                if let Some(Ok(value)) = give_up(wait, patience).await {
                                    assert_eq!(*value, i);
                                    break;
                                }
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
    for (cell, inside, made) in cells.iter() {
        assert_eq!((inside.load(SeqCst), made.load(SeqCst)), (0, 1));
        assert_eq!(cell.waiter_count(), 0);
    }
}
