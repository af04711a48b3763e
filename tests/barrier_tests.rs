//! What the barrier promises: all wait for the last, who leads, again and again.

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
};

use common::{
    Act, Hand, Probe, in_runtime, keep, on_each_road, on_runtimes, panic_message, rounds, spawn,
    until, watchdog,
};
use compio_sync::{Barrier, BarrierWaitResult};

fn leaders(results: impl IntoIterator<Item = BarrierWaitResult>) -> usize {
    results.into_iter().filter(|it| it.is_leader()).count()
}

#[test]
fn the_last_to_come_leads_and_lets_all_through() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for n in [2, 3, 100] {
            let barrier = Barrier::new(n);
            for _generation in 0..3 {
                let mut waits: Vec<_> = (1..n).map(|_| road.wait(barrier.wait())).collect();
                assert_eq!(barrier.waiter_count(), n - 1);
                let leads = road.send(|| Hand::new(barrier.wait()).expect_ready().is_leader());
                assert!(leads, "the last one");
                assert_eq!(barrier.waiter_count(), 0);
                assert_eq!(leaders(waits.iter_mut().map(Hand::expect_ready)), 0);
            }
        }
    });
}

#[test]
fn for_nobody_or_for_one_nobody_waits() {
    let _dog = watchdog();
    for n in [0, 1] {
        let barrier = Barrier::new(n);
        for _ in 0..3 {
            assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
            assert!(barrier.blocking_wait().is_leader());
        }
        assert_eq!(barrier.waiter_count(), 0);
    }
}

#[test]
fn each_is_woken_once_in_the_order_in_which_they_came() {
    let _dog = watchdog();
    let barrier = Barrier::new(101);
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waits: Vec<_> = (0..100)
        .map(|i| {
            let order = order.clone();
            let probe = Probe::with_hook(move |act| {
                if act == Act::Wake {
                    order.lock().unwrap().push(i);
                }
            });
            let mut wait = Hand::with_probe(barrier.wait(), probe);
            wait.expect_pending();
            wait
        })
        .collect();
    let mut last = Hand::new(barrier.wait());
    assert!(last.expect_ready().is_leader());
    assert_eq!(last.probe().clones(), 0, "who does not wait is not noted");
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    for wait in &mut waits {
        assert!(!wait.expect_ready().is_leader());
        assert_eq!((wait.wakes(), wait.probe().live()), (1, 1), "its own waker");
    }
}

/// Wakers that come to the same barrier while its generation is being woken, more than are
/// woken at a time.
#[test]
fn newcomers_belong_to_the_next_generation() {
    let _dog = watchdog();
    const N: usize = 200;
    let barrier: &'static Barrier = keep(Barrier::new(N));
    let late = Arc::new(Mutex::new(Vec::new()));
    let probe = Probe::with_hook({
        let late = late.clone();
        move |act| {
            if act == Act::Wake {
                late.lock().unwrap().push(Hand::waiting(barrier.wait()));
            }
        }
    });
    let mut early: Vec<_> = (1..N)
        .map(|_| Hand::with_probe(barrier.wait(), probe.clone()))
        .collect();
    early.iter_mut().for_each(Hand::expect_pending);
    assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
    assert_eq!(leaders(early.iter_mut().map(Hand::expect_ready)), 0);
    let mut late = std::mem::take(&mut *late.lock().unwrap());
    assert_eq!((late.len(), barrier.waiter_count()), (N - 1, N - 1));
    late.iter_mut().for_each(Hand::expect_pending);
    assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
    assert_eq!(leaders(late.iter_mut().map(Hand::expect_ready)), 0);
}

/// Those of a generation that is complete, dropped by a waker before it is their turn to be
/// woken, do not count as if they had left the next one.
#[test]
fn who_goes_while_its_generation_is_woken_is_not_missed_in_the_next() {
    let _dog = watchdog();
    const N: usize = 200;
    let barrier: &'static Barrier = keep(Barrier::new(N));
    let rest = Arc::new(Mutex::new(Vec::new()));
    let late = Arc::new(Mutex::new(Vec::new()));
    let probe = Probe::with_hook({
        let (rest, late) = (rest.clone(), late.clone());
        move |act| {
            if act == Act::Wake && late.lock().unwrap().is_empty() {
                late.lock().unwrap().push(Hand::waiting(barrier.wait()));
                drop(std::mem::take(&mut *rest.lock().unwrap()));
                assert_eq!(barrier.waiter_count(), N - 1 - 32 - 100 + 1);
            }
        }
    });
    let mut first = Hand::with_probe(barrier.wait(), probe);
    first.expect_pending();
    let mut stay: Vec<_> = (0..N - 102)
        .map(|_| Hand::waiting(barrier.wait()))
        .collect();
    *rest.lock().unwrap() = (0..100).map(|_| Hand::waiting(barrier.wait())).collect();
    assert_eq!(barrier.waiter_count(), N - 1);
    assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
    first.expect_ready();
    stay.iter_mut().for_each(|wait| {
        wait.expect_ready();
    });
    // The next generation takes N, of which one is there.
    let mut next: Vec<_> = (2..N).map(|_| Hand::waiting(barrier.wait())).collect();
    assert_eq!(barrier.waiter_count(), N - 1);
    assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
    next.append(&mut late.lock().unwrap());
    assert_eq!(leaders(next.iter_mut().map(Hand::expect_ready)), 0);
}

