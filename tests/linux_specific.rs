//! Linux: wake-ups come through the runtime's own ring, and every reason why they may not.
//!
//! What has to be shown of a whole process is shown of a child: this program runs itself with
//! the name of a scene in `SCENE`, mostly under a filter on system calls.
#![cfg(target_os = "linux")]

mod common;
#[path = "linux/expect.rs"]
mod expect;
#[path = "linux/seccomp.rs"]
mod seccomp;

use std::{
    future::poll_fn,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use compio_runtime::{Runtime, RuntimeBuilder, spawn};
use compio_sync::{Backend, CancellationToken, Condvar, Event, Mutex, Notify, Semaphore, backend};
use expect::{announced, expected, expected_of};
use seccomp::Then;

/// Whether runtimes have a ring. What is about rings does nothing where there is none, but that
/// must not go unnoticed.
fn on_a_ring() -> bool {
    let is = Runtime::new().is_ok_and(|runtime| runtime.driver_type().is_iouring());
    assert!(
        is || announced() != Some(Backend::Futex),
        "no runtime has a ring here"
    );
    is
}

/// Whether wake-ups come through the ring.
fn is_rung_by_futex() -> bool {
    on_a_ring() && expected() == Backend::Futex
}

#[test]
fn a_runtime_has_the_doorbell_that_it_should() {
    let _watchdog = common::watchdog();
    match Runtime::new() {
        Ok(runtime) => {
            let expected = expected_of(&runtime);
            runtime.block_on(async { assert_eq!(backend(), expected) });
        }
        Err(error) => assert_eq!(announced(), None, "{error}"),
    }
}

/// Runs a scene in a child process, and kills it if it takes too long.
fn play(scene: &str) -> (ExitStatus, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "scenes", "--nocapture"])
        .env("SCENE", scene)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(180);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8_lossy(&said).into_owned())
}

fn play_well(scene: &str) {
    let (status, said) = play(scene);
    assert!(status.success(), "{scene}: {status}\n{said}");
    assert!(
        said.contains(&format!("played {scene}")),
        "{scene} was not played:\n{said}"
    );
}

/// The stage: does nothing unless a test plays a scene on it.
#[test]
fn scenes() {
    let Ok(scene) = std::env::var("SCENE") else {
        return;
    };
    match scene.as_str() {
        "alone" => {
            seccomp::filter_shared_futex_wakes(Then::Die);
            everything_on_one_runtime();
        }
        "a herd, deadly" => {
            seccomp::filter_shared_futex_wakes(Then::Die);
            wake_a_herd_elsewhere(100, |_| {});
        }
        "a herd, unheard" => {
            seccomp::filter_shared_futex_wakes(Then::Fail(0));
            wake_a_herd_elsewhere(100, |woken| {
                // Nothing else may wake them: watch for a while that they sleep.
                let until = Instant::now() + Duration::from_millis(300);
                while Instant::now() < until {
                    thread::sleep(Duration::from_millis(10));
                    assert_eq!(woken.load(SeqCst), 0, "woken by something else");
                }
                println!("played a herd, unheard");
                std::process::exit(0);
            });
        }
        "a tree" => {
            cancel_a_tree(6, 100);
            cancel_a_tree(4, if common::is_slow() { 2500 } else { 25_000 });
        }
        "denied with EPERM" => denied(libc::EPERM),
        "denied with ENOSYS" => denied(libc::ENOSYS),
        "fork" => fork(),
        other => panic!("no such scene: {other}"),
    }
    println!("played {scene}");
}

