//! Wake-ups between runtimes: a notifier never waits for the runtime that it wakes,
//! whatever that runtime is doing, and every wake-up arrives.

mod common;

use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, mpsc},
};

use common::{
    Hand, Meeting, in_runtime, keep, on_another_thread, on_runtimes, rounds, runtime, settle,
    spawn, until, watchdog, yield_now,
};
use compio_sync::{Condvar, Event, Mutex, Notify, Semaphore};
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};

/// Two runtimes that each wake all `n` tasks of the other at once, again and again.
fn wake_each_other<F: Future<Output = ()> + 'static>(
    n: usize,
    turns: usize,
    wait: impl Fn(&'static Notify) -> F + Copy + Send + Sync + 'static,
) {
    let theirs = [keep(Notify::new()), keep(Notify::new())];
    let meeting = Meeting::new(2);
    on_runtimes(2, async |me| {
        let mine = theirs[me];
        let passed = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..n)
            .map(|_| {
                let passed = passed.clone();
                spawn(async move {
                    for _ in 0..turns {
                        wait(mine).await;
                        passed.set(passed.get() + 1);
                    }
                })
            })
            .collect();
        for turn in 1..=turns {
            until(|| mine.waiter_count() == n).await;
            meeting.wait().await;
            theirs[1 - me].notify_waiters();
            until(|| passed.get() == n * turn).await;
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn two_runtimes_wake_ten_thousand_tasks_of_each_other_at_once() {
    let _dog = watchdog();
    wake_each_other(10_000.min(rounds(10_000)), rounds(30), Notify::notified);
}

#[test]
fn two_runtimes_wake_tasks_with_combinators_of_each_other_at_once() {
    let _dog = watchdog();
    wake_each_other(1000.min(rounds(1000)), rounds(50), async |notify| {
        let mut waits: FuturesUnordered<_> = [notify.notified()].into_iter().collect();
        waits.next().await;
    });
}

#[test]
fn two_runtimes_wake_a_large_join_of_each_other_at_once() {
    let _dog = watchdog();
    let theirs = [Notify::new(), Notify::new()];
    let meeting = Meeting::new(2);
    on_runtimes(2, async |me| {
        for _ in 0..rounds(100) {
            let other = async {
                until(|| theirs[me].waiter_count() == 500).await;
                meeting.wait().await;
                theirs[1 - me].notify_waiters();
            };
            let waits = join_all((0..500).map(|_| theirs[me].notified()));
            futures_util::join!(waits, other);
        }
    });
}

/// As what the waits are polled.
#[derive(Clone, Copy, Debug)]
enum Form {
    Tasks,
    Combinators,
    MainFuture,
}

const WAITS: usize = 1000;

/// Makes a runtime with `WAITS` waits, blocks it in user code, and lets it go on only
/// after `notify` has returned: a notifier that waits for the runtime hangs.
fn notify_while_blocked<F: Future<Output = ()> + 'static>(
    form: Form,
    waiting: impl Fn() -> usize + Send,
    wait: impl Fn() -> F + Send + Copy + 'static,
    notify: impl FnOnce(),
) {
    eprintln!("as {form:?}");
    let (ready, is_ready) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            in_runtime(async || {
                settle().await;
                let block = async {
                    until(|| waiting() == WAITS).await;
                    ready.send(()).unwrap();
                    may_go.recv().unwrap();
                };
                let task = || match form {
                    Form::Combinators => spawn(async move {
                        let mut waits: FuturesUnordered<_> = [wait()].into_iter().collect();
                        waits.next().await;
                    }),
                    _ => spawn(wait()),
                };
                if let Form::MainFuture = form {
                    futures_util::join!(join_all((0..WAITS).map(|_| wait())), block);
                } else {
                    let tasks: Vec<_> = (0..WAITS).map(|_| task()).collect();
                    block.await;
                    for task in tasks {
                        task.await.unwrap();
                    }
                }
            });
        });
        is_ready.recv().unwrap();
        notify();
        go.send(()).unwrap();
    });
}

const FORMS: [Form; 3] = [Form::Tasks, Form::Combinators, Form::MainFuture];

