//! Waiting, waking and giving up allocate nothing: counted by the global allocator, thread
//! by thread.

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use common::{Meeting, in_runtime, keep, on_runtimes, settle, spawn, until, watchdog, yield_now};
use compio_sync::{
    Barrier, CancellationToken, Condvar, Event, Latch, Mutex, Notify, OnceCell, RwLock,
    RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore, WaitGroup,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending does not count any more.
    let _ended = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: hands everything to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations this thread makes in `f`.
fn allocations<T>(f: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let output = f();
    (ALLOCATIONS.get() - before, output)
}

#[track_caller]
fn without_allocating<T>(f: impl FnOnce() -> T) -> T {
    let (n, output) = allocations(f);
    assert_eq!(n, 0, "it allocated");
    output
}

/// The waker costs nothing, so that all that is counted is ours.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn is_ready<F: Future>(future: &mut Pin<Box<F>>) -> bool {
    poll(future.as_mut()).is_ready()
}

#[test]
fn the_counter_counts() {
    let _dog = watchdog();
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))).0, 1);
    assert_eq!(allocations(|| ()).0, 0);
}

/// The same of the read-write lock.
#[test]
fn the_read_write_lock_allocates_nothing() {
    let _dog = watchdog();
    for n in [0, 10, 1000] {
        let lock = RwLock::new(0);
        without_allocating(|| {
            drop((lock.try_read(), lock.try_upgradable_read()));
            let guard = RwLockWriteGuard::downgrade_to_upgradable(lock.try_write().unwrap());
            let mut upgrade = std::pin::pin!(RwLockUpgradableReadGuard::upgrade(guard));
            assert!(poll(upgrade.as_mut()).is_ready());
        });
        let guard = lock.try_write().unwrap();
        let mut readers: Vec<_> = (0..n).map(|_| Box::pin(lock.read())).collect();
        let mut writers: Vec<_> = (0..n).map(|_| Box::pin(lock.write())).collect();
        let mut upgradable = Box::pin(lock.upgradable_read());
        without_allocating(|| {
            for _ in 0..2 {
                assert!(!readers.iter_mut().any(is_ready));
                assert!(!writers.iter_mut().any(is_ready));
                assert!(!is_ready(&mut upgradable));
            }
        });
        let gone = (readers.split_off(n / 2), writers.split_off(n / 2));
        without_allocating(|| drop(gone));
        assert_eq!(lock.waiter_count(), n / 2 * 2 + 1);
        without_allocating(|| {
            drop(guard);
            assert!(readers.iter_mut().all(is_ready));
            assert!(writers.iter_mut().all(is_ready));
            assert!(is_ready(&mut upgradable));
        });
        assert!(!lock.is_locked());
    }
}