/// Waits and wakes of every primitive, all on one runtime.
fn everything_on_one_runtime() {
    Runtime::new().unwrap().block_on(async {
        assert_eq!(backend(), expected());
        let all = Arc::new((
            Semaphore::new(0),
            Mutex::new(0),
            Condvar::new(),
            Notify::new(),
            Event::new(),
        ));
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let all = all.clone();
                spawn(async move {
                    let (semaphore, mutex, condvar, notify, event) = &*all;
                    semaphore.acquire().await.forget();
                    let mut guard = condvar.wait_while(mutex.lock().await, |n| *n == 0).await;
                    *guard += 1;
                    drop(guard);
                    notify.notified().await;
                    notify.notify_one();
                    event.wait().await;
                })
            })
            .collect();
        let (semaphore, mutex, condvar, notify, event) = &*all;
        let until = async |what: &dyn Fn() -> bool| {
            while !what() {
                pass().await;
            }
        };
        until(&|| semaphore.waiter_count() == 200).await;
        semaphore.add_permits(200);
        until(&|| condvar.waiter_count() == 200).await;
        *mutex.lock().await = 1;
        condvar.notify_all();
        until(&|| notify.waiter_count() == 200).await;
        notify.notify_one();
        until(&|| event.waiter_count() == 200).await;
        event.set();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Lets the other tasks of this runtime run once.
async fn pass() {
    let mut passed = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut passed, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Wakes `n` tasks of a runtime that sleeps, from another thread.
fn wake_a_herd_elsewhere(n: usize, then: impl FnOnce(&AtomicUsize)) {
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

/// Waits until a thread sleeps in its ring, where the kernel tells in which call a thread is;
/// elsewhere for a while.
fn wait_until_asleep(thread: libc::pid_t) {
    let call = format!("/proc/self/task/{thread}/syscall");
    let in_its_ring = format!("{} ", libc::SYS_io_uring_enter);
    let deadline = Instant::now() + Duration::from_secs(60);
    while std::fs::read_to_string(&call).is_ok_and(|call| !call.starts_with(&in_its_ring))
        && Instant::now() < deadline
    {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(50));
}

#[test]
fn one_runtime_alone_makes_no_futex_call() {
    let _watchdog = common::watchdog();
    if on_a_ring() {
        play_well("alone");
    }
}

#[test]
fn a_herd_elsewhere_is_woken_by_a_futex_call() {
    let _watchdog = common::watchdog();
    if !is_rung_by_futex() {
        return wake_a_herd_elsewhere(100, |_| {});
    }
    let (status, said) = play("a herd, deadly");
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{said}");
}

#[test]
fn and_by_nothing_else() {
    let _watchdog = common::watchdog();
    if is_rung_by_futex() {
        play_well("a herd, unheard");
    }
}

#[test]
fn cancelling_a_tree_takes_one_futex_call_for_each_runtime() {
    let _watchdog = common::watchdog();
    if on_a_ring() {
        play_well("a tree");
    }
}

/// Tasks of each of some runtimes wait for each token of a tree.
fn cancel_a_tree(runtimes: usize, tokens: usize) {
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
        match seccomp::count_shared_futex_wakes(|| root.cancel()) {
            Ok(calls) if expected() == Backend::Futex => assert_eq!(calls, runtimes),
            Ok(calls) => assert_eq!(calls, 0),
            // Some containers do not let a program watch its own calls. Where it is known to be
            // possible, it has to be.
            Err(error)
                if std::env::var_os("COMPIO_SYNC_COUNT_CALLS").is_none()
                    && [libc::EPERM, libc::EACCES, libc::ENOSYS]
                        .map(Some)
                        .contains(&error.raw_os_error()) =>
            {
                eprintln!("the calls cannot be counted here: {error}");
                root.cancel();
            }
            Err(error) => panic!("the calls are not counted: {error}"),
        }
    });
}

/// Without compio's own poller, a runtime cannot be made where io_uring is denied; with it,
/// everything works, through the generic doorbell.
fn denied(errno: i32) {
    seccomp::deny_io_uring(errno);
    match Runtime::new() {
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(errno), "{error}");
            assert!(!poller_is_built_in(), "{error}");
        }
        Ok(runtime) => {
            assert!(runtime.driver_type().is_polling());
            runtime.block_on(async { assert_eq!(backend(), Backend::Generic) });
            drop(runtime);
            let notify = Arc::new(Notify::new());
            let tasks = 300;
            let target = thread::spawn({
                let notify = notify.clone();
                move || {
                    Runtime::new().unwrap().block_on(async move {
                        let tasks: Vec<_> = (0..tasks)
                            .map(|_| {
                                let notify = notify.clone();
                                spawn(async move { notify.notified().await })
                            })
                            .collect();
                        for task in tasks {
                            task.await.unwrap();
                        }
                    })
                }
            });
            while notify.waiter_count() < tasks {
                thread::yield_now();
            }
            notify.notify_waiters();
            target.join().unwrap();
        }
    }
}

/// Whether this build of compio has its feature `polling`: then it offers that driver.
fn poller_is_built_in() -> bool {
    let mut builder = compio_driver::ProactorBuilder::new();
    builder.driver_type(compio_driver::DriverType::Poll);
    RuntimeBuilder::new()
        .with_proactor(builder)
        .build()
        .is_ok_and(|runtime| runtime.driver_type().is_polling())
}

#[test]
fn io_uring_denied_with_eperm() {
    let _watchdog = common::watchdog();
    play_well("denied with EPERM");
}

#[test]
fn io_uring_denied_with_enosys() {
    let _watchdog = common::watchdog();
    play_well("denied with ENOSYS");
}

