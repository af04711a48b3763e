//! A forgotten wait must not leave the condition variable with a pointer to its mutex.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use compio_sync::{Condvar, Mutex};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>, waker: &Waker) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}

/// Leaves a wait of a mutex behind that is gone, with another in its place: that one must
/// not be touched.
fn after_a_forgotten_wait(notify: impl FnOnce(&Condvar)) {
    let condvar = Condvar::new();
    let (_, waker) = counting();
    let mut place = Some(Mutex::new(1_u64));
    let mut wait = Box::pin(condvar.wait(place.as_ref().unwrap().try_lock().unwrap()));
    assert!(poll(&mut wait, &waker).is_pending());
    mem::forget(wait);
    place = None;
    let other = place.insert(Mutex::new(2));
    let held = other.try_lock().unwrap();
    notify(&condvar);
    assert_eq!(other.waiter_count(), 0, "somebody waits who never asked");
    drop(held);
}

#[test]
fn notify_one_after_a_forgotten_wait() {
    after_a_forgotten_wait(Condvar::notify_one);
}

#[test]
fn notify_all_after_a_forgotten_wait() {
    after_a_forgotten_wait(Condvar::notify_all);
}

/// Ends the process when the test hangs.
fn watchdog() -> impl Drop {
    struct Alive(#[allow(dead_code)] std::sync::mpsc::Sender<()>);
    impl Drop for Alive {
        fn drop(&mut self) {}
    }
    let (alive, gone) = std::sync::mpsc::channel();
    thread::spawn(move || {
        if gone.recv_timeout(Duration::from_secs(60))
            == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            eprintln!("hangs");
            std::process::abort();
        }
    });
    Alive(alive)
}

/// A waiter that is to lead the others is dropped: they are led all the same.
#[test]
fn a_dropped_leader_leads() {
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let (counts, wakers): (Vec<_>, Vec<_>) = (0..5).map(|_| counting()).unzip();
    let mut waits: Vec<_> = wakers
        .iter()
        .map(|waker| {
            let mut wait = Box::pin(condvar.wait(mutex.try_lock().unwrap()));
            assert!(poll(&mut wait, waker).is_pending());
            wait
        })
        .collect();
    condvar.notify_all();
    assert_eq!(condvar.waiter_count(), 0);
    drop(waits.remove(0));
    for (wait, at) in waits.iter_mut().zip(1..) {
        assert_eq!(counts[at].0.load(Ordering::Relaxed), 1, "{at} is not woken");
        assert!(poll(wait, &wakers[at]).is_ready());
    }
    assert!(mutex.try_lock().is_some());
}

/// Another mutex may follow when the last wait is over, and no leader takes its waiters.
#[test]
fn a_late_leader_does_not_take_those_of_another_mutex() {
    let (first, second, condvar) = (Mutex::new(()), Mutex::new(()), Condvar::new());
    let (_, waker) = counting();
    let mut leader = Box::pin(condvar.wait(first.try_lock().unwrap()));
    assert!(poll(&mut leader, &waker).is_pending());
    condvar.notify_all();
    let mut others: Vec<_> = (0..2)
        .map(|_| {
            let mut wait = Box::pin(condvar.wait(second.try_lock().unwrap()));
            assert!(poll(&mut wait, &waker).is_pending());
            wait
        })
        .collect();
    condvar.notify_all();
    let held = match poll(&mut leader, &waker) {
        Poll::Ready(guard) => guard,
        Poll::Pending => panic!("the mutex is free"),
    };
    assert_eq!(first.waiter_count(), 0);
    let other = poll(&mut others[0], &waker);
    assert!(other.is_ready());
    assert!(poll(&mut others[1], &waker).is_pending());
    assert_eq!((first.waiter_count(), second.waiter_count()), (0, 1));
    drop((other, held));
    assert!(poll(&mut others[1], &waker).is_ready());
}

/// No token gets lost between waits that are notified one by one or all at once, and
/// dropped at any time.
#[test]
fn tokens_reach_those_who_stay() {
    let _watchdog = watchdog();
    const ROUNDS: usize = if cfg!(miri) { 20 } else { 20_000 };
    let shared = Arc::new((Mutex::new(0_usize), Condvar::new()));
    let consumers: Vec<_> = (0..3_u32)
        .map(|seed| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (tokens, come) = &*shared;
                let mut random = seed.wrapping_mul(0x9E37_79B9) | 1;
                let mut got = 0;
                while got < ROUNDS {
                    random ^= random << 13;
                    random ^= random >> 17;
                    random ^= random << 5;
                    if random % 4 != 0 {
                        // Gives up at once, or when it was polled again.
                        let Some(guard) = tokens.try_lock() else {
                            continue;
                        };
                        let waker = counting().1;
                        let mut wait = Box::pin(come.wait_while(guard, |tokens| *tokens == 0));
                        for _ in 0..random % 3 {
                            if let Poll::Ready(mut guard) = poll(&mut wait, &waker) {
                                *guard -= 1;
                                got += 1;
                                break;
                            }
                        }
                    } else {
                        let guard = tokens.blocking_lock();
                        *come.blocking_wait_while(guard, |tokens| *tokens == 0) -= 1;
                        got += 1;
                    }
                }
            })
        })
        .collect();
    let (tokens, come) = &*shared;
    for n in 0..3 * ROUNDS {
        let mut guard = tokens.blocking_lock();
        *guard += 1;
        if n % 2 == 0 {
            drop(guard);
        }
        if n % 16 == 0 {
            come.notify_all();
        } else {
            come.notify_one();
        }
    }
    for consumer in consumers {
        consumer.join().unwrap();
    }
    assert_eq!(tokens.try_lock().map(|tokens| *tokens), Some(0));
    assert_eq!((tokens.waiter_count(), come.waiter_count()), (0, 0));
}
