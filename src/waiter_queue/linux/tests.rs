//! What a runtime does with waits that the kernel refuses, or ends for another reason than a ring.

use std::{
    cell::{Cell, RefCell},
    os::fd::RawFd,
    thread,
    time::{Duration, Instant},
};

use compio_driver::AsRawFd;
use compio_runtime::spawn;
use futex::tests::{SPOILED, Spoiled};

use super::*;
use crate::{Event, Notify};

/// Waits of this thread that have ended: by a ring, and by themselves.
#[derive(Clone, Copy, Default)]
struct Ends {
    rung: usize,
    passed: usize,
}

thread_local! {
    static ENDS: Cell<Ends> = const { Cell::new(Ends { rung: 0, passed: 0 }) };
    /// What the next runtimes of this thread have, if there is one: so their words are at the
    /// same address, whatever the allocator does.
    static BELL: RefCell<Option<Arc<Bell>>> = const { RefCell::new(None) };
}

pub(super) fn note_end(end: &io::Result<usize>) {
    let mut ends = ENDS.get();
    match end {
        Ok(_) => ends.rung += 1,
        Err(_) => ends.passed += 1,
    }
    ENDS.set(ends);
}

pub(super) fn new_bell() -> Arc<Bell> {
    BELL.with_borrow(Clone::clone).unwrap_or_default()
}

fn is_slow() -> bool {
    std::env::var_os("COMPIO_SYNC_SLOW").is_some_and(|value| value != "0")
}

/// More than are woken one by one.
const HERD: usize = 20;

/// Runs `f` on a thread of its own, and notifies from this one whenever a herd waits there.
fn beside_a_notifier<T: Send + 'static>(f: impl FnOnce(&Arc<Notify>) -> T + Send + 'static) -> T {
    let notify = Arc::new(Notify::new());
    let target = thread::spawn({
        let notify = Arc::clone(&notify);
        move || f(&notify)
    });
    let limit = Duration::from_secs(if is_slow() { 400 } else { 120 });
    let start = Instant::now();
    while !target.is_finished() {
        if notify.waiter_count() == HERD {
            notify.notify_waiters();
        }
        assert!(start.elapsed() < limit, "it hangs");
        thread::yield_now();
    }
    target.join().unwrap()
}

/// A herd waits, and is woken.
async fn herd(notify: &Arc<Notify>) {
    let tasks: Vec<_> = (0..HERD)
        .map(|_| {
            let notify = Arc::clone(notify);
            spawn(async move { notify.notified().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Herds wait and are woken until some of them were by a ring, which it takes a sleeping runtime
/// for.
async fn until_rung(notify: &Arc<Notify>, times: usize) {
    let enough = ENDS.get().rung + times;
    while ENDS.get().rung < enough {
        herd(notify).await;
        assert_eq!(crate::backend(), Backend::Futex);
    }
}

/// The probe says that there is such an operation, and the kernel refuses it all the same.
#[test]
fn a_refused_wait_falls_back_to_the_waker() {
    if !futex::is_supported() {
        return;
    }
    for (spoiled, expected) in [
        (Spoiled::Refused, Backend::Generic),
        (Spoiled::Not, Backend::Futex),
    ] {
        let backend = beside_a_notifier(move |notify| {
            SPOILED.set(spoiled);
            Runtime::new().unwrap().block_on(async {
                for _ in 0..5 {
                    herd(notify).await;
                }
                crate::backend()
            })
        });
        assert_eq!(backend, expected);
    }
}

/// A ring between the look at the mailbox and the wait: the kernel says `EAGAIN`.
#[test]
fn a_wait_that_comes_late_is_armed_again() {
    if !futex::is_supported() {
        return;
    }
    beside_a_notifier(|notify| {
        SPOILED.set(Spoiled::Stale(100));
        Runtime::new().unwrap().block_on(async {
            until_rung(notify, 3).await;
            assert!(ENDS.get().passed >= 100);
            assert_eq!(crate::backend(), Backend::Futex);
        });
    });
}

/// Somebody cancels all that is on the ring.
#[test]
fn a_cancelled_wait_is_armed_again() {
    if !futex::is_supported() {
        return;
    }
    beside_a_notifier(|notify| {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            until_rung(notify, 1).await;
            let before = ENDS.get().passed;
            while ENDS.get().passed < before + 10 {
                cancel_all(runtime.as_raw_fd());
                drain::pass().await;
                assert_eq!(crate::backend(), Backend::Futex);
            }
            until_rung(notify, 3).await;
            assert_eq!(crate::backend(), Backend::Futex);
        });
    });
}

/// Cancels every operation of a ring of this thread.
fn cancel_all(ring: RawFd) {
    const IORING_REGISTER_SYNC_CANCEL: libc::c_uint = 24;
    const ALL_OF_ANY_KIND: u32 = 1 | 4;
    /// `struct io_uring_sync_cancel_reg`.
    #[repr(C)]
    struct Request {
        addr: u64,
        fd: i32,
        flags: u32,
        timeout: [i64; 2],
        rest: [u64; 4],
    }
    let request = Request {
        addr: 0,
        fd: -1,
        flags: ALL_OF_ANY_KIND,
        timeout: [-1; 2],
        rest: [0; 4],
    };
    // SAFETY: a plain system call that reads the structure. compio arms again what it needs.
    let result = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            ring,
            IORING_REGISTER_SYNC_CANCEL,
            &raw const request,
            1,
        )
    };
    let error = io::Error::last_os_error();
    // There may be nothing, or it may be on its way.
    assert!(
        result >= 0 || matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EALREADY)),
        "{error}"
    );
}

/// A runtime that ends with its wait armed, rung or not, and another whose word is where the
/// first one's was: it must not lose its wakes to what the kernel still keeps of the first.
#[test]
fn runtimes_that_die_armed_take_no_wakes_with_them() {
    if !futex::is_supported() {
        return;
    }
    let rounds = if is_slow() { 10 } else { 100 };
    beside_a_notifier(move |notify| {
        BELL.set(Some(Arc::default()));
        for round in 0..rounds {
            let event = Arc::new(Event::new());
            let [first, second] = [(); 2].map(|()| Runtime::new().unwrap());
            first.block_on(async {
                for _ in 0..HERD {
                    let event = Arc::clone(&event);
                    spawn(async move { event.wait().await }).detach();
                }
                drain::pass().await;
                // Once through the driver, after the drain task has run: then the wait is armed.
                compio::runtime::time::sleep(Duration::from_micros(50)).await;
                assert_eq!(event.waiter_count(), HERD);
            });
            if round % 2 == 0 {
                let event = Arc::clone(&event);
                thread::spawn(move || event.set()).join().unwrap();
            }
            drop(first);
            second.block_on(until_rung(notify, 1));
        }
    });
}
