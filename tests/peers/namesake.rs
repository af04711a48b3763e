//! jmalicki's compio-sync of 2025, which is not this one: a test for each of its defects.
//!
//! Those that have one elsewhere:
//!
//! - A Box and an Arc for each wait: `outside_of_runtimes_nothing_allocates` and
//!   `in_a_runtime_that_has_waited_before_nothing_allocates` in `allocations`.
//! - Results of the ring that nobody looks at: `a_full_submission_queue_only_delays_the_wait` in
//!   `linux_specific`, and `a_refused_wait_falls_back_to_the_waker` in `waiter_queue/linux.rs`.
//! - The generic queue under another name on Windows: `the_back_end_is_a_packet` and
//!   `a_batch_of_ten_thousand_is_one_packet` in `windows_specific`.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use super::common::{
    Hand, in_runtime, on_another_thread, rounds, settle, spawn, until, watchdog, yield_now,
};
use compio_sync::{
    Condvar, Event, Latch, Mutex, Notify, RwLock, Semaphore, force_generic_doorbell,
};

/// With the doorbell of the platform, and with the generic one. It is chosen by the thread that
/// makes a runtime, so `test` is told.
fn with_each_doorbell(test: impl Fn(bool)) {
    for generic in [false, true] {
        eprintln!("with the generic doorbell: {generic}");
        test(generic);
    }
}

/// Runs `f` in a runtime of its own, with the generic doorbell if `generic`.
fn in_runtime_with<T>(generic: bool, f: impl AsyncFnOnce() -> T) -> T {
    force_generic_doorbell(generic);
    let output = in_runtime(f);
    force_generic_doorbell(false);
    output
}

/// What a runtime shows of itself while it waits.
#[derive(Default)]
struct Rest {
    /// How often its waits were polled.
    polls: AtomicUsize,
    /// How often it went round its loop.
    turns: AtomicUsize,
}

/// The kernel refuses each wait, nobody looks at the result, and whoever waits asks again and
/// again: a waiting task is polled once, and its runtime sleeps.
#[test]
fn namesake_who_waits_sleeps() {
    let _dog = watchdog();
    with_each_doorbell(|generic| {
        let all = (Semaphore::new(0), Mutex::new(()), RwLock::new(()));
        let more = (Notify::new(), Event::new(), Latch::new(1), Condvar::new());
        let (rest, end) = (Rest::default(), Event::new());
        let held = (all.1.try_lock(), all.2.try_write());
        let condition = Mutex::new(());
        thread::scope(|scope| {
            let (all, more, rest, end, condition) = (&all, &more, &rest, &end, &condition);
            scope.spawn(move || {
                in_runtime_with(generic, async || {
                    let waits = async {
                        futures_util::join!(
                            counted(rest, async { drop(all.0.acquire().await) }),
                            counted(rest, async { drop(all.1.lock().await) }),
                            counted(rest, async { drop(all.2.read().await) }),
                            counted(rest, more.0.notified()),
                            counted(rest, more.1.wait()),
                            counted(rest, more.2.wait()),
                            counted(rest, async {
                                let guard = condition.lock().await;
                                drop(more.3.wait(guard).await);
                            }),
                        )
                    };
                    let (mut end, mut waits) = (pin!(end.wait()), pin!(waits));
                    let mut begun = false;
                    poll_fn(|cx| {
                        rest.turns.fetch_add(1, SeqCst);
                        if !std::mem::replace(&mut begun, true) {
                            assert!(waits.as_mut().poll(cx).is_pending());
                        }
                        end.as_mut().poll(cx)
                    })
                    .await;
                });
            });
            while end.waiter_count() == 0 {
                thread::yield_now();
            }
            // Awake while it sets up its mailbox, and then no more.
            let mut still = 0;
            for _ in 0..1000 {
                let turns = rest.turns.load(SeqCst);
                thread::sleep(Duration::from_millis(5));
                still = if turns == rest.turns.load(SeqCst) {
                    still + 1
                } else {
                    0
                };
                if still == 20 {
                    break;
                }
            }
            let polls = rest.polls.load(SeqCst);
            end.set();
            assert_eq!(still, 20, "it does not come to rest");
            assert_eq!(polls, 7, "once for each");
        });
        drop(held);
    });
}

