//! Barriers and cells, with tasks of several runtimes and plain threads that give up at random.

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use shuttle::thread;

use super::{Room, below, explore, join, perhaps, spawn};
use crate::{Barrier, OnceCell};

/// Gives the others a turn.
fn turn() -> impl Future<Output = ()> {
    let mut first = true;
    poll_fn(move |cx| {
        if std::mem::take(&mut first) {
            thread::yield_now();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
}

/// Nobody begins a step before all have ended the one before; one of each step leads.
#[test]
fn barrier_keeps_step() {
    explore(|| {
        const PARTIES: usize = 3;
        const STEPS: usize = 3;
        let shared = Arc::new((
            Barrier::new(PARTIES),
            AtomicUsize::new(0),
            AtomicUsize::new(0),
        ));
        join((0..PARTIES).map(|_| {
            let shared = shared.clone();
            spawn(async move || {
                let (barrier, done, led) = &*shared;
                for step in 1..=STEPS {
                    done.fetch_add(1, SeqCst);
                    let result = barrier.wait().await;
                    led.fetch_add(usize::from(result.is_leader()), SeqCst);
                    let done = done.load(SeqCst);
                    assert!((PARTIES * step..PARTIES * (step + 1)).contains(&done));
                }
            })
        }));
        assert_eq!(shared.2.load(SeqCst), STEPS);
        assert_eq!(shared.0.waiter_count(), 0);
    });
}

/// As many results as generations times parties, of those who stay and of those whose
/// generation was complete when they gave up; nobody waits in the end who need not.
#[test]
fn barrier_of_the_impatient() {
    explore(|| {
        let barrier = Arc::new(Barrier::new(3));
        let (led, passed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        join((0..5).map(|_| {
            let (barrier, led, passed) = (barrier.clone(), led.clone(), passed.clone());
            spawn(async move || {
                for _ in 0..2 {
                    if let Some(result) = super::give_up(barrier.wait(), 1 + below(3)).await {
                        passed.fetch_add(1, SeqCst);
                        led.fetch_add(usize::from(result.is_leader()), SeqCst);
                    }
                }
            })
        }));
        let (led, passed) = (led.load(SeqCst), passed.load(SeqCst));
        assert!(passed <= 3 * led, "{passed} have passed, and {led} led");
        assert_eq!(barrier.waiter_count(), 0);
    });
}

/// One at a time tries, some fail, some give up; the last one is patient, and succeeds.
#[test]
fn once_cell() {
    explore(|| {
        let cell = Arc::new(OnceCell::new());
        let room = Arc::new(Room::new(1));
        let made = Arc::new(AtomicUsize::new(0));
        let attempt = |succeeds: bool| {
            let (cell, room, made) = (cell.clone(), room.clone(), made.clone());
            spawn(async move || {
                let init = async || {
                    room.visit(1);
                    turn().await;
                    room.visit(1);
                    if !succeeds && below(2) == 0 {
                        return Err(());
                    }
                    made.fetch_add(1, SeqCst);
                    Ok(7)
                };
                if succeeds {
                    assert_eq!(cell.get_or_try_init(init).await, Ok(&7));
                } else if let Some(Ok(value)) = perhaps(cell.get_or_try_init(init)).await {
                    assert_eq!(*value, 7);
                }
            })
        };
        let waits = |patient: bool| {
            let cell = cell.clone();
            spawn(async move || {
                if patient {
                    assert_eq!(*cell.wait().await, 7);
                } else {
                    perhaps(cell.wait()).await;
                }
            })
        };
        join([
            attempt(false),
            attempt(false),
            attempt(false),
            attempt(true),
            waits(true),
            waits(false),
        ]);
        assert_eq!((made.load(SeqCst), cell.waiter_count()), (1, 0));
    });
}
