//! What happens when there is no memory: to wait, to wake and to give up go on, since they need
//! none. What needs some ends the process, as everything of the standard library does.
//!
//! This program runs itself with the name of a scene in `SCENE`, since a scene may end it.
#![cfg(not(miri))]

mod common;
#[path = "misuse/kinds.rs"]
mod kinds;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::poll_fn,
    process::{Command, Output},
    ptr,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

use common::{
    Hand, in_runtime, on_another_thread, on_each_road, on_runtimes, settle, spawn, until, watchdog,
    yield_now,
};
use compio_sync::{CancellationToken, Event, Notify, Semaphore};
use kinds::kinds;

/// The system's, but it has nothing for a thread that is out of memory.
struct Scarce;

thread_local! {
    static OUT: Cell<bool> = const { Cell::new(false) };
}

fn is_out() -> bool {
    // A thread that is ending has its share.
    OUT.try_with(Cell::get).unwrap_or(false)
}

// SAFETY: hands everything to the system's allocator as it came, or fails, which it may.
unsafe impl GlobalAlloc for Scarce {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_out() {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Scarce = Scarce;

/// Does `f` while every allocation of this thread fails.
fn without_memory<T>(f: impl FnOnce() -> T) -> T {
    OUT.set(true);
    let output = f();
    OUT.set(false);
    output
}

/// The stage: does nothing unless a test plays a scene on it.
#[test]
fn scenes() {
    let Ok(scene) = std::env::var("SCENE") else {
        return;
    };
    let _dog = watchdog();
    match scene.as_str() {
        "every kind" => every_kind_on_each_road(),
        "two runtimes" => two_runtimes(),
        "wakers of compio" => wakers_of_compio(),
        "a box" => drop(without_memory(|| std::hint::black_box(Box::new(1)))),
        "a first wait" => in_runtime(async || {
            let notify = Notify::new();
            let mut wait = Hand::new(notify.notified());
            without_memory(|| wait.expect_pending());
        }),
        "a thread" => {
            let event = Event::new();
            event.set();
            without_memory(|| event.blocking_wait());
        }
        "a token" => {
            let token = CancellationToken::new();
            drop(without_memory(|| token.child_token()));
        }
        other => panic!("no such scene: {other}"),
    }
    println!("played {scene}");
}

/// A wait that is given up, one that is polled in vain and then let through.
fn every_kind_on_each_road() {
    on_each_road(async |road| {
        for kind in kinds() {
            eprintln!("{}", kind.name);
            let mut gives_up = road.hand(kind.wait());
            without_memory(|| {
                gives_up.expect_pending();
                drop(gives_up);
            });
            let mut wait = road.hand(kind.wait());
            without_memory(|| {
                wait.expect_pending();
                wait.expect_pending();
            });
            road.send(|| without_memory(|| kind.wake()));
            without_memory(|| {
                wait.expect_ready();
                drop(wait);
            });
            assert!(kind.is_at_rest());
        }
    });
}

/// Tasks by the hundred that wait, are woken by another runtime, and give up, all without
/// memory but for what the runtimes themselves need.
fn two_runtimes() {
    const TASKS: usize = 300;
    let (notify, semaphore) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    on_runtimes(2, async |me| {
        settle().await;
        if me == 1 {
            for _ in 0..10 {
                while notify.waiter_count() < TASKS {
                    yield_now().await;
                }
                without_memory(|| notify.notify_waiters());
                while semaphore.waiter_count() < TASKS {
                    yield_now().await;
                }
                without_memory(|| semaphore.add_permits(TASKS));
            }
            return;
        }
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (notify, semaphore) = (notify.clone(), semaphore.clone());
                spawn(async move {
                    for _ in 0..10 {
                        polled_without_memory(notify.notified()).await;
                        polled_without_memory(semaphore.acquire()).await.forget();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Compio's own wakers, without anything of this crate, called on their runtime and elsewhere.
fn wakers_of_compio() {
    // As many as compio has places for, from another thread.
    const TASKS: usize = 32;
    in_runtime(async || {
        for round in 0..10 {
            let wakers = Arc::new(Mutex::new(Vec::with_capacity(TASKS)));
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let (wakers, mut waits) = (wakers.clone(), false);
                    spawn(poll_fn(move |cx| {
                        if std::mem::replace(&mut waits, true) {
                            return Poll::Ready(());
                        }
                        wakers.lock().unwrap().push(cx.waker().clone());
                        Poll::Pending
                    }))
                })
                .collect();
            until(|| wakers.lock().unwrap().len() == TASKS).await;
            let wake =
                || without_memory(|| wakers.lock().unwrap().iter().for_each(Waker::wake_by_ref));
            if round % 2 == 0 {
                wake();
            } else {
                on_another_thread(wake);
            }
            for task in tasks {
                task.await.unwrap();
            }
        }
    });
}

async fn polled_without_memory<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| without_memory(|| future.as_mut().poll(cx))).await
}

fn play(scene: &str) -> (Output, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "scenes", "--nocapture"])
        .env("SCENE", scene)
        .output()
        .unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    (output, String::from_utf8_lossy(&said).into_owned())
}

/// Goes on, unless compio's own wakers need memory, as those of 0.20 do.
#[track_caller]
fn goes_on(scene: &str) {
    let _dog = watchdog();
    let (output, said) = play(scene);
    if !output.status.success() {
        let (compio, of_compio) = play("wakers of compio");
        assert!(
            !compio.status.success() && of_compio.contains("memory allocation of"),
            "{scene}: {}\n{said}",
            output.status
        );
        eprintln!("{scene}: compio's own wakers need memory");
        return;
    }
    assert!(said.contains(&format!("played {scene}")), "{said}");
}

#[track_caller]
fn ends_the_process(scene: &str) {
    let _dog = watchdog();
    let (output, said) = play(scene);
    assert!(!output.status.success(), "{scene} needs no memory");
    assert!(said.contains("memory allocation of"), "{scene}: {said}");
}

#[test]
fn waits_of_every_kind_go_on_without_memory() {
    goes_on("every kind");
}

#[test]
fn two_runtimes_go_on_without_memory() {
    goes_on("two runtimes");
}

/// That these tests can fail.
#[test]
fn an_allocation_ends_the_process() {
    ends_the_process("a box");
}

#[test]
fn the_first_wait_on_a_runtime_needs_memory() {
    ends_the_process("a first wait");
}

#[test]
fn a_thread_that_blocks_needs_memory() {
    ends_the_process("a thread");
}

#[test]
fn a_token_needs_memory() {
    ends_the_process("a token");
}
