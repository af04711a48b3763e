//! What the candidate promises, so that the comparison is with something that works.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

use super::{CELLS, Cqs, Semaphore};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn first_come_first_served() {
    let cqs = Cqs::new(1);
    assert!(poll(pin!(cqs.acquire())).is_ready());
    let mut waits: Vec<_> = (0..3 * CELLS).map(|_| Box::pin(cqs.acquire())).collect();
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_pending());
    }
    for i in 0..waits.len() {
        cqs.add(1);
        for (j, wait) in waits.iter_mut().enumerate().skip(i).rev() {
            assert_eq!(poll(wait.as_mut()).is_ready(), i == j, "{i} {j}");
        }
    }
}

#[test]
fn who_leaves_is_passed_over() {
    let cqs = Cqs::new(0);
    let mut waits: Vec<_> = (0..5 * CELLS)
        .map(|_| Some(Box::pin(cqs.acquire())))
        .collect();
    for wait in waits.iter_mut().flatten() {
        assert!(poll(wait.as_mut()).is_pending());
    }
    // A whole segment, and every third.
    for (i, wait) in waits.iter_mut().enumerate() {
        if i / CELLS == 2 || i % 3 == 0 {
            *wait = None;
        }
    }
    for (i, wait) in waits.iter_mut().enumerate() {
        if let Some(mut wait) = wait.take() {
            cqs.add(1);
            assert!(poll(wait.as_mut()).is_ready(), "{i}");
        }
    }
    // Nothing has been kept.
    let mut next = pin!(cqs.acquire());
    assert!(poll(next.as_mut()).is_pending());
    cqs.add(1);
    assert!(poll(next).is_ready());
}

#[test]
fn who_is_served_and_leaves_passes_it_on() {
    let cqs = Cqs::new(0);
    let counts: [Arc<Count>; 2] = Default::default();
    let mut first = Box::pin(cqs.acquire());
    let mut second = pin!(cqs.acquire());
    let wakers = counts.clone().map(Waker::from);
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&wakers[0]))
            .is_pending()
    );
    assert!(
        second
            .as_mut()
            .poll(&mut Context::from_waker(&wakers[1]))
            .is_pending()
    );
    cqs.add(1);
    assert_eq!(counts[0].0.load(Ordering::SeqCst), 1);
    drop(first);
    assert_eq!(counts[1].0.load(Ordering::SeqCst), 1);
    assert!(poll(second).is_ready());
}

#[test]
fn segments_are_freed() {
    let cqs = Cqs::new(0);
    let mut stays = Box::pin(cqs.acquire());
    assert!(poll(stays.as_mut()).is_pending());
    for _ in 0..1000 * CELLS {
        assert!(poll(pin!(cqs.acquire())).is_pending());
    }
    for _ in 0..1000 {
        crossbeam_epoch::pin().flush();
    }
    let alive = cqs.segments.alive.load(Ordering::Relaxed);
    assert!(alive < 200, "{alive} segments for one that waits");
    cqs.add(1);
    assert!(poll(stays.as_mut()).is_ready());
    let alive = cqs.segments.alive.clone();
    drop(stays);
    drop(cqs);
    for _ in 0..1000 {
        crossbeam_epoch::pin().flush();
    }
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// Threads that take, give, and give up: the permits are all there in the end, and never more
/// than there are.
#[test]
fn threads_take_and_give_up() {
    const PERMITS: usize = 2;
    for threads in [2, 4, 8] {
        let cqs = Cqs::new(PERMITS);
        let inside = AtomicUsize::new(0);
        let begin = Barrier::new(threads);
        thread::scope(|scope| {
            for seed in 0..threads {
                let (cqs, inside, begin) = (&cqs, &inside, &begin);
                scope.spawn(move || {
                    let mut random = 0x9e37_79b9_u32.wrapping_mul(seed as u32 + 1);
                    begin.wait();
                    for _ in 0..20_000 {
                        random ^= random << 13;
                        random ^= random >> 17;
                        random ^= random << 5;
                        let mut wait = pin!(cqs.acquire());
                        // Some are patient.
                        let patience = if random.is_multiple_of(3) {
                            2
                        } else {
                            usize::MAX
                        };
                        for _ in 0..patience {
                            if poll(wait.as_mut()).is_ready() {
                                assert!(inside.fetch_add(1, Ordering::SeqCst) < PERMITS);
                                if random.is_multiple_of(5) {
                                    thread::yield_now();
                                }
                                inside.fetch_sub(1, Ordering::SeqCst);
                                cqs.add(1);
                                break;
                            }
                            thread::yield_now();
                        }
                    }
                });
            }
        });
        for _ in 0..PERMITS {
            assert!(poll(pin!(cqs.acquire())).is_ready(), "{threads} threads");
        }
        assert!(poll(pin!(cqs.acquire())).is_pending());
    }
}
