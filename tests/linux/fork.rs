//! A child process has the memory but not the runtimes of its parent. It may make its own; the
//! parent's go on.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use compio_runtime::{JoinHandle, Runtime, spawn};
use compio_sync::{Event, Notify, backend};

use crate::expect::expected_of;

pub(crate) const HERD: usize = 100;

/// A runtime with tasks that wait, and with its wait armed: it has been through its driver since
/// the task that does so has run. Starts no thread.
pub(crate) fn armed(event: &Arc<Event>) -> (Runtime, Vec<JoinHandle<()>>) {
    let runtime = Runtime::new().unwrap();
    let expected = expected_of(&runtime);
    let tasks = runtime.block_on(async {
        assert_eq!(backend(), expected);
        let tasks = (0..HERD)
            .map(|_| {
                let event = event.clone();
                spawn(async move { event.wait().await })
            })
            .collect();
        while event.waiter_count() < HERD {
            compio::runtime::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        compio::runtime::time::sleep(std::time::Duration::from_millis(1)).await;
        tasks
    });
    (runtime, tasks)
}

/// The tasks of [`armed`] are woken, and their runtime has the doorbell that it had.
pub(crate) fn is_woken(runtime: &Runtime, tasks: Vec<JoinHandle<()>>) {
    let expected = expected_of(runtime);
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(backend(), expected);
    });
}

/// A child process that has woken tasks of its own runtimes on this thread, where it has its
/// parent's before it, and on another.
pub(crate) fn child() -> libc::pid_t {
    // SAFETY: the child goes on in a copy of this thread, the only one besides the test
    // harness's at most, which holds no lock that we need. It never returns from here, so what
    // is the parent's is neither used nor dropped.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child > 0 {
        return child;
    }
    // A child that hangs outlives whoever ends its parent.
    // SAFETY: only sets a timer, by which the process dies.
    unsafe { libc::alarm(150) };
    let is_well = catch_unwind(AssertUnwindSafe(|| {
        let notify = Arc::new(Notify::new());
        for round in 0..10 {
            let notifier = thread::spawn({
                let notify = notify.clone();
                move || {
                    while notify.waiter_count() < HERD {
                        thread::yield_now();
                    }
                    notify.notify_waiters();
                }
            });
            if round % 2 == 0 {
                herd(&notify);
            } else {
                thread::scope(|scope| scope.spawn(|| herd(&notify)).join()).unwrap();
            }
            notifier.join().unwrap();
        }
    }))
    .is_ok();
    // SAFETY: ends the child without running the parent's destructors.
    unsafe { libc::_exit(i32::from(!is_well)) }
}

fn herd(notify: &Arc<Notify>) {
    let runtime = Runtime::new().unwrap();
    let expected = expected_of(&runtime);
    runtime.block_on(async {
        assert_eq!(backend(), expected);
        let tasks: Vec<_> = (0..HERD)
            .map(|_| {
                let notify = notify.clone();
                spawn(async move { notify.notified().await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

pub(crate) fn has_ended_well(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: waits for a child that was made above.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child failed");
}