#[test]
fn notify_waiters_does_not_wait_for_a_blocked_runtime() {
    let _dog = watchdog();
    for form in FORMS {
        let notify = keep(Notify::new());
        notify_while_blocked(
            form,
            || notify.waiter_count(),
            || notify.notified(),
            || notify.notify_waiters(),
        );
    }
}

#[test]
fn a_thousand_notify_one_do_not_wait_for_a_blocked_runtime() {
    let _dog = watchdog();
    for form in FORMS {
        let notify = keep(Notify::new());
        notify_while_blocked(
            form,
            || notify.waiter_count(),
            || notify.notified(),
            || (0..WAITS).for_each(|_| notify.notify_one()),
        );
    }
}

#[test]
fn add_permits_does_not_wait_for_a_blocked_runtime() {
    let _dog = watchdog();
    for form in FORMS {
        let semaphore = keep(Semaphore::new(0));
        notify_while_blocked(
            form,
            || semaphore.waiter_count(),
            || async { semaphore.acquire().await.forget() },
            || semaphore.add_permits(WAITS),
        );
        assert_eq!(semaphore.available_permits(), 0);
    }
}

#[test]
fn dropping_a_permit_does_not_wait_for_a_blocked_runtime() {
    let _dog = watchdog();
    for form in FORMS {
        let semaphore = keep(Semaphore::new(WAITS));
        let all = semaphore.try_acquire_many(WAITS).unwrap();
        notify_while_blocked(
            form,
            || semaphore.waiter_count(),
            || async { drop(semaphore.acquire().await) },
            || drop(all),
        );
        assert_eq!(semaphore.available_permits(), WAITS);
    }
}

#[test]
fn notify_all_does_not_wait_for_a_blocked_runtime() {
    let _dog = watchdog();
    for form in FORMS {
        let (mutex, condvar) = keep((Mutex::new(0), Condvar::new()));
        notify_while_blocked(
            form,
            || condvar.waiter_count(),
            || async {
                let guard = mutex.lock().await;
                *condvar.wait(guard).await += 1;
            },
            || condvar.notify_all(),
        );
        assert_eq!(*mutex.try_lock().unwrap(), WAITS);
    }
}

#[test]
fn set_does_not_wait_for_a_blocked_runtime() {
    let _dog = watchdog();
    for form in FORMS {
        let event = keep(Event::new());
        notify_while_blocked(
            form,
            || event.waiter_count(),
            || event.wait(),
            || assert!(!event.set()),
        );
    }
}

#[test]
fn unlocking_does_not_wait_for_a_blocked_runtime() {
    let _dog = watchdog();
    for form in FORMS {
        let mutex = keep(Mutex::new(0));
        let guard = mutex.try_lock().unwrap();
        notify_while_blocked(
            form,
            || mutex.waiter_count(),
            || async { *mutex.lock().await += 1 },
            || {
                drop(guard);
                // The heir cannot come: whoever runs has the lock, so often as is allowed.
                while let Some(guard) = mutex.try_lock() {
                    drop(guard);
                }
            },
        );
        assert_eq!(*mutex.try_lock().unwrap(), WAITS);
    }
}

#[test]
fn dropping_waits_of_a_blocked_runtime_passes_on_without_waiting() {
    let _dog = watchdog();
    let semaphore = keep(Semaphore::new(0));
    // Ahead of the runtime's tasks: one that collects and is dropped elsewhere.
    let mut greedy = Hand::waiting(semaphore.acquire_many(WAITS));
    notify_while_blocked(
        Form::Tasks,
        || semaphore.waiter_count() - 1,
        || async { semaphore.acquire().await.forget() },
        || {
            semaphore.add_permits(WAITS - 1);
            greedy.expect_pending();
            drop(greedy);
            semaphore.add_permits(1);
        },
    );
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn only_so_many_foreign_wakers_are_called_before_the_runtime_runs() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let notify = Notify::new();
        let mut waits: Vec<_> = (0..500).map(|_| Hand::waiting(notify.notified())).collect();
        on_another_thread(|| notify.notify_waiters());
        let called = common::probe::woken(&waits).len();
        // compio keeps 64 places for wakes from other threads, and spins beyond.
        assert!((1..64).contains(&called), "{called} called directly");
        until(|| common::probe::woken(&waits).len() == 500).await;
        for wait in &mut waits {
            assert_eq!(wait.wakes(), 1);
            wait.expect_ready();
        }
        // And it counts anew after that.
        let mut wait = Hand::waiting(notify.notified());
        on_another_thread(|| notify.notify_one());
        assert_eq!(wait.wakes(), 1);
        wait.expect_ready();
    });
}

