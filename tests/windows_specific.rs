//! Windows: wake-ups come as packets through the runtime's own completion port.
//!
//! A completion port is open to everybody who has its handle. So these tests run the runtime by
//! hand and take its packets out themselves: they see each one, and what happens without it.
#![cfg(windows)]

mod common;
#[path = "windows/port.rs"]
mod port;

use std::{
    cell::Cell,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use common::{
    in_runtime, on_another_thread, on_runtimes, rounds, runtime, settle, spawn, until, watchdog,
    yield_now,
};
use compio_runtime::Runtime;
use compio_sync::{Backend, Condvar, Event, Mutex, Notify, Semaphore, backend};
use port::{Port, is_expected};

/// Spawns `n` tasks that wait, and count when they are woken.
fn herd(runtime: &Runtime, n: usize, notify: &Arc<Notify>) -> Rc<Cell<usize>> {
    let woken = Rc::new(Cell::new(0));
    for _ in 0..n {
        let (notify, woken) = (notify.clone(), woken.clone());
        runtime
            .spawn(async move {
                loop {
                    notify.notified().await;
                    woken.set(woken.get() + 1);
                }
            })
            .detach();
    }
    woken
}

#[test]
fn the_back_end_is_a_packet() {
    let _dog = watchdog();
    let expected = if is_expected() {
        Backend::Iocp
    } else {
        Backend::Generic
    };
    in_runtime(async || assert_eq!(backend(), expected));
}

/// The packet is not that of compio's waker. That one may come besides if this thread is slow: it
/// is the alarm.
#[test]
fn a_batch_of_ten_thousand_is_one_packet() {
    let _dog = watchdog();
    if !is_expected() {
        return;
    }
    let runtime = runtime();
    let mut port = Port::of(&runtime);
    let notify = Arc::new(Notify::new());
    let woken = herd(&runtime, 10_000, &notify);
    port.quiesce();
    for round in 1..=20 {
        assert_eq!(notify.waiter_count(), 10_000);
        on_another_thread(|| notify.notify_waiters());
        let packets = port.take();
        assert_eq!(port.ours(&packets), 1, "packets for one batch");
        port.put(packets);
        port.quiesce();
        assert_eq!(woken.get(), 10_000 * round);
    }
}

/// While a packet is on its way, there is no second one; nor are more batches forgotten.
#[test]
fn there_is_no_second_packet_while_one_is_on_its_way() {
    let _dog = watchdog();
    if !is_expected() {
        return;
    }
    let runtime = runtime();
    let mut port = Port::of(&runtime);
    let notifies: Vec<_> = (0..50).map(|_| Arc::new(Notify::new())).collect();
    let woken: Vec<_> = notifies.iter().map(|n| herd(&runtime, 40, n)).collect();
    port.quiesce();
    on_another_thread(|| {
        thread::scope(|scope| {
            for notify in &notifies {
                scope.spawn(|| notify.notify_waiters());
            }
        });
    });
    let packets = port.take();
    assert_eq!(port.ours(&packets), 1, "for 50 batches of 50 threads");
    port.put(packets);
    port.quiesce();
    assert!(woken.iter().all(|woken| woken.get() == 40));
}

/// A packet that has not come out of the port yet when the runtime goes, and notifiers that go on.
#[test]
fn nothing_is_posted_to_a_runtime_that_is_gone() {
    let _dog = watchdog();
    for is_rung in [false, true] {
        let notify = Arc::new(Notify::new());
        let runtime = runtime();
        let mut port = Port::of(&runtime);
        let woken = herd(&runtime, 100, &notify);
        port.quiesce();
        if is_rung {
            on_another_thread(|| notify.notify_waiters());
        }
        let rest = port.stays_open();
        drop(runtime);
        let left = rest.take().len();
        assert!(left <= 2, "{left} packets");
        assert_eq!(notify.waiter_count(), 0);
        on_another_thread(|| {
            notify.notify_waiters();
            notify.notify_one();
        });
        assert_eq!(rest.take().len(), 0, "posted to a runtime that is gone");
        assert_eq!(woken.get(), 0);
    }
}

/// Notifiers at work on several threads all the while the runtimes come and go.
#[test]
fn runtimes_come_and_go_under_notifiers() {
    let _dog = watchdog();
    let (notify, is_over) = (Arc::new(Notify::new()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while is_over.load(SeqCst) == 0 {
                    notify.notify_waiters();
                    thread::yield_now();
                }
            });
        }
        for i in 0..rounds(300) {
            let runtime = runtime();
            runtime.block_on(async {
                let mut tasks: Vec<_> = (0..30)
                    .map(|_| {
                        let notify = notify.clone();
                        spawn(async move { notify.notified().await })
                    })
                    .collect();
                // Some are awaited, some dropped, some go with the runtime.
                for task in tasks.drain(..i % 30) {
                    task.await.unwrap();
                }
                tasks.pop();
                tasks.into_iter().for_each(|task| task.detach());
            });
        }
        is_over.store(1, SeqCst);
    });
    assert_eq!(notify.waiter_count(), 0);
}

