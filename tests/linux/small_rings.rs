//! Rings with less room than there are operations.

use std::{
    future::{Future, poll_fn},
    os::fd::{AsRawFd, RawFd},
    sync::{Arc, mpsc},
    task::Poll,
    thread,
};

use compio_driver::ProactorBuilder;
use compio_runtime::{RuntimeBuilder, spawn};
use compio_sync::{Event, backend};

use crate::{asleep::wait_until_asleep, common::yield_now, expect::expected, herds::futex_calls};

/// The wait is submitted when the queue is full of other operations. That delays it, and no
/// more: it is armed, and the runtime woken by it.
pub(crate) fn a_full_queue() {
    let (places, tasks) = (2, 200);
    for _ in 0..5 {
        let event = Arc::new(Event::new());
        let (me, its) = mpsc::channel();
        let target = thread::spawn({
            let event = event.clone();
            move || {
                let mut builder = ProactorBuilder::new();
                builder.capacity(places);
                let runtime = RuntimeBuilder::new()
                    .with_proactor(builder)
                    .build()
                    .unwrap();
                let ring = runtime.as_raw_fd();
                runtime.block_on(async move {
                    // Spawns the task that submits the wait, which has its turn when we wait.
                    assert_eq!(backend(), expected());
                    let mut others: Vec<_> = (0..places)
                        .map(|_| Box::pin(compio::fs::metadata("/")))
                        .collect();
                    poll_fn(|cx| {
                        for other in &mut others {
                            assert!(other.as_mut().poll(cx).is_pending());
                        }
                        Poll::Ready(())
                    })
                    .await;
                    assert_eq!(submissions(ring), (places, places), "it is not full");
                    yield_now().await;
                    let tasks: Vec<_> = (0..tasks)
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
                    for other in others {
                        other.await.unwrap();
                    }
                    // SAFETY: only asks for a number.
                    me.send(unsafe { libc::gettid() }).unwrap();
                    for task in tasks {
                        task.await.unwrap();
                    }
                    assert_eq!(backend(), expected(), "as it was");
                });
            }
        });
        while event.waiter_count() < tasks && !target.is_finished() {
            thread::yield_now();
        }
        if let Ok(thread) = its.recv() {
            wait_until_asleep(thread);
        }
        let calls = futex_calls(|| {
            event.set();
        });
        target.join().unwrap();
        if let Some(calls) = calls {
            assert_eq!(calls, 1);
        }
    }
}

/// How many operations lie in a ring's submission queue, and how many have room there.
fn submissions(ring: RawFd) -> (u32, u32) {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{ring}")).unwrap();
    let number = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        let value = line.unwrap_or_else(|| panic!("no {name} in {info}")).trim();
        match value.strip_prefix("0x") {
            Some(value) => u32::from_str_radix(value, 16),
            None => value.parse(),
        }
        .unwrap()
    };
    let lie = number("SqTail:").wrapping_sub(number("SqHead:"));
    (lie, number("SqMask:") + 1)
}
