//! The primitives on other executors, alone, mixed with compio, and nested in it.

mod common;

use std::sync::{Arc, mpsc};

use common::{Meeting, in_runtime, park_on, rounds, settle, spawn, until, watchdog};
use compio_sync::{Condvar, Event, Mutex, Notify, Semaphore};
use futures_util::future::join_all;

fn in_tokio<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// What goes wrong if any wake-up is lost: all kinds of waits, by `parties` at once.
struct Work {
    parties: usize,
    semaphore: Semaphore,
    mutex: Mutex<usize>,
    condvar: Condvar,
    notify: Notify,
    event: Event,
}

impl Work {
    fn new(parties: usize) -> Self {
        Self {
            parties,
            semaphore: Semaphore::new(2),
            mutex: Mutex::new(0),
            condvar: Condvar::new(),
            notify: Notify::new(),
            event: Event::new(),
        }
    }

    /// To be done by each party.
    async fn all(&self) {
        for _ in 0..rounds(100) {
            let permit = self.semaphore.acquire().await;
            *self.mutex.lock().await += 1;
            drop(permit);
        }
        // Nobody goes on before all have come so far.
        let mut guard = self.mutex.lock().await;
        *guard += 1;
        let goal = self.parties * (rounds(100) + 1);
        if *guard == goal {
            self.condvar.notify_all();
        }
        drop(self.condvar.wait_while(guard, |n| *n < goal).await);
        if !self.event.set() {
            self.notify.notify_one();
        }
        self.event.wait().await;
        self.notify.notified().await;
        self.notify.notify_one();
    }

    fn check(&self) {
        assert_eq!(self.semaphore.available_permits(), 2);
        assert!(!self.mutex.is_locked());
        assert_eq!(self.mutex.waiter_count() + self.condvar.waiter_count(), 0);
        assert_eq!(self.notify.waiter_count() + self.event.waiter_count(), 0);
    }
}

#[test]
fn everything_works_on_tokio() {
    let _dog = watchdog();
    let work = Work::new(20);
    in_tokio(async { join_all((0..20).map(|_| work.all())).await });
    work.check();
    let work = Arc::new(Work::new(20));
    in_tokio(async {
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let work = work.clone();
                tokio::spawn(async move { work.all().await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    work.check();
}

#[test]
fn everything_works_on_a_bare_executor() {
    let _dog = watchdog();
    let work = Work::new(20);
    park_on(join_all((0..20).map(|_| work.all())));
    work.check();
}

#[test]
fn everything_works_among_executors_of_all_kinds() {
    let _dog = watchdog();
    let work = Work::new(1 + 2 * 10 + 2 * 10 + 10);
    std::thread::scope(|scope| {
        scope.spawn(|| park_on(work.all()));
        for _ in 0..2 {
            scope.spawn(|| in_tokio(async { join_all((0..10).map(|_| work.all())).await }));
            scope.spawn(|| in_runtime(async || join_all((0..10).map(|_| work.all())).await));
        }
        for _ in 0..10 {
            scope.spawn(|| park_on(work.all()));
        }
    });
    work.check();
}

#[test]
fn everything_works_among_tasks_of_compio_and_tokio() {
    let _dog = watchdog();
    let work = Arc::new(Work::new(40));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            in_tokio(async {
                let task = || {
                    tokio::spawn({
                        let work = work.clone();
                        async move { work.all().await }
                    })
                };
                let tasks: Vec<_> = (0..20).map(|_| task()).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        });
        scope.spawn(|| {
            in_runtime(async || {
                let task = || {
                    spawn({
                        let work = work.clone();
                        async move { work.all().await }
                    })
                };
                let tasks: Vec<_> = (0..20).map(|_| task()).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        });
    });
    work.check();
}

/// Runs `inner` on an executor that blocks a compio task, and so its whole runtime.
fn nested<F: Future<Output = ()>>(inner: impl FnOnce() -> F + 'static) {
    in_runtime(async || {
        settle().await;
        spawn(async move { park_on(inner()) }).await.unwrap();
    });
}

#[test]
fn an_executor_nested_in_a_compio_task_is_woken_by_another_thread() {
    let _dog = watchdog();
    let work = Arc::new(Work::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| park_on(work.all()));
        let work = work.clone();
        nested(|| async move { work.all().await });
    });
    work.check();
}

#[test]
fn many_waits_in_a_nested_executor_are_all_woken_at_once() {
    let _dog = watchdog();
    for n in [31, 33, 64, 65, 1000] {
        let notify = Arc::new(Notify::new());
        let semaphore = Arc::new(Semaphore::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while notify.waiter_count() < n {
                    std::thread::yield_now();
                }
                notify.notify_waiters();
                while semaphore.waiter_count() < n {
                    std::thread::yield_now();
                }
                semaphore.add_permits(n);
            });
            let (notify, semaphore) = (notify.clone(), semaphore.clone());
            nested(move || async move {
                join_all((0..n).map(|_| async {
                    notify.notified().await;
                    semaphore.acquire().await.forget();
                }))
                .await;
            });
        });
        assert_eq!(semaphore.available_permits(), 0);
    }
}

#[test]
fn a_nested_executor_is_woken_while_tasks_of_its_runtime_have_mail() {
    let _dog = watchdog();
    let notify = Arc::new(Notify::new());
    let inner = Arc::new(Notify::new());
    in_runtime(async || {
        settle().await;
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let notify = notify.clone();
                spawn(async move { notify.notified().await })
            })
            .collect();
        until(|| notify.waiter_count() == 200).await;
        let (go, may_go) = mpsc::channel();
        std::thread::scope(|scope| {
            let (notify, inner) = (&notify, &inner);
            scope.spawn(move || {
                may_go.recv().unwrap();
                notify.notify_waiters();
                inner.notify_one();
            });
            park_on(until_notified(inner, &go));
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Tells `go` once it waits.
async fn until_notified(notify: &Notify, go: &mpsc::Sender<()>) {
    let mut wait = std::pin::pin!(notify.notified());
    let mut sent = false;
    std::future::poll_fn(|cx| {
        let poll = wait.as_mut().poll(cx);
        if !std::mem::replace(&mut sent, true) {
            assert!(poll.is_pending());
            go.send(()).unwrap();
        }
        poll
    })
    .await;
}

#[test]
fn tokio_nested_in_a_compio_task_and_compio_in_a_tokio_task() {
    let _dog = watchdog();
    let work = Arc::new(Work::new(3));
    let meeting = Meeting::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            in_tokio(async {
                meeting.wait().await;
                in_runtime(async || work.all().await);
            });
        });
        scope.spawn(|| {
            in_runtime(async || {
                meeting.wait().await;
                in_tokio(work.all());
            });
        });
        park_on(work.all());
    });
    work.check();
}
