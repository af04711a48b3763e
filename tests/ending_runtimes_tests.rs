//! Runtimes that end while others wake their tasks.

mod common;

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Barrier},
    task::{Context, Poll},
    thread,
};

use common::watchdog;
use compio_runtime::Runtime;
use compio_sync::{Event, Notify};

/// Runs its closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

struct Forever<T>(#[allow(dead_code)] T);

impl<T> Future for Forever<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// Two runtimes that end at the same time each wake 100 tasks of the other, which are about
/// to be dropped: more than compio keeps places for.
#[test]
fn ending_runtimes_wake_each_others_tasks() {
    let _watchdog = watchdog();
    let notify: [Arc<Notify>; 2] = Default::default();
    let both = Arc::new(Barrier::new(2));
    let threads: Vec<_> = (0..2)
        .map(|me| {
            let (notify, both) = (notify.clone(), Arc::clone(&both));
            thread::spawn(move || {
                let runtime = Runtime::new().unwrap();
                let other = Arc::clone(&notify[1 - me]);
                runtime.block_on(async {
                    // The mailbox's task is the first, and so the first to be dropped.
                    assert!(compio_sync::try_backend().is_some());
                    let wake = OnDrop(move || {
                        both.wait();
                        other.notify_waiters();
                    });
                    compio_runtime::spawn(Forever(wake)).detach();
                    for _ in 0..100 {
                        let notify = Arc::clone(&notify[me]);
                        compio_runtime::spawn(async move { notify.notified().await }).detach();
                    }
                    while notify[me].waiter_count() < 100 {
                        compio_runtime::spawn(async {}).await.unwrap();
                    }
                });
                drop(runtime);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// The same one by one: each task that is dropped wakes one of the other runtime, which
/// is not counted any more when it has been dropped in turn. The mailbox's task is the first or
/// the last to be dropped.
fn ending_tasks_wake_others(mailbox_first: bool) {
    const TASKS: usize = 100;
    let _watchdog = watchdog();
    let events: Arc<[[Event; TASKS + 2]; 2]> =
        Arc::new([(); 2].map(|()| [(); TASKS + 2].map(|()| Event::new())));
    let both = Arc::new(Barrier::new(2));
    let threads: Vec<_> = (0..2)
        .map(|me| {
            let (events, both) = (Arc::clone(&events), Arc::clone(&both));
            thread::spawn(move || {
                let runtime = Runtime::new().unwrap();
                runtime.block_on(async {
                    if mailbox_first {
                        assert!(compio_sync::try_backend().is_some());
                    }
                    for at in 0..TASKS {
                        let (events, both) = (Arc::clone(&events), Arc::clone(&both));
                        compio_runtime::spawn(async move {
                            let others = Arc::clone(&events);
                            let _wake = OnDrop(move || {
                                both.wait();
                                others[1 - me][at + 2].set();
                            });
                            events[me][at].wait().await;
                        })
                        .detach();
                    }
                    while events[me].iter().map(Event::waiter_count).sum::<usize>() < TASKS {
                        compio_runtime::spawn(async {}).await.unwrap();
                    }
                });
                drop(runtime);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn ending_tasks_wake_others_of_an_ended_runtime() {
    ending_tasks_wake_others(true);
}

#[test]
fn ending_tasks_wake_others_before_the_mailbox_ends() {
    ending_tasks_wake_others(false);
}
