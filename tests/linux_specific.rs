//! Linux: wake-ups come through the runtime's own ring, and every reason why they may not.
//!
//! What has to be shown of a whole process is shown of a child: this program runs itself with
//! the name of a scene in `SCENE`, mostly under a filter on system calls.
#![cfg(target_os = "linux")]

#[path = "linux/alone.rs"]
mod alone;
#[path = "linux/asleep.rs"]
mod asleep;
mod common;
#[path = "linux/expect.rs"]
mod expect;
#[path = "linux/fork.rs"]
mod fork;
#[path = "linux/herds.rs"]
mod herds;
#[path = "linux/seccomp.rs"]
mod seccomp;
#[path = "linux/small_rings.rs"]
mod small_rings;

use std::{
    future::poll_fn,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Barrier, atomic::Ordering::SeqCst, mpsc},
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use compio_runtime::{Runtime, RuntimeBuilder, spawn};
use compio_sync::{Backend, Event, Notify, backend};
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
            alone::every_primitive();
        }
        "a herd, deadly" => {
            seccomp::filter_shared_futex_wakes(Then::Die);
            herds::wake_a_herd_elsewhere(100, |_| {});
        }
        "a herd, unheard" => {
            seccomp::filter_shared_futex_wakes(Then::Fail(0));
            herds::wake_a_herd_elsewhere(100, |woken| {
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
            herds::cancel_a_tree(6, 100);
            herds::cancel_a_tree(4, if common::is_slow() { 2500 } else { 25_000 });
        }
        "denied with EPERM" => denied(libc::EPERM),
        "denied with ENOSYS" => denied(libc::ENOSYS),
        "small rings" => small_rings::a_full_queue(),
        "no descriptors" => no_descriptors(),
        "fork" => fork_while_armed(),
        other => panic!("no such scene: {other}"),
    }
    println!("played {scene}");
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
        return herds::wake_a_herd_elsewhere(100, |_| {});
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

/// A question that cannot be put to the kernel now is put again by the next runtime.
fn no_descriptors() {
    let [first, second] = [(); 2].map(|()| Runtime::new().unwrap());
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: plain system calls on a structure of ours.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        let none = libc::rlimit {
            rlim_cur: 0,
            ..limit
        };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &none), 0);
    }
    first.block_on(async { assert_eq!(backend(), Backend::Generic) });
    // SAFETY: as above.
    unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0) };
    second.block_on(async { assert_eq!(backend(), expected()) });
    // What the first has it keeps.
    first.block_on(async { assert_eq!(backend(), Backend::Generic) });
}

#[test]
fn too_few_descriptors_once_is_not_for_ever() {
    let _watchdog = common::watchdog();
    if on_a_ring() {
        play_well("no descriptors");
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
                    common::yield_now().await;
                }
                // The wakes of the tasks above come while this thread does not look.
                blocked.wait();
                go_on.wait();
                while notify.waiter_count() < 100 {
                    common::yield_now().await;
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

#[test]
fn a_full_submission_queue_only_delays_the_wait() {
    let _watchdog = common::watchdog();
    if is_rung_by_futex() {
        play_well("small rings");
    }
}

/// The wait was armed before the fork, and is rung after it.
fn fork_while_armed() {
    let event = Arc::new(Event::new());
    let (runtime, tasks) = fork::armed(&event);
    let child = fork::child();
    // SAFETY: only asks for a number.
    let me = unsafe { libc::gettid() };
    let setter = thread::spawn(move || {
        asleep::wait_until_asleep(me);
        let calls = herds::futex_calls(|| {
            event.set();
        });
        if let (Backend::Futex, Some(calls)) = (expected(), calls) {
            assert_eq!(calls, 1);
        }
    });
    fork::is_woken(&runtime, tasks);
    setter.join().unwrap();
    fork::has_ended_well(child);
}

#[test]
fn a_child_process_has_runtimes_of_its_own() {
    let _watchdog = common::watchdog();
    if on_a_ring() {
        play_well("fork");
    }
}
