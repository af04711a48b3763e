//! Tasks of sleeping runtimes, woken from another thread, and how many system calls that takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use compio_runtime::{Runtime, spawn};
use compio_sync::{Backend, CancellationToken, Notify, backend};

use crate::{asleep::wait_until_asleep, expect::expected, seccomp};

/// Wakes `n` tasks of a runtime that sleeps, from another thread.
pub(crate) fn wake_a_herd_elsewhere(n: usize, then: impl FnOnce(&AtomicUsize)) {
    let notify = Arc::new(Notify::new());
    let woken = Arc::new(AtomicUsize::new(0));
    let (me, its) = mpsc::channel();
    let target = thread::spawn({
        let (notify, woken) = (notify.clone(), woken.clone());
        move || {
            // SAFETY: only asks for a number.
            me.send(unsafe { libc::gettid() }).unwrap();
            Runtime::new().unwrap().block_on(async move {
                assert_eq!(backend(), expected());
                let tasks: Vec<_> = (0..n)
                    .map(|_| {
                        let (notify, woken) = (notify.clone(), woken.clone());
                        spawn(async move {
                            notify.notified().await;
                            woken.fetch_add(1, SeqCst);
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            })
        }
    });
    while notify.waiter_count() < n && !target.is_finished() {
        thread::yield_now();
    }
    assert!(!target.is_finished(), "the runtime's thread has failed");
    // They wait; awake, the runtime would look without being rung until it first slept.
    wait_until_asleep(its.recv().unwrap());
    notify.notify_waiters();
    then(&woken);
    target.join().unwrap();
    assert_eq!(woken.load(SeqCst), n);
}

/// Tasks of each of some runtimes wait for each token of a tree.
pub(crate) fn cancel_a_tree(runtimes: usize, tokens: usize) {
    let root = CancellationToken::new();
    let tokens: Vec<_> = (0..tokens).map(|_| root.child_token()).collect();
    let (me, theirs) = mpsc::channel();
    thread::scope(|scope| {
        let mut targets = Vec::new();
        for _ in 0..runtimes {
            let (me, tokens) = (me.clone(), &tokens);
            let target = scope.spawn(move || {
                Runtime::new().unwrap().block_on(async move {
                    assert_eq!(backend(), expected());
                    let tasks: Vec<_> = tokens
                        .iter()
                        .map(|token| spawn(token.clone().cancelled_owned()))
                        .collect();
                    // SAFETY: only asks for a number.
                    me.send(unsafe { libc::gettid() }).unwrap();
                    for task in tasks {
                        task.await.unwrap();
                    }
                });
            });
            targets.push(target);
        }
        while tokens.iter().any(|token| token.waiter_count() < runtimes) {
            let has_failed = targets.iter().any(|target| target.is_finished());
            assert!(!has_failed, "a runtime's thread has failed");
            thread::yield_now();
        }
        for runtime in theirs.iter().take(runtimes) {
            wait_until_asleep(runtime);
        }
        if let Some(calls) = futex_calls(|| root.cancel()) {
            let expected = match expected() {
                Backend::Futex => runtimes,
                _ => 0,
            };
            assert_eq!(calls, expected);
        }
    });
}

/// How many futex calls `f` makes. `None` where they cannot be counted; it has been run all the
/// same.
pub(crate) fn futex_calls(f: impl Fn() + Sync) -> Option<usize> {
    match seccomp::count_shared_futex_wakes(&f) {
        Ok(calls) => Some(calls),
        // Some containers do not let a program watch its own calls. Where it is known to be
        // possible, it has to be.
        Err(error)
            if std::env::var_os("COMPIO_SYNC_COUNT_CALLS").is_none()
                && [libc::EPERM, libc::EACCES, libc::ENOSYS]
                    .map(Some)
                    .contains(&error.raw_os_error()) =>
        {
            eprintln!("the calls cannot be counted here: {error}");
            f();
            None
        }
        Err(error) => panic!("the calls are not counted: {error}"),
    }
}