/// All operations of all primitives, with nobody and with `n` that wait.
fn everything(n: usize) {
    let semaphore = Semaphore::new(1);
    let (mutex, condvar) = (Mutex::new(0), Condvar::new());
    let (notify, event) = (Notify::new(), Event::new());

    without_allocating(|| {
        drop(semaphore.try_acquire());
        let mut acquire = std::pin::pin!(semaphore.acquire());
        assert!(poll(acquire.as_mut()).is_ready());
        let mut lock = std::pin::pin!(mutex.lock());
        assert!(poll(lock.as_mut()).is_ready());
        notify.notify_one();
        let mut notified = std::pin::pin!(notify.notified());
        assert!(poll(notified.as_mut()).is_ready());
        event.set();
        let mut wait = std::pin::pin!(event.wait());
        assert!(poll(wait.as_mut()).is_ready());
        event.reset();
        condvar.notify_all();
    });

    let permit = semaphore.try_acquire();
    let mut acquires: Vec<_> = (0..n).map(|_| Box::pin(semaphore.acquire())).collect();
    let mut told: Vec<_> = (0..n).map(|_| Box::pin(notify.notified())).collect();
    let mut set: Vec<_> = (0..n).map(|_| Box::pin(event.wait())).collect();
    let mut locks: Vec<_> = (0..n).map(|_| Box::pin(mutex.lock())).collect();
    let mut waits: Vec<_> = (0..n)
        .map(|_| {
            let mut wait = Box::pin(condvar.wait(mutex.try_lock().unwrap()));
            without_allocating(|| assert!(!is_ready(&mut wait)));
            wait
        })
        .collect();
    let guard = mutex.try_lock();
    // To wait, and to be polled in vain.
    without_allocating(|| {
        for _ in 0..2 {
            assert!(!acquires.iter_mut().any(is_ready));
            assert!(!told.iter_mut().any(is_ready));
            assert!(!set.iter_mut().any(is_ready));
            assert!(!locks.iter_mut().any(is_ready));
            assert!(!waits.iter_mut().any(is_ready));
        }
    });
    // To give up.
    let gone = (
        acquires.split_off(n / 2),
        told.split_off(n / 2),
        locks.split_off(n / 2),
    );
    let gone_too = (waits.split_off(n / 2), set.split_off(n / 2));
    without_allocating(|| drop((gone, gone_too)));
    assert_eq!(semaphore.waiter_count(), n / 2);
    // To be woken, and to be ready.
    without_allocating(|| {
        drop(permit);
        semaphore.add_permits(n);
        notify.notify_waiters();
        event.set();
        condvar.notify_all();
        drop(guard);
    });
    without_allocating(|| {
        assert!(acquires.iter_mut().all(is_ready));
        assert!(told.iter_mut().all(is_ready));
        assert!(set.iter_mut().all(is_ready));
        assert!(locks.iter_mut().all(is_ready));
        assert!(waits.iter_mut().all(is_ready));
    });
}

/// The same of what is set or passed once.
fn everything_once(n: usize) {
    let (barrier, cell) = (Barrier::new(n / 2 + 1), OnceCell::new());
    let mut runs = Box::pin(cell.get_or_init(std::future::pending));
    let mut met: Vec<_> = (0..n).map(|_| Box::pin(barrier.wait())).collect();
    let mut set: Vec<_> = (0..n).map(|_| Box::pin(cell.wait())).collect();
    let mut turns: Vec<_> = (0..n)
        .map(|n| Box::pin(cell.get_or_init(move || std::future::ready(n))))
        .collect();
    let met_gone = met.split_off(n / 2);
    without_allocating(|| {
        assert!(!is_ready(&mut runs));
        for _ in 0..2 {
            assert!(!met.iter_mut().any(is_ready));
            assert!(!set.iter_mut().any(is_ready));
            assert!(!turns.iter_mut().any(is_ready));
        }
    });
    let gone = (met_gone, set.split_off(n / 2), turns.split_off(n / 2));
    without_allocating(|| drop(gone));
    assert_eq!((barrier.waiter_count(), cell.waiter_count()), (n / 2, n));
    let mut last = std::pin::pin!(barrier.wait());
    without_allocating(|| {
        drop(runs);
        assert!(poll(last.as_mut()).is_ready());
        assert!(met.iter_mut().all(is_ready));
        assert!(turns.iter_mut().all(is_ready));
        assert!(set.iter_mut().all(is_ready));
    });
}

#[test]
fn outside_of_runtimes_nothing_allocates() {
    let _dog = watchdog();
    everything(1000);
    everything_once(1000);
    gates(1000);
}

#[test]
fn in_a_runtime_that_has_waited_before_nothing_allocates() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        everything(1000);
        everything_once(1000);
        gates(1000);
        spawn(async { everything(1000) }).await.unwrap();
        spawn(async { everything_once(1000) }).await.unwrap();
    });
}