#[test]
fn a_polling_driver_gets_the_generic_doorbell() {
    let _watchdog = common::watchdog();
    if !poller_is_built_in() {
        return;
    }
    let mut builder = compio_driver::ProactorBuilder::new();
    builder.driver_type(compio_driver::DriverType::Poll);
    let runtime = RuntimeBuilder::new()
        .with_proactor(builder)
        .build()
        .unwrap();
    runtime.block_on(async { assert_eq!(backend(), Backend::Generic) });
    // Each runtime for itself: a ring beside it keeps its own.
    if on_a_ring() {
        Runtime::new()
            .unwrap()
            .block_on(async { assert_eq!(backend(), expected()) });
    }
}

/// A notifier is not held up by other code that has filled the places for remote wakes of a
/// runtime, and is waiting for it: the doorbell does not need one.
#[test]
fn other_codes_remote_wakes_do_not_hold_up_the_doorbell() {
    let _watchdog = common::watchdog();
    if !is_rung_by_futex() {
        return;
    }
    let notify = Arc::new(Notify::new());
    let (blocked, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (wakers, all_wakers) = mpsc::channel();
    let target = thread::spawn({
        let (notify, blocked, go_on) = (notify.clone(), blocked.clone(), go_on.clone());
        move || {
            Runtime::new().unwrap().block_on(async move {
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
                while notify.waiter_count() < 100 {
                    pass().await;
                }
                // The wakes of the tasks above come while this thread does not look.
                blocked.wait();
                go_on.wait();
                while notify.waiter_count() < 100 {
                    pass().await;
                }
                notify.notify_waiters();
                for task in tasks.into_iter().chain(herd) {
                    task.await.unwrap();
                }
            })
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
    thread::sleep(Duration::from_millis(100));
    notify.notify_waiters();
    assert_eq!(notify.waiter_count(), 0);
    go_on.wait();
    for other in others {
        other.join().unwrap();
    }
    target.join().unwrap();
}

/// Small rings, which the wait has to share with other operations, and many runtimes.
#[test]
fn a_full_submission_queue_only_delays_the_wait() {
    let _watchdog = common::watchdog();
    let mut builder = compio_driver::ProactorBuilder::new();
    builder.capacity(2);
    for _ in 0..20 {
        let event = Arc::new(Event::new());
        let target = thread::spawn({
            let (event, builder) = (event.clone(), builder.clone());
            move || {
                let Ok(runtime) = RuntimeBuilder::new().with_proactor(builder).build() else {
                    return;
                };
                runtime.block_on(async move {
                    let tasks: Vec<_> = (0..200)
                        .map(|n| {
                            let event = event.clone();
                            spawn(async move {
                                if n % 2 == 0 {
                                    compio::fs::metadata("/").await.unwrap();
                                }
                                event.wait().await;
                            })
                        })
                        .collect();
                    for task in tasks {
                        task.await.unwrap();
                    }
                })
            }
        });
        while event.waiter_count() < 200 && !target.is_finished() {
            thread::yield_now();
        }
        event.set();
        target.join().unwrap();
    }
}

fn wake_a_herd(n: usize) {
    let notify = Arc::new(Notify::new());
    let target = thread::spawn({
        let notify = notify.clone();
        move || {
            Runtime::new().unwrap().block_on(async move {
                let tasks: Vec<_> = (0..n)
                    .map(|_| {
                        let notify = notify.clone();
                        spawn(async move { notify.notified().await })
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
    notify.notify_waiters();
    target.join().unwrap();
}

/// A child process has the memory but not the runtimes of its parent. It may make its own; the
/// parent's go on.
fn fork() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async { assert_eq!(backend(), expected()) });
    // SAFETY: the child calls what a single-threaded parent's child may: the scene runs in the
    // only thread besides the test harness, which holds no lock that we need.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // The parent's runtime must not be touched here, not even dropped.
        std::mem::forget(runtime);
        wake_a_herd(100);
        // SAFETY: ends the child without running the parent's destructors.
        unsafe { libc::_exit(0) };
    }
    let event = Arc::new(Event::new());
    let setter = thread::spawn({
        let event = event.clone();
        move || {
            while event.waiter_count() < 100 {
                thread::yield_now();
            }
            event.set();
        }
    });
    runtime.block_on(async {
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let event = event.clone();
                spawn(async move { event.wait().await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    setter.join().unwrap();
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child failed");
}

#[test]
fn a_child_process_has_runtimes_of_its_own() {
    let _watchdog = common::watchdog();
    if on_a_ring() {
        play_well("fork");
    }
}
