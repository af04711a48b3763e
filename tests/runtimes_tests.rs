//! Runtimes that come and go, nest and lend each other futures: what they leave behind
//! is lost for nobody else.

mod common;

use std::{
    sync::{Arc, mpsc},
    task::Poll,
};

use common::{
    Hand, Meeting, in_runtime, on_another_thread, on_runtimes, park_on, probe::woken, rounds,
    runtime, settle, spawn, until, watchdog,
};
use compio_sync::{Condvar, Event, Mutex, Notify, Semaphore};
use futures_util::future::join_all;

#[test]
fn a_runtime_dropped_with_wakes_in_its_mailbox_passes_them_on() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(0));
    let notify = Arc::new(Notify::new());
    let rt = runtime();
    rt.block_on(async {
        settle().await;
        for _ in 0..100 {
            let (semaphore, notify) = (semaphore.clone(), notify.clone());
            spawn(async move { semaphore.acquire().await.forget() }).detach();
            spawn(async move { notify.notified().await }).detach();
        }
        until(|| semaphore.waiter_count() + notify.waiter_count() == 200).await;
    });
    on_another_thread(|| {
        semaphore.add_permits(70);
        (0..50).for_each(|_| notify.notify_one());
    });
    assert_eq!((semaphore.waiter_count(), notify.waiter_count()), (30, 50));
    drop(rt);
    assert_eq!((semaphore.waiter_count(), notify.waiter_count()), (0, 0));
    assert_eq!(semaphore.available_permits(), 70);
    assert!(format!("{notify:?}").contains("stored: true"));
    assert_eq!(Arc::strong_count(&semaphore), 1);
}

#[test]
fn a_runtime_dropped_with_an_heir_leaves_the_mutex_usable() {
    let _dog = watchdog();
    let shared = Arc::new((Mutex::new(0), Condvar::new()));
    let rt = runtime();
    let guard = shared.0.try_lock().unwrap();
    rt.block_on(async {
        settle().await;
        for i in 0..50 {
            let its = shared.clone();
            spawn(async move {
                let mut guard = its.0.lock().await;
                *guard += 1;
                drop(its.1.wait(guard).await);
            })
            .detach();
            until(|| shared.0.waiter_count() == i + 1).await;
        }
    });
    on_another_thread(move || drop(guard));
    assert_eq!(shared.0.waiter_count(), 49);
    let mut outside = Hand::new(shared.0.lock());
    // Overtakes the heir, or waits.
    let poll = outside.poll();
    drop(rt);
    let guard = match poll {
        Poll::Ready(guard) => guard,
        Poll::Pending => outside.expect_ready(),
    };
    assert_eq!((*guard, shared.0.waiter_count()), (0, 0));
    drop(guard);
    assert!(!shared.0.is_locked());
}

#[test]
fn a_runtime_dropped_with_condvar_waiters_passes_their_notification_on() {
    let _dog = watchdog();
    let shared = Arc::new((Mutex::new(0), Condvar::new()));
    let rt = runtime();
    rt.block_on(async {
        settle().await;
        for i in 0..10 {
            let its = shared.clone();
            spawn(async move {
                let guard = its.0.lock().await;
                drop(its.1.wait(guard).await);
            })
            .detach();
            until(|| shared.1.waiter_count() == i + 1).await;
        }
    });
    let mut outside = Hand::waiting(shared.1.wait(shared.0.try_lock().unwrap()));
    on_another_thread(|| shared.1.notify_one());
    assert_eq!((shared.1.waiter_count(), shared.0.waiter_count()), (10, 0));
    drop(rt);
    drop(outside.expect_ready());
    assert_eq!((shared.1.waiter_count(), shared.0.waiter_count()), (0, 0));
}

#[test]
fn waits_that_outlive_their_runtime_are_woken() {
    let _dog = watchdog();
    let notify = Notify::new();
    let rt = runtime();
    let mut waits: Vec<_> = rt.block_on(async {
        settle().await;
        (0..200).map(|_| Hand::waiting(notify.notified())).collect()
    });
    on_another_thread(|| (0..100).for_each(|_| notify.notify_one()));
    assert!(woken(&waits).len() < 100, "the rest lies in the mailbox");
    drop(rt);
    assert_eq!(woken(&waits), (0..100).collect::<Vec<_>>());
    // The runtime is gone: who is woken now is woken directly.
    on_another_thread(|| notify.notify_waiters());
    for wait in &mut waits {
        assert_eq!(wait.wakes(), 1);
        wait.expect_ready();
    }
}

