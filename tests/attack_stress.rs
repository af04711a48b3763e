//! Random cancellation from runtimes and plain threads at once: nothing is lost, and nobody
//! is left waiting.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use compio_runtime::Runtime;
use compio_sync::{Mutex, Notify, Semaphore};

const ROUNDS: usize = 3_000;

fn watchdog() -> mpsc::Sender<()> {
    let (alive, gone) = mpsc::channel();
    thread::spawn(move || {
        if gone.recv_timeout(Duration::from_secs(120)) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("hangs");
            std::process::abort();
        }
    });
    alive
}

struct Random(u32);

impl Random {
    fn next(&mut self, below: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % below
    }
}

/// Lets other tasks run.
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

/// Polls up to `polls` times, with turns in between, and gives up then.
async fn a_few_times<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        let now = poll_fn(|cx: &mut Context<'_>| {
            Poll::Ready(match future.as_mut().poll(cx) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            })
        })
        .await;
        if now.is_some() {
            return now;
        }
        turn().await;
    }
    None
}

fn poll_now<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Runs `task(seed)` in ten tasks of each of two runtimes, and `plain` in a thread.
fn everywhere<T, F>(task: T, plain: impl FnOnce(Random) + Send + 'static)
where
    T: Fn(Random) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let _watchdog = watchdog();
    let mut threads: Vec<_> = (0..2)
        .map(|at| {
            let task = task.clone();
            thread::spawn(move || {
                Runtime::new().unwrap().block_on(async {
                    let tasks: Vec<_> = (1..=10)
                        .map(|n| {
                            let seed = Random(u32::wrapping_mul(at * 10 + n, 0x9E37_79B1));
                            compio_runtime::spawn(task(seed))
                        })
                        .collect();
                    for task in tasks {
                        task.await.unwrap();
                    }
                });
            })
        })
        .collect();
    threads.push(thread::spawn(|| plain(Random(77))));
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn mutex() {
    let mutex = Arc::new(Mutex::new(0_usize));
    let total = Arc::new(AtomicUsize::new(0));
    let task = {
        let (mutex, total) = (Arc::clone(&mutex), Arc::clone(&total));
        move |mut random: Random| {
            let (mutex, total) = (Arc::clone(&mutex), Arc::clone(&total));
            async move {
                for _ in 0..ROUNDS {
                    let guard = match random.next(4) {
                        0 => Some(mutex.lock().await),
                        1 => mutex.try_lock(),
                        _ => a_few_times(mutex.lock(), random.next(3)).await,
                    };
                    if let Some(mut guard) = guard {
                        *guard += 1;
                        total.fetch_add(1, Ordering::Relaxed);
                        if random.next(4) == 0 {
                            turn().await;
                        }
                    }
                }
            }
        }
    };
    let plain = {
        let (mutex, total) = (Arc::clone(&mutex), Arc::clone(&total));
        move |mut random: Random| {
            for _ in 0..ROUNDS {
                if random.next(2) == 0 {
                    *mutex.blocking_lock() += 1;
                    total.fetch_add(1, Ordering::Relaxed);
                } else if let Some(mut guard) = poll_now(pin!(mutex.lock())) {
                    *guard += 1;
                    total.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    };
    everywhere(task, plain);
    assert_eq!(mutex.waiter_count(), 0);
    assert_eq!(
        mutex.try_lock().map(|n| *n),
        Some(total.load(Ordering::Relaxed))
    );
}

#[test]
fn semaphore() {
    let semaphore = Arc::new(Semaphore::new(4));
    let task = {
        let semaphore = Arc::clone(&semaphore);
        move |mut random: Random| {
            let semaphore = Arc::clone(&semaphore);
            async move {
                for _ in 0..ROUNDS {
                    let n = 1 + random.next(4) as usize;
                    let permit = match random.next(4) {
                        0 => Some(semaphore.acquire_many(n).await),
                        1 => semaphore.try_acquire_many(n),
                        _ => a_few_times(semaphore.acquire_many(n), random.next(3)).await,
                    };
                    if permit.is_some() && random.next(4) == 0 {
                        turn().await;
                    }
                }
            }
        }
    };
    let plain = {
        let semaphore = Arc::clone(&semaphore);
        move |mut random: Random| {
            for _ in 0..ROUNDS {
                let n = random.next(4) as usize;
                if random.next(2) == 0 {
                    drop(semaphore.blocking_acquire_many(n));
                } else {
                    drop(poll_now(pin!(semaphore.acquire_many(n))));
                }
            }
        }
    };
    everywhere(task, plain);
    assert_eq!(
        (semaphore.available_permits(), semaphore.waiter_count()),
        (4, 0)
    );
}

/// As a lock: a notification is its key. Whoever loses it stops everybody.
#[test]
fn notify() {
    let notify = Arc::new(Notify::new());
    notify.notify_one();
    let inside = Arc::new(AtomicUsize::new(0));
    let task = {
        let (notify, inside) = (Arc::clone(&notify), Arc::clone(&inside));
        move |mut random: Random| {
            let (notify, inside) = (Arc::clone(&notify), Arc::clone(&inside));
            async move {
                for _ in 0..ROUNDS {
                    let got = match random.next(4) {
                        0 => {
                            notify.notified().await;
                            Some(())
                        }
                        1 => {
                            let mut notified = pin!(notify.notified());
                            notified.as_mut().enable();
                            a_few_times(notified, random.next(3)).await
                        }
                        _ => a_few_times(notify.notified(), random.next(3)).await,
                    };
                    if got.is_some() {
                        assert_eq!(inside.fetch_add(1, Ordering::Acquire), 0);
                        if random.next(4) == 0 {
                            turn().await;
                        }
                        inside.fetch_sub(1, Ordering::Release);
                        if random.next(2) == 0 {
                            notify.notify_one();
                        } else {
                            notify.notify_last();
                        }
                    }
                }
            }
        }
    };
    let plain = {
        let notify = Arc::clone(&notify);
        move |mut random: Random| {
            for _ in 0..ROUNDS {
                if random.next(2) == 0 {
                    notify.blocking_notified();
                    notify.notify_one();
                } else if poll_now(pin!(notify.notified())).is_some() {
                    notify.notify_one();
                }
            }
        }
    };
    everywhere(task, plain);
    assert_eq!(notify.waiter_count(), 0);
    assert!(poll_now(pin!(notify.notified())).is_some());
}