/// Counts the polls of `future`.
async fn counted(rest: &Rest, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        rest.polls.fetch_add(1, SeqCst);
        future.as_mut().poll(cx)
    })
    .await;
}

/// What a thread without a runtime asks of the kernel has its arguments in the wrong order: how
/// many are woken is not what was said.
#[test]
fn namesake_a_plain_thread_wakes_as_many_as_it_says() {
    let _dog = watchdog();
    with_each_doorbell(|generic| {
        in_runtime_with(generic, async || {
            settle().await;
            let shared = Arc::new((Semaphore::new(0), Notify::new(), Condvar::new()));
            let mutex = Arc::new(Mutex::new(()));
            let passed = Arc::new([const { AtomicUsize::new(0) }; 3]);
            let tasks: Vec<_> = (0..90)
                .map(|n| {
                    let (shared, mutex, passed) = (shared.clone(), mutex.clone(), passed.clone());
                    spawn(async move {
                        match n % 3 {
                            0 => shared.0.acquire().await.forget(),
                            1 => shared.1.notified().await,
                            _ => drop(shared.2.wait(mutex.lock().await).await),
                        }
                        passed[n % 3].fetch_add(1, SeqCst);
                    })
                })
                .collect();
            let (semaphore, notify, condvar) = &*shared;
            let mut left = 30;
            let counts = || {
                let waiting = [
                    semaphore.waiter_count(),
                    notify.waiter_count(),
                    condvar.waiter_count(),
                ];
                (waiting, [0, 1, 2].map(|n| passed[n].load(SeqCst)))
            };
            until(|| counts().0 == [left; 3]).await;
            for n in [1, 2, 1, 7] {
                on_another_thread(|| {
                    semaphore.add_permits(n);
                    (0..n).for_each(|_| notify.notify_one());
                    (0..n).for_each(|_| condvar.notify_one());
                });
                left -= n;
                assert_eq!(counts().0, [left; 3]);
                until(|| counts().1 == [30 - left; 3]).await;
                for _ in 0..100 {
                    yield_now().await;
                }
                assert_eq!(counts(), ([left; 3], [30 - left; 3]), "and no more");
            }
            on_another_thread(|| {
                semaphore.add_permits(left);
                notify.notify_waiters();
                condvar.notify_all();
            });
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(counts(), ([0; 3], [30; 3]));
        });
    });
}

/// Wakes when it is dropped.
struct WakesAtItsEnd(Arc<Semaphore>);