#[test]
fn a_runtime_dropped_while_its_tasks_wait_leaves_the_queue_to_the_others() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(0));
    let rt = runtime();
    let mut others = Vec::new();
    rt.block_on(async {
        for i in 0..10 {
            let large = semaphore.clone();
            spawn(async move { large.acquire_many(100).await.forget() }).detach();
            until(|| semaphore.waiter_count() == 2 * i + 1).await;
            others.push(Hand::waiting(semaphore.acquire()));
        }
    });
    semaphore.add_permits(10);
    assert!(woken(&others).is_empty(), "a large request is ahead");
    drop(rt);
    assert_eq!(semaphore.waiter_count(), 0);
    for other in &mut others {
        other.expect_ready().forget();
    }
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_runtime_may_die_at_any_moment_of_a_notification() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(0));
    let notify = Arc::new(Notify::new());
    for turn in 0..rounds(200) {
        let (up, is_up) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let rt = runtime();
                rt.block_on(async {
                    for _ in 0..100 {
                        let (semaphore, notify) = (semaphore.clone(), notify.clone());
                        spawn(async move { drop(semaphore.acquire().await) }).detach();
                        spawn(async move { notify.notified().await }).detach();
                    }
                    until(|| semaphore.waiter_count() == 100).await;
                    up.send(()).unwrap();
                });
            });
            is_up.recv().unwrap();
            semaphore.add_permits(10);
            notify.notify_waiters();
        });
        assert_eq!(semaphore.available_permits(), 10, "turn {turn}");
        assert_eq!((semaphore.waiter_count(), notify.waiter_count()), (0, 0));
        assert_eq!(semaphore.forget_permits(10), 10);
        assert_eq!(Arc::strong_count(&semaphore), 1);
    }
}

#[test]
fn runtimes_one_after_another_on_one_thread_are_all_woken() {
    let _dog = watchdog();
    let (up, down) = (Semaphore::new(0), Semaphore::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..rounds(100) {
                up.blocking_acquire_many(3).forget();
                down.add_permits(3);
            }
        });
        for _ in 0..rounds(100) {
            in_runtime(async || {
                up.add_permits(3);
                join_all((0..3).map(|_| async { down.acquire().await.forget() })).await;
            });
        }
    });
    assert_eq!((up.available_permits(), down.available_permits()), (0, 0));
}

#[test]
fn runtimes_that_take_turns_on_one_thread_are_all_woken() {
    let _dog = watchdog();
    let notify = Notify::new();
    let runtimes: Vec<_> = (0..4).map(|_| runtime()).collect();
    for _ in 0..rounds(50) {
        let tasks: Vec<_> = runtimes
            .iter()
            .map(|rt| {
                rt.block_on(async {
                    settle().await;
                    let waits: Vec<_> = (0..50).map(|_| Hand::waiting(notify.notified())).collect();
                    waits
                })
            })
            .collect();
        on_another_thread(|| notify.notify_waiters());
        for (rt, mut waits) in runtimes.iter().zip(tasks) {
            rt.block_on(until(|| woken(&waits).len() == 50));
            waits.iter_mut().for_each(Hand::expect_ready);
        }
    }
}

#[test]
fn a_runtime_nested_in_a_task_of_another_is_woken() {
    let _dog = watchdog();
    let (there, back) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let echo = std::thread::spawn({
        let (there, back) = (there.clone(), back.clone());
        move || {
            in_runtime(async || {
                for _ in 0..300 {
                    there.notified().await;
                    back.notify_one();
                }
            });
        }
    });
    in_runtime(async || {
        let play = async |there: &Notify, back: &Notify| {
            for _ in 0..50 {
                there.notify_one();
                back.notified().await;
            }
        };
        play(&there, &back).await;
        for _ in 0..2 {
            let (there, back) = (there.clone(), back.clone());
            spawn(async move {
                play(&there, &back).await;
                // The inner one ends and its home is closed; the outer goes on.
                runtime().block_on(async {
                    let (there, back) = (there.clone(), back.clone());
                    spawn(async move { play(&there, &back).await })
                        .await
                        .unwrap();
                });
            })
            .await
            .unwrap();
        }
        play(&there, &back).await;
    });
    echo.join().unwrap();
}