#[test]
fn foreign_waits_that_are_dropped_make_room_again() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let notify = Notify::new();
        for _ in 0..100 {
            let waits: Vec<_> = (0..100).map(|_| Hand::waiting(notify.notified())).collect();
            on_another_thread(|| notify.notify_waiters());
            drop(waits);
        }
        let mut wait = Hand::waiting(notify.notified());
        on_another_thread(|| notify.notify_one());
        assert_eq!(wait.wakes(), 1, "called directly, as there is room");
        wait.expect_ready();
    });
}

#[test]
fn waiters_of_many_runtimes_in_one_queue_are_all_woken() {
    let _dog = watchdog();
    const RUNTIMES: usize = 9;
    const EACH: usize = 40;
    let notify = keep(Notify::new());
    let semaphore = keep(Semaphore::new(0));
    let meeting = Meeting::new(RUNTIMES);
    on_runtimes(RUNTIMES, async |me| {
        // One by one, so that neighbours in the queue are of different runtimes.
        let mut tasks = Vec::new();
        for i in 0..EACH {
            meeting.wait().await;
            tasks.push(spawn(async {
                notify.notified().await;
                semaphore.acquire().await.forget();
            }));
            until(|| notify.waiter_count() > RUNTIMES * i).await;
        }
        until(|| notify.waiter_count() == RUNTIMES * EACH).await;
        meeting.wait().await;
        if me == 0 {
            notify.notify_waiters();
            until(|| semaphore.waiter_count() == RUNTIMES * EACH).await;
            semaphore.add_permits(RUNTIMES * EACH);
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn a_wake_arrives_while_the_runtime_sleeps_and_while_it_is_busy() {
    let _dog = watchdog();
    let (ask, answer) = (keep(Notify::new()), keep(Notify::new()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            in_runtime(async || {
                let busy = Rc::new(Cell::new(true));
                spawn({
                    let busy = busy.clone();
                    async move {
                        while busy.get() {
                            yield_now().await;
                        }
                    }
                })
                .detach();
                for turn in 0..rounds(2000) {
                    // In the first half the busy task keeps the runtime from sleeping.
                    if turn == rounds(2000) / 2 {
                        busy.set(false);
                    }
                    spawn(ask.notified()).await.unwrap();
                    answer.notify_one();
                }
            });
        });
        for _ in 0..rounds(2000) {
            ask.notify_one();
            answer.blocking_notified();
        }
    });
}

#[test]
fn io_and_timers_go_on_beside_waits() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    std::thread::scope(|scope| {
        scope.spawn({
            let notify = notify.clone();
            move || {
                in_runtime(async || {
                    let tasks: Vec<_> = (0..100)
                        .map(|_| {
                            let notify = notify.clone();
                            spawn(async move {
                                notify.notified().await;
                                compio::time::sleep(std::time::Duration::from_millis(1)).await;
                                let file = compio::fs::metadata(".").await;
                                notify.notified().await;
                                file.is_ok()
                            })
                        })
                        .collect();
                    for task in tasks {
                        assert!(task.await.unwrap());
                    }
                });
            }
        });
        for _ in 0..2 {
            while notify.waiter_count() < 100 {
                std::thread::yield_now();
            }
            notify.notify_waiters();
        }
    });
}

#[test]
fn the_back_end_is_told() {
    let _dog = watchdog();
    assert_eq!(compio_sync::try_backend(), None);
    let message = common::panic_message(compio_sync::backend);
    assert!(message.contains("not in a compio runtime"), "{message}");
    let backend = runtime().block_on(async { compio_sync::backend() });
    in_runtime(async || {
        assert_eq!(
            compio_sync::try_backend(),
            Some(backend),
            "it does not change"
        );
        let here = spawn(async { compio_sync::backend() }).await.unwrap();
        assert_eq!(here, backend);
    });
    assert_eq!(compio_sync::try_backend(), None);
    assert!(["futex", "iocp", "generic"].contains(&backend.to_string().as_str()));
    assert_eq!(format!("{backend:?}").to_lowercase(), backend.to_string());
}