impl Drop for WakesAtItsEnd {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// To wake is an operation that a task is spawned for, and dropped: if the runtime ends it was
/// perhaps never submitted. A wake-up arrives if it is the last thing that its thread or its
/// runtime does.
#[test]
fn namesake_a_wake_up_that_is_the_last_act_arrives() {
    let _dog = watchdog();
    let acts: [fn(WakesAtItsEnd); 4] = [
        // Of a thread; of a runtime's future; of its task; of a task that ends with its runtime.
        |wakes| drop(wakes),
        |wakes| in_runtime(async move || drop(wakes)),
        |wakes| in_runtime(async move || spawn(async move { drop(wakes) }).await.unwrap()),
        |wakes| {
            in_runtime(async move || {
                let never_ends = async move {
                    let _wakes = wakes;
                    std::future::pending::<()>().await;
                };
                spawn(never_ends).detach();
                yield_now().await;
            });
        },
    ];
    with_each_doorbell(|generic| {
        let semaphore = Arc::new(Semaphore::new(0));
        let rounds = rounds(50);
        let target = thread::spawn({
            let semaphore = semaphore.clone();
            move || {
                in_runtime_with(generic, async || {
                    let task = spawn(async move {
                        for _ in 0..rounds * acts.len() {
                            semaphore.acquire().await.forget();
                        }
                    });
                    task.await.unwrap();
                });
            }
        });
        for act in (0..rounds).flat_map(|_| acts) {
            while semaphore.waiter_count() == 0 {
                thread::yield_now();
            }
            let wakes = WakesAtItsEnd(semaphore.clone());
            thread::spawn(move || act(wakes)).join().unwrap();
        }
        target.join().unwrap();
    });
}

/// The order in which one is woken is said to depend on the platform. It is that of the queue,
/// with each doorbell and across runtimes.
#[test]
fn namesake_the_order_is_the_same_with_each_doorbell() {
    let _dog = watchdog();
    with_each_doorbell(|generic| {
        const RUNTIMES: usize = 3;
        const WAITS: usize = 30;
        let semaphore = Arc::new(Semaphore::new(0));
        let (served, order) = mpsc::channel();
        let all_wait = AtomicUsize::new(0);
        thread::scope(|scope| {
            for me in 0..RUNTIMES {
                let (semaphore, served) = (semaphore.clone(), served.clone());
                let all_wait = &all_wait;
                scope.spawn(move || {
                    in_runtime_with(generic, async || {
                        settle().await;
                        let mut tasks = Vec::new();
                        for n in (me..WAITS).step_by(RUNTIMES) {
                            until(|| semaphore.waiter_count() >= n).await;
                            let (queue, served) = (semaphore.clone(), served.clone());
                            tasks.push(spawn(async move {
                                queue.acquire().await.forget();
                                served.send(n).unwrap();
                            }));
                            until(|| semaphore.waiter_count() > n).await;
                        }
                        all_wait.fetch_add(1, SeqCst);
                        for task in tasks {
                            task.await.unwrap();
                        }
                    });
                });
            }
            while all_wait.load(SeqCst) < RUNTIMES {
                thread::yield_now();
            }
            for n in 0..WAITS {
                semaphore.add_permits(1);
                assert_eq!(order.recv(), Ok(n));
            }
        });
    });
}

/// A poll that nobody asked for counts as a wake-up.
#[test]
fn namesake_a_spurious_poll_is_no_wake_up() {
    let _dog = watchdog();
    let (semaphore, notify, event) = (Semaphore::new(0), Notify::new(), Event::new());
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let mut waits = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    let guard = mutex.try_lock();
    let mut lock = Hand::new(mutex.lock());
    let mut permit = Hand::new(semaphore.acquire());
    let (mut told, mut set) = (Hand::new(notify.notified()), Hand::new(event.wait()));
    for _ in 0..10 {
        lock.expect_pending();
        permit.expect_pending();
        told.expect_pending();
        set.expect_pending();
        waits.expect_pending();
    }
    assert_eq!(semaphore.waiter_count(), 1, "queued once");
    assert_eq!(mutex.waiter_count(), 1, "queued once");
    drop(guard);
}

/// The waker of a wait that was dropped stays in the queue, and takes the next
/// wake-up.
#[test]
fn namesake_a_dropped_wait_takes_no_wake_up() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let goes = Hand::waiting(semaphore.acquire());
    let mut stays = Hand::waiting(semaphore.acquire());
    let gone = goes.probe().clone();
    drop(goes);
    assert_eq!(gone.live(), 0, "no waker of it is left");
    semaphore.add_permits(1);
    assert_eq!((gone.wakes(), stays.wakes()), (0, 1));
    drop(stays.expect_ready());
}

/// `waiter_count` panics.
#[test]
fn namesake_waiter_count_counts() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut waits = Vec::new();
    for n in 0..5 {
        assert_eq!(semaphore.waiter_count(), n);
        waits.push(Hand::waiting(semaphore.acquire()));
    }
    semaphore.add_permits(2);
    assert_eq!(semaphore.waiter_count(), 3);
    waits.clear();
    assert_eq!(semaphore.waiter_count(), 0);
}

/// The condition variable is a flag that stays set.
#[test]
fn namesake_a_condvar_remembers_no_notification() {
    let _dog = watchdog();
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    condvar.notify_one();
    condvar.notify_all();
    let mut waits = Hand::waiting(condvar.wait(mutex.try_lock().unwrap()));
    waits.expect_pending();
    condvar.notify_one();
    drop(waits.expect_ready());
}

/// First come, first served is promised, and who comes by goes first.
#[test]
fn namesake_first_come_first_served() {
    let _dog = watchdog();
    in_runtime(async || {
        settle().await;
        let semaphore = Arc::new(Semaphore::new(0));
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let (semaphore, order) = (semaphore.clone(), order.clone());
                spawn(async move {
                    let _permit = semaphore.acquire().await;
                    order.lock().unwrap().push(n);
                })
            })
            .collect();
        while semaphore.waiter_count() < tasks.len() {
            yield_now().await;
        }
        semaphore.add_permits(1);
        assert!(semaphore.try_acquire().is_none());
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), Vec::from_iter(0..20));
    });
}