#[test]
fn tasks_of_the_outer_runtime_woken_meanwhile_run_after_the_inner_one() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    in_runtime(async || {
        settle().await;
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let notify = notify.clone();
                spawn(async move { notify.notified().await })
            })
            .collect();
        until(|| notify.waiter_count() == 200).await;
        // Not waited for in the outer runtime, which the inner one blocks.
        runtime().block_on(async {
            let inner = spawn({
                let notify = notify.clone();
                async move { notify.notified().await }
            });
            until(|| notify.waiter_count() == 201).await;
            on_another_thread(|| notify.notify_waiters());
            inner.await.unwrap();
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn futures_polled_on_one_runtime_and_then_on_another_are_woken_there() {
    let _dog = watchdog();
    let (notify, semaphore, event) = (Notify::new(), Semaphore::new(0), Event::new());
    let mut moved: Vec<_> = (0..200)
        .map(|_| {
            Hand::new(async {
                notify.notified().await;
                semaphore.acquire().await.forget();
                event.wait().await;
            })
        })
        .collect();
    let before = moved[0].probe().clone();
    let rt = runtime();
    rt.block_on(async {
        settle().await;
        moved.iter_mut().for_each(Hand::expect_pending);
    });
    // To a task of another thread's runtime, with its waker; the one before is alive, but
    // nobody runs it.
    std::thread::scope(|scope| {
        let (up, is_up) = mpsc::channel();
        scope.spawn(move || {
            in_runtime(async || {
                settle().await;
                let mut up = Some(up);
                std::future::poll_fn(|cx| {
                    moved.retain_mut(|hand| {
                        hand.set_waker(cx.waker().clone());
                        hand.poll().is_pending()
                    });
                    if let Some(up) = up.take() {
                        up.send(()).unwrap();
                    }
                    if moved.is_empty() {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
            });
        });
        is_up.recv().unwrap();
        notify.notify_waiters();
        while semaphore.waiter_count() < 200 {
            std::thread::yield_now();
        }
        semaphore.add_permits(200);
        event.set();
    });
    assert_eq!((before.wakes(), before.live()), (0, 0));
}

#[test]
fn a_join_polled_on_one_runtime_and_then_on_another_is_woken_there() {
    let _dog = watchdog();
    let notify = &Notify::new();
    let mut moved = Hand::new(join_all((0..200).map(|_| notify.notified())));
    let (stop, is_stopped) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        // The one before goes on to run: the move does not poll again what is in the join.
        scope.spawn(move || {
            in_runtime(async || {
                settle().await;
                until(|| moved.poll().is_pending() && notify.waiter_count() == 200).await;
                send.send(moved).unwrap();
                until(|| is_stopped.try_recv() == Err(mpsc::TryRecvError::Disconnected)).await;
            });
        });
        let mut moved = receive.recv().unwrap();
        in_runtime(async || {
            settle().await;
            let mut is_notified = false;
            std::future::poll_fn(|cx| {
                moved.set_waker(cx.waker().clone());
                let poll = moved.poll();
                if !std::mem::replace(&mut is_notified, true) {
                    on_another_thread(|| notify.notify_waiters());
                }
                poll.map(drop)
            })
            .await;
        });
        drop(stop);
    });
}

#[test]
fn a_future_moved_to_another_runtime_of_the_same_thread_is_woken_there() {
    let _dog = watchdog();
    let notify = Notify::new();
    let (before, after) = (runtime(), runtime());
    let mut waits: Vec<_> = before.block_on(async {
        settle().await;
        (0..200).map(|_| Hand::waiting(notify.notified())).collect()
    });
    after.block_on(async {
        settle().await;
        // With the same wakers as before.
        waits.iter_mut().for_each(Hand::expect_pending);
        on_another_thread(|| notify.notify_waiters());
        // The runtime before is alive, but nobody runs it.
        until(|| woken(&waits).len() == 200).await;
        waits.iter_mut().for_each(Hand::expect_ready);
    });
}

#[test]
fn futures_may_be_dropped_on_another_thread_than_they_were_polled_on() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let meeting = Meeting::new(2);
    on_runtimes(2, async |me| {
        settle().await;
        for turn in 0..rounds(300) {
            let waits: Vec<_> = (0..20)
                .map(|_| Hand::waiting(semaphore.acquire()))
                .collect();
            meeting.wait().await;
            std::thread::scope(|scope| {
                scope.spawn(move || drop(waits));
                if (turn + me).is_multiple_of(2) {
                    semaphore.add_permits(15);
                }
            });
            meeting.wait().await;
            if me == 0 {
                assert_eq!(semaphore.waiter_count(), 0);
                assert_eq!(semaphore.forget_permits(usize::MAX), 15);
            }
            meeting.wait().await;
        }
    });
}

#[test]
fn a_runtime_that_panics_leaves_the_others_alone() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(0));
    let message = common::panic_message(|| {
        in_runtime(async || {
            settle().await;
            let waiting = semaphore.clone();
            spawn(async move { waiting.acquire().await.forget() }).detach();
            until(|| semaphore.waiter_count() == 1).await;
            on_another_thread(|| semaphore.add_permits(1));
            panic!("on purpose");
        });
    });
    assert_eq!(message, "on purpose");
    assert_eq!(semaphore.waiter_count(), 0);
    assert_eq!(semaphore.available_permits(), 1);
    park_on(semaphore.acquire()).forget();
}