/// compio's driver does not look at its port as long as tasks wake one another in each of its
/// rounds. The wake-ups arrive all the same.
#[test]
fn wakes_reach_a_runtime_that_never_rests() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    on_runtimes(1, async |_| {
        settle().await;
        for _ in 0..10 {
            let tasks: Vec<_> = (0..1000)
                .map(|_| {
                    let notify = notify.clone();
                    spawn(async move { notify.notified().await })
                })
                .collect();
            until(|| notify.waiter_count() == 1000).await;
            on_another_thread(|| notify.notify_waiters());
            until(|| tasks.iter().all(|task| task.is_finished())).await;
        }
    });
}

/// A notifier is not held up by other code that has filled the places for remote wakes of a
/// runtime, and is waiting for it: a packet does not need one.
#[test]
fn other_codes_remote_wakes_do_not_hold_up_the_packet() {
    let _dog = watchdog();
    if !is_expected() {
        return;
    }
    let notify = Arc::new(Notify::new());
    let (blocked, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (wakers, all_wakers) = mpsc::channel();
    let target = thread::spawn({
        let (notify, blocked, go_on) = (notify.clone(), blocked.clone(), go_on.clone());
        move || {
            in_runtime(async || {
                let tasks: Vec<_> = (0..100)
                    .map(|_| {
                        let (notify, wakers) = (notify.clone(), wakers.clone());
                        spawn(async move {
                            // For other code to wake, which it may do at any time.
                            let mut sent = false;
                            poll_fn(|cx| {
                                if std::mem::replace(&mut sent, true) {
                                    return Poll::Ready(());
                                }
                                wakers.send(cx.waker().clone()).unwrap();
                                Poll::Pending
                            })
                            .await;
                            notify.notified().await;
                        })
                    })
                    .collect();
                let herd: Vec<_> = (0..100)
                    .map(|_| {
                        let notify = notify.clone();
                        spawn(async move { notify.notified().await })
                    })
                    .collect();
                until(|| notify.waiter_count() == 100).await;
                settle().await;
                // The wakes of the tasks above come while this thread does not look.
                blocked.wait();
                go_on.wait();
                until(|| notify.waiter_count() == 100).await;
                notify.notify_waiters();
                for task in tasks.into_iter().chain(herd) {
                    task.await.unwrap();
                }
            });
        }
    });
    blocked.wait();
    let others: Vec<_> = (0..100)
        .map(|_| {
            let waker = all_wakers.recv().unwrap();
            thread::spawn(move || waker.wake())
        })
        .collect();
    // Those that found no place wait for the runtime: on compio 0.19 more than 30 of them.
    while others.iter().filter(|other| other.is_finished()).count() < 64 {
        thread::yield_now();
    }
    thread::sleep(Duration::from_millis(100));
    notify.notify_waiters();
    assert_eq!(notify.waiter_count(), 0);
    go_on.wait();
    for other in others {
        other.join().unwrap();
    }
    target.join().unwrap();
}

/// One wake-up at a time, to a runtime that waits in its port. These go straight.
#[test]
fn single_wakes_between_runtimes() {
    let _dog = watchdog();
    let turns = rounds(10_000);
    let turn = [Semaphore::new(0), Semaphore::new(0)];
    on_runtimes(2, async |me| {
        for _ in 0..turns {
            turn[1 - me].add_permits(1);
            turn[me].acquire().await.forget();
        }
    });
    assert_eq!(turn[0].available_permits() + turn[1].available_permits(), 0);
}

/// As batches, which are rung for.
#[test]
fn two_hundred_thousand_wakes_in_batches() {
    let _dog = watchdog();
    let (herd, turns) = (100, rounds(1000));
    let turn: &'static _ = Box::leak(Box::new([(); 2].map(|()| Notify::new())));
    on_runtimes(2, async |me| {
        let (up, is_up) = (Rc::new(Cell::new(0)), Rc::new(Notify::new()));
        for _ in 0..herd {
            let (up, is_up) = (up.clone(), is_up.clone());
            spawn(async move {
                for _ in 0..turns {
                    turn[me].notified().await;
                    up.set(up.get() + 1);
                    if up.get() % herd == 0 {
                        is_up.notify_one();
                    }
                }
            })
            .detach();
        }
        settle().await;
        for i in 0..turns {
            if me == 0 {
                until(|| turn[1].waiter_count() == herd).await;
                turn[1].notify_waiters();
                is_up.notified().await;
            } else {
                is_up.notified().await;
                until(|| turn[0].waiter_count() == herd).await;
                turn[0].notify_waiters();
            }
            assert_eq!(up.get(), herd * (i + 1));
        }
    });
}

/// Ten thousand tasks on each of two runtimes, all woken by the other one at the same time.
#[test]
fn ten_thousand_are_woken_mutually() {
    let _dog = watchdog();
    let n = rounds(10_000);
    let theirs: &'static _ = Box::leak(Box::new([(); 2].map(|()| Notify::new())));
    let ready = Barrier::new(2);
    on_runtimes(2, async |me| {
        for _ in 0..5 {
            let tasks: Vec<_> = (0..n).map(|_| spawn(theirs[me].notified())).collect();
            until(|| theirs[me].waiter_count() == n).await;
            ready.wait();
            theirs[1 - me].notify_waiters();
            for task in tasks {
                task.await.unwrap();
            }
            ready.wait();
        }
    });
}

/// Polls with the waker of the task. Returns whether it is done.
async fn poll_once(future: &mut Pin<Box<impl Future<Output = ()>>>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

/// Waits that are dropped while their wake-up is on its way, on two runtimes.
#[test]
fn a_storm_of_cancellations() {
    let _dog = watchdog();
    let turns = rounds(2000);
    let permits = Arc::new(Semaphore::new(3));
    let (event, condvar, mutex) = (Event::new(), Condvar::new(), Mutex::new(0));
    let over = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while over.load(SeqCst) < 2 {
                event.set();
                event.reset();
                condvar.notify_all();
                thread::yield_now();
            }
        });
        on_runtimes(2, async |me| {
            for turn in 0..turns {
                let tasks: Vec<_> = (0..20)
                    .map(|i| {
                        let permits = permits.clone();
                        spawn(async move {
                            let _permit = permits.acquire().await;
                            for _ in 0..(i + turn + me) % 3 {
                                yield_now().await;
                            }
                        })
                    })
                    .collect();
                let mut set = Box::pin(event.wait());
                let mut notified = Box::pin(async {
                    drop(condvar.wait(mutex.lock().await).await);
                });
                for _ in 0..turn % 5 {
                    if poll_once(&mut set).await || poll_once(&mut notified).await {
                        break;
                    }
                    yield_now().await;
                }
                drop((set, notified));
                for (i, task) in tasks.into_iter().enumerate() {
                    if (i + turn) % 3 == 0 {
                        drop(task);
                    } else {
                        task.await.unwrap();
                    }
                }
            }
            over.fetch_add(1, SeqCst);
        });
    });
    assert_eq!(permits.waiter_count(), 0);
    assert_eq!(permits.available_permits(), 3);
}

/// A runtime inside of another one's task: each has its own bell, and the outer one's packets wait.
#[test]
fn a_nested_runtime_has_a_bell_of_its_own() {
    let _dog = watchdog();
    let (outer_notify, inner_notify) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    in_runtime(async || {
        settle().await;
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let notify = outer_notify.clone();
                spawn(async move { notify.notified().await })
            })
            .collect();
        until(|| outer_notify.waiter_count() == 100).await;
        spawn({
            let (outer_notify, inner_notify) = (outer_notify.clone(), inner_notify.clone());
            async move {
                runtime().block_on(async {
                    let tasks: Vec<_> = (0..100)
                        .map(|_| {
                            let notify = inner_notify.clone();
                            spawn(async move { notify.notified().await })
                        })
                        .collect();
                    until(|| inner_notify.waiter_count() == 100).await;
                    let notifier = thread::spawn(move || {
                        outer_notify.notify_waiters();
                        inner_notify.notify_waiters();
                    });
                    for task in tasks {
                        task.await.unwrap();
                    }
                    notifier.join().unwrap();
                });
            }
        })
        .await
        .unwrap();
        for task in tasks {
            task.await.unwrap();
        }
    });
}