#[test]
fn tasks_of_several_runtimes_and_threads_keep_step() {
    let _dog = watchdog();
    const TASKS: usize = 5;
    const RUNTIMES: usize = 3;
    let all = TASKS * RUNTIMES + 2;
    let steps = rounds(200);
    let barrier = Arc::new(Barrier::new(all));
    let (done, led) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let led = &led;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (barrier, done) = (&barrier, &done);
            scope.spawn(move || {
                for step in 1..=steps {
                    done.fetch_add(1, Relaxed);
                    led.fetch_add(usize::from(barrier.blocking_wait().is_leader()), SeqCst);
                    assert_eq!(done.load(Relaxed), step * all);
                    barrier.blocking_wait();
                }
            });
        }
        on_runtimes(RUNTIMES, async |_| {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let (barrier, done) = (barrier.clone(), done.clone());
                    spawn(async move {
                        let mut led = 0;
                        for step in 1..=steps {
                            // Relaxed: it is the barrier that orders.
                            done.fetch_add(1, Relaxed);
                            led += usize::from(barrier.wait().await.is_leader());
                            assert_eq!(done.load(Relaxed), step * all);
                            barrier.wait().await;
                        }
                        led
                    })
                })
                .collect();
            for task in tasks {
                led.fetch_add(task.await.unwrap(), SeqCst);
            }
        });
    });
    assert_eq!(led.load(SeqCst), steps, "one leader for each step");
    assert_eq!(barrier.waiter_count(), 0);
}

#[compio::test]
async fn a_timeout_composes() {
    let _dog = watchdog();
    let barrier = Barrier::new(2);
    let limit = std::time::Duration::from_millis(1);
    assert!(compio::time::timeout(limit, barrier.wait()).await.is_err());
    assert_eq!(barrier.waiter_count(), 0);
    let mut first = Hand::waiting(barrier.wait());
    assert!(barrier.wait().await.is_leader());
    first.expect_ready();
}

#[test]
fn a_spurious_poll_and_another_waker() {
    let _dog = watchdog();
    let barrier = Barrier::new(2);
    let mut wait = Hand::waiting(barrier.wait());
    wait.expect_pending();
    let other = Probe::new();
    wait.set_waker(other.waker());
    wait.expect_pending();
    assert_eq!(barrier.waiter_count(), 1, "it came once");
    Hand::new(barrier.wait()).expect_ready();
    assert_eq!((wait.wakes(), other.wakes()), (0, 1));
    wait.expect_ready();
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
    let mut leads = Hand::new(Barrier::wait(keep(Barrier::new(1))));
    leads.expect_ready();
    assert!(panic_message(|| leads.poll()).contains("after it was ready"));
}

#[test]
fn a_runtime_must_not_be_blocked() {
    let _dog = watchdog();
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| barrier.blocking_wait());
        in_runtime(async || {
            until(|| barrier.waiter_count() == 1).await;
            assert!(panic_message(|| barrier.blocking_wait()).contains("cannot block"));
            assert!(barrier.wait().await.is_leader());
        });
        assert!(!thread.join().unwrap().is_leader());
    });
}

#[test]
fn debug_output_tells_the_state() {
    let _dog = watchdog();
    let barrier = Barrier::new(2);
    let mut wait = Hand::waiting(barrier.wait());
    assert_eq!(
        format!("{barrier:?}"),
        "Barrier { parties: 2, waiter_count: 1 }"
    );
    assert_eq!(
        format!("{:?}", wait.as_ref()),
        "BarrierWait { queued: true, done: false, .. }"
    );
    let result = Hand::new(barrier.wait()).expect_ready();
    assert_eq!(
        format!("{:?}", result.clone()),
        "BarrierWaitResult { is_leader: true }"
    );
    wait.expect_ready();
    assert_eq!(
        format!("{:?}", wait.as_ref()),
        "BarrierWait { queued: false, done: true, .. }"
    );
}