/// The gates, with `n` that wait.
fn gates(n: usize) {
    let (latch, group) = (Latch::new(1), WaitGroup::new());
    let guard = without_allocating(|| group.add());
    let root = CancellationToken::new();
    let tokens: Vec<_> = (0..n).map(|_| root.child_token()).collect();
    let mut cancelled: Vec<_> = tokens.iter().map(|t| Box::pin(t.cancelled())).collect();
    let mut latched: Vec<_> = (0..n).map(|_| Box::pin(latch.wait())).collect();
    let mut grouped: Vec<_> = (0..n).map(|_| Box::pin(group.wait())).collect();
    without_allocating(|| {
        for _ in 0..2 {
            assert!(!latched.iter_mut().any(is_ready));
            assert!(!cancelled.iter_mut().any(is_ready));
            assert!(!grouped.iter_mut().any(is_ready));
        }
    });
    let gone = (latched.split_off(n / 2), grouped.split_off(n / 2));
    without_allocating(|| drop(gone));
    assert_eq!(latch.waiter_count() + group.waiter_count(), n);
    without_allocating(|| {
        latch.count_down();
        drop(guard);
        root.cancel();
        assert!(cancelled.iter_mut().all(is_ready));
        assert!(latched.iter_mut().all(is_ready));
        assert!(grouped.iter_mut().all(is_ready));
    });
}

/// Two runtimes with `n` waits each; the second wakes those of the first. Returns what the
/// notifier allocated, and what the runtime that was woken did until all were ready.
fn across(n: usize) -> (usize, usize) {
    let notify = Notify::new();
    let semaphore = Semaphore::new(0);
    let meeting = Meeting::new(2);
    let counts = on_runtimes(2, async |me| {
        settle().await;
        let n = if me == 0 { n } else { 0 };
        let mut told: Vec<_> = (0..n).map(|_| Box::pin(notify.notified())).collect();
        let mut permits: Vec<_> = (0..n).map(|_| Box::pin(semaphore.acquire())).collect();
        without_allocating(|| {
            assert!(!told.iter_mut().any(is_ready));
            assert!(!permits.iter_mut().any(is_ready));
        });
        meeting.wait().await;
        let mut count = 0;
        if me == 1 {
            count = allocations(|| {
                notify.notify_waiters();
                semaphore.add_permits(semaphore.waiter_count());
            })
            .0;
        }
        meeting.wait().await;
        // The mailbox is drained by turns of the runtime, as many as it takes.
        let before = ALLOCATIONS.get();
        for _ in 0..8 {
            yield_now().await;
        }
        if me == 0 {
            count += ALLOCATIONS.get() - before;
        }
        without_allocating(|| {
            assert!(told.iter_mut().all(is_ready));
            assert!(permits.iter_mut().all(is_ready));
        });
        count
    });
    (counts[1], counts[0])
}

#[test]
fn waking_a_thousand_of_another_runtime_allocates_no_more_than_waking_none() {
    let _dog = watchdog();
    let (_, idle) = across(0);
    let (notifier, woken) = across(1000);
    assert_eq!(notifier, 0, "the notifier");
    // What compio itself allocates for a turn does not grow with the number of waits.
    assert!(
        woken <= idle + 4,
        "the drain: {woken}, and {idle} without any"
    );
}

#[test]
fn waking_tasks_of_another_runtime_allocates_nothing_in_the_notifier() {
    let _dog = watchdog();
    let notify: &Notify = keep(Notify::new());
    let meeting = Meeting::new(2);
    on_runtimes(2, async |me| {
        settle().await;
        for _ in 0..3 {
            if me == 0 {
                let tasks: Vec<_> = (0..1000).map(|_| spawn(waiting(notify))).collect();
                until(|| notify.waiter_count() == 1000).await;
                meeting.wait().await;
                for task in tasks {
                    task.await.unwrap();
                }
            } else {
                meeting.wait().await;
                without_allocating(|| notify.notify_waiters());
            }
        }
    });
}

/// Waits, and checks each of its polls.
async fn waiting(notify: &Notify) {
    let mut wait = std::pin::pin!(notify.notified());
    poll_fn(|cx| without_allocating(|| wait.as_mut().poll(cx))).await;
}
