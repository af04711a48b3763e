//! What the semaphore promises: order, counts, refusals.

mod common;

use std::{cell::RefCell, rc::Rc, sync::Arc, task::Poll, time::Duration};

use common::{
    Hand, in_runtime, on_another_thread, panic_message, park_on, probe::woken, spawn, until,
    watchdog, yield_now,
};
use compio_sync::Semaphore;

#[compio::test]
async fn a_permit_is_taken_and_given_back() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(1);
    let permit = semaphore.acquire().await;
    assert_eq!(permit.num_permits(), 1);
    assert_eq!(semaphore.available_permits(), 0);
    drop(permit);
    assert_eq!(semaphore.available_permits(), 1);
}

#[compio::test]
async fn several_waiters_all_get_their_turn_in_order() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(1));
    let permit = semaphore.acquire().await;
    let order = Rc::new(RefCell::new(Vec::new()));
    let tasks: Vec<_> = (0..10)
        .map(|i| {
            let (semaphore, order) = (semaphore.clone(), order.clone());
            spawn(async move {
                let _permit = semaphore.acquire().await;
                order.borrow_mut().push(i);
                i
            })
        })
        .collect();
    until(|| semaphore.waiter_count() == 10).await;
    drop(permit);
    for (i, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), i);
    }
    assert_eq!(*order.borrow(), (0..10).collect::<Vec<_>>());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn try_acquire_takes_what_is_free() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(1);
    let first = semaphore.try_acquire();
    assert!(first.is_some());
    assert!(semaphore.try_acquire().is_none());
    drop(first);
    assert!(semaphore.try_acquire().is_some());
}

#[compio::test]
async fn concurrent_tasks_never_exceed_the_limit() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(10));
    let running = Rc::new(std::cell::Cell::new((0, 0)));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (semaphore, running) = (semaphore.clone(), running.clone());
            spawn(async move {
                let _permit = semaphore.acquire().await;
                let (now, most) = running.get();
                running.set((now + 1, most.max(now + 1)));
                yield_now().await;
                let (now, most) = running.get();
                running.set((now - 1, most));
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(running.get(), (0, 10));
    assert_eq!(semaphore.available_permits(), 10);
}

#[test]
fn waiters_are_served_first_come_first_served() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut waits: Vec<_> = (0..5).map(|_| Hand::waiting(semaphore.acquire())).collect();
    assert_eq!(semaphore.waiter_count(), 5);
    for i in 0..5 {
        assert_eq!(woken(&waits), (0..i).collect::<Vec<_>>());
        semaphore.add_permits(1);
        assert_eq!(waits[i].wakes(), 1);
        assert_eq!(semaphore.waiter_count(), 4 - i);
        waits[i].expect_ready().forget();
    }
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn the_place_in_the_queue_is_taken_at_the_first_poll() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut made_first = Hand::new(semaphore.acquire());
    let mut polled_first = Hand::waiting(semaphore.acquire());
    made_first.expect_pending();
    semaphore.add_permits(1);
    assert!(!made_first.is_woken());
    polled_first.expect_ready().forget();
}

#[test]
fn nobody_overtakes_a_waiter() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(2);
    let mut large = Hand::waiting(semaphore.acquire_many(3));
    // What was free belongs to the waiter now.
    assert_eq!(semaphore.available_permits(), 0);
    assert!(semaphore.try_acquire().is_none());
    assert!(semaphore.try_acquire_many(1).is_none());
    let mut small = Hand::waiting(semaphore.acquire());
    semaphore.add_permits(1);
    assert!(semaphore.try_acquire().is_none());
    let large = large.expect_ready();
    small.expect_pending();
    drop(large);
    small.expect_ready().forget();
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn the_first_waiter_collects_permits_one_by_one() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut large = Hand::waiting(semaphore.acquire_many(5));
    let mut small = Hand::waiting(semaphore.acquire());
    for _ in 0..4 {
        semaphore.add_permits(1);
        assert_eq!(semaphore.available_permits(), 0);
        assert_eq!((large.wakes(), small.wakes()), (0, 0));
    }
    semaphore.add_permits(1);
    assert_eq!((large.wakes(), small.wakes()), (1, 0));
    let permit = large.expect_ready();
    assert_eq!(permit.num_permits(), 5);
    drop(permit);
    assert!(small.is_woken());
    drop(small.expect_ready());
    assert_eq!(semaphore.available_permits(), 5);
}

#[test]
fn permits_given_at_once_go_to_as_many_as_they_suffice_for() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut waits: Vec<_> = [1, 2, 3, 4]
        .into_iter()
        .map(|n| Hand::waiting(semaphore.acquire_many(n)))
        .collect();
    semaphore.add_permits(8);
    assert_eq!(woken(&waits), [0, 1, 2]);
    assert_eq!(semaphore.waiter_count(), 1);
    assert_eq!(semaphore.available_permits(), 0);
    semaphore.add_permits(3);
    assert_eq!(woken(&waits), [0, 1, 2, 3]);
    assert_eq!(semaphore.available_permits(), 1);
    let all: usize = waits
        .iter_mut()
        .map(|w| w.expect_ready().num_permits())
        .sum();
    assert_eq!(all, 10);
}

#[test]
fn a_thousand_waiters_get_a_thousand_permits() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut waits: Vec<_> = (0..1000)
        .map(|_| Hand::waiting(semaphore.acquire()))
        .collect();
    semaphore.add_permits(1001);
    assert_eq!(semaphore.waiter_count(), 0);
    assert_eq!(semaphore.available_permits(), 1);
    for wait in &mut waits {
        assert_eq!(wait.wakes(), 1);
        wait.expect_ready().forget();
    }
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn none_at_all_is_always_free() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let _waiting = Hand::waiting(semaphore.acquire());
    assert_eq!(
        Hand::new(semaphore.acquire_many(0))
            .expect_ready()
            .num_permits(),
        0
    );
    let none = semaphore.try_acquire_many(0).unwrap();
    assert_eq!(none.num_permits(), 0);
    drop(none);
    assert_eq!(semaphore.blocking_acquire_many(0).num_permits(), 0);
    semaphore.add_permits(0);
    assert_eq!(semaphore.waiter_count(), 1);
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn add_permits_refuses_to_overflow_and_changes_nothing() {
    let _dog = watchdog();
    const MAX: usize = Semaphore::MAX_PERMITS;
    assert_eq!(MAX, usize::MAX >> 3);
    let semaphore = Semaphore::new(MAX - 1);
    for too_many in [2, MAX, MAX + 1, usize::MAX / 2, usize::MAX] {
        let message = panic_message(|| semaphore.add_permits(too_many));
        assert!(message.contains("MAX_PERMITS"), "{message}");
        assert_eq!(semaphore.available_permits(), MAX - 1);
    }
    semaphore.add_permits(1);
    assert_eq!(semaphore.available_permits(), MAX);
    let all = semaphore.try_acquire_many(MAX).unwrap();
    assert_eq!(semaphore.available_permits(), 0);
    drop(all);
    assert_eq!(semaphore.available_permits(), MAX);
}

#[test]
fn a_permit_too_many_is_refused_when_it_is_given_back() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire().unwrap();
    semaphore.add_permits(Semaphore::MAX_PERMITS);
    let message = panic_message(|| drop(permit));
    assert!(message.contains("cannot hold more"), "{message}");
    assert_eq!(semaphore.available_permits(), Semaphore::MAX_PERMITS);
}

#[test]
fn asking_for_more_than_there_can_be_panics() {
    let _dog = watchdog();
    const TOO_MANY: usize = Semaphore::MAX_PERMITS + 1;
    let semaphore = Arc::new(Semaphore::new(1));
    for message in [
        panic_message(|| Semaphore::new(TOO_MANY)),
        panic_message(|| drop(semaphore.acquire_many(TOO_MANY))),
        panic_message(|| drop(semaphore.acquire_many_owned(TOO_MANY))),
        panic_message(|| semaphore.blocking_acquire_many(TOO_MANY)),
        panic_message(|| semaphore.blocking_acquire_many_owned(TOO_MANY)),
    ] {
        assert!(message.contains("MAX_PERMITS"), "{message}");
    }
    assert!(semaphore.try_acquire_many(TOO_MANY).is_none());
    assert!(semaphore.try_acquire_many(usize::MAX).is_none());
    assert!(semaphore.try_acquire_many_owned(usize::MAX).is_none());
    let mut all_there_can_be = Hand::new(semaphore.acquire_many(Semaphore::MAX_PERMITS));
    all_there_can_be.expect_pending();
    assert_eq!(semaphore.available_permits(), 0);
    drop(all_there_can_be);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn forget_permits_takes_free_ones_only() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(5);
    let held = semaphore.try_acquire_many(2).unwrap();
    assert_eq!(semaphore.forget_permits(0), 0);
    assert_eq!(semaphore.forget_permits(1), 1);
    assert_eq!(semaphore.available_permits(), 2);
    let mut waiting = Hand::waiting(semaphore.acquire_many(3));
    assert_eq!(
        semaphore.forget_permits(10),
        0,
        "while somebody waits none is free"
    );
    drop(held);
    assert_eq!(semaphore.available_permits(), 1);
    assert_eq!(semaphore.forget_permits(usize::MAX), 1);
    drop(waiting.expect_ready());
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn permits_are_merged_split_and_forgotten() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(5);
    let mut permit = semaphore.try_acquire_many(4).unwrap();
    let mut two = permit.split(2).unwrap();
    assert!(permit.split(3).is_none());
    assert_eq!((permit.num_permits(), two.num_permits()), (2, 2));
    let none = two.split(0).unwrap();
    assert_eq!(none.num_permits(), 0);
    drop(none);
    two.merge(semaphore.try_acquire().unwrap());
    assert_eq!(two.num_permits(), 3);
    drop(permit);
    assert_eq!(semaphore.available_permits(), 2);
    two.split(1).unwrap().forget();
    drop(two);
    assert_eq!(semaphore.available_permits(), 4);
}

#[test]
fn owned_permits_are_merged_split_and_forgotten() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(5));
    let mut permit = semaphore.try_acquire_many_owned(4).unwrap();
    assert!(Arc::ptr_eq(permit.semaphore(), &semaphore));
    let mut two = permit.split(2).unwrap();
    assert!(permit.split(3).is_none());
    two.merge(semaphore.try_acquire_owned().unwrap());
    assert!(semaphore.try_acquire_owned().is_none());
    assert_eq!((permit.num_permits(), two.num_permits()), (2, 3));
    permit.forget();
    drop(two);
    assert_eq!(semaphore.available_permits(), 3);
    assert_eq!(
        Arc::strong_count(&semaphore),
        1,
        "forgotten ones do not leak"
    );
}

#[test]
fn permits_of_two_semaphores_cannot_be_merged() {
    let _dog = watchdog();
    let (a, b) = (Semaphore::new(1), Semaphore::new(1));
    let mut permit = a.try_acquire().unwrap();
    let message = panic_message(|| permit.merge(b.try_acquire().unwrap()));
    assert!(message.contains("different semaphores"), "{message}");
    assert_eq!((permit.num_permits(), b.available_permits()), (1, 1));
    drop(permit);
    assert_eq!(a.available_permits(), 1);

    let (a, b) = (Arc::new(a), Arc::new(b));
    let mut permit = a.try_acquire_owned().unwrap();
    let message = panic_message(|| permit.merge(b.try_acquire_owned().unwrap()));
    assert!(message.contains("different semaphores"), "{message}");
    drop(permit);
    assert_eq!((a.available_permits(), b.available_permits()), (1, 1));
}

#[test]
fn owned_forms_wait_in_the_same_queue() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(0));
    let mut first = Hand::waiting(semaphore.acquire_owned());
    let mut second = Hand::waiting(semaphore.acquire());
    let mut third = Hand::waiting(semaphore.acquire_many_owned(2));
    semaphore.add_permits(1);
    first.expect_ready().forget();
    second.expect_pending();
    semaphore.add_permits(3);
    drop(third.expect_ready());
    second.expect_ready().forget();
    assert_eq!(semaphore.available_permits(), 2);
    drop((first, third));
    drop(second);
    assert_eq!(Arc::strong_count(&semaphore), 1);
}

#[test]
fn threads_and_tasks_wait_in_one_queue() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(0));
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    in_runtime(async || {
        let mut tasks = Vec::new();
        let mut threads = Vec::new();
        for i in 0..8 {
            let (s, order) = (semaphore.clone(), order.clone());
            match i % 4 {
                0 => tasks.push(spawn(async move {
                    let permit = s.acquire().await;
                    order.lock().unwrap().push(i);
                    drop(permit);
                })),
                kind => threads.push(std::thread::spawn(move || {
                    let owned = (kind == 1).then(|| s.blocking_acquire_owned());
                    let permit = (kind == 2).then(|| s.blocking_acquire());
                    let many = (kind == 3).then(|| s.blocking_acquire_many_owned(1));
                    order.lock().unwrap().push(i);
                    drop((owned, permit, many));
                })),
            }
            until(|| semaphore.waiter_count() == i + 1).await;
        }
        semaphore.add_permits(1);
        for task in tasks {
            task.await.unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
    assert_eq!(*order.lock().unwrap(), (0..8).collect::<Vec<_>>());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn blocking_inside_of_a_runtime_panics() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(5));
    in_runtime(async || {
        for message in [
            panic_message(|| semaphore.blocking_acquire()),
            panic_message(|| semaphore.blocking_acquire_many(1)),
            panic_message(|| semaphore.blocking_acquire_owned()),
            panic_message(|| semaphore.blocking_acquire_many_owned(1)),
        ] {
            assert!(message.contains("cannot block"), "{message}");
        }
        // A thread that the runtime runs beside may block.
        on_another_thread(|| drop(semaphore.blocking_acquire()));
    });
    assert_eq!(semaphore.available_permits(), 5);
}

#[test]
fn a_poll_after_ready_panics_and_takes_nothing() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(3));
    let mut at_once = Hand::new(semaphore.acquire());
    let permit = at_once.expect_ready();
    assert!(panic_message(|| at_once.poll()).contains("after it was ready"));
    let mut owned = Hand::new(semaphore.acquire_owned());
    drop(owned.expect_ready());
    assert!(panic_message(|| owned.poll()).contains("after it was ready"));
    let mut after_a_wait = Hand::waiting(semaphore.acquire_many(3));
    drop(permit);
    drop(after_a_wait.expect_ready());
    assert!(panic_message(|| after_a_wait.poll()).contains("after it was ready"));
    drop((at_once, owned, after_a_wait));
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn a_spurious_poll_changes_nothing() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut first = Hand::waiting(semaphore.acquire());
    let mut second = Hand::waiting(semaphore.acquire());
    for _ in 0..10 {
        second.expect_pending();
        first.expect_pending();
    }
    assert_eq!(semaphore.waiter_count(), 2);
    assert_eq!(
        first.probe().clones(),
        1,
        "a waker that is still right is not cloned"
    );
    semaphore.add_permits(1);
    second.expect_pending();
    first.expect_ready().forget();
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_called() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(0);
    let mut wait = Hand::waiting(semaphore.acquire());
    let newer = common::Probe::new();
    wait.set_waker(newer.waker());
    wait.expect_pending();
    semaphore.add_permits(1);
    assert_eq!((wait.wakes(), newer.wakes()), (0, 1));
    wait.expect_ready().forget();
    drop(wait);
    assert_eq!(newer.live(), 0);
}

#[compio::test]
async fn a_timeout_composes() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(1));
    let enough = Duration::from_secs(100);
    let limit = Duration::from_millis(1);
    let permit = compio::time::timeout(enough, semaphore.acquire())
        .await
        .unwrap();
    assert!(
        compio::time::timeout(limit, semaphore.acquire())
            .await
            .is_err()
    );
    assert!(
        compio::time::timeout(limit, semaphore.acquire_many_owned(2))
            .await
            .is_err()
    );
    assert_eq!(semaphore.waiter_count(), 0);
    drop(permit);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn debug_output_tells_the_state() {
    let _dog = watchdog();
    let semaphore = Arc::new(Semaphore::new(2));
    let permit = semaphore.try_acquire().unwrap();
    assert_eq!(
        format!("{semaphore:?}"),
        "Semaphore { available_permits: 1, waiter_count: 0 }"
    );
    assert!(format!("{permit:?}").starts_with("SemaphorePermit { num_permits: 1"));
    let owned = semaphore.try_acquire_owned().unwrap();
    assert!(format!("{owned:?}").starts_with("OwnedSemaphorePermit { num_permits: 1"));
    let mut wait = Hand::new(semaphore.acquire_many(2));
    assert!(format!("{:?}", wait.as_ref()).contains("permits: 2, queued: false, done: false"));
    wait.expect_pending();
    assert!(format!("{:?}", wait.as_ref()).contains("queued: true, done: false"));
    drop((permit, owned));
    drop(wait.expect_ready());
    assert!(format!("{:?}", wait.as_ref()).contains("queued: false, done: true"));
    assert!(format!("{:?}", semaphore.acquire_owned()).starts_with("AcquireOwned {"));
}

#[test]
fn a_leaked_permit_is_a_leak_and_no_more() {
    let _dog = watchdog();
    let semaphore = Semaphore::new(2);
    std::mem::forget(semaphore.try_acquire().unwrap());
    assert_eq!(semaphore.available_permits(), 1);
    assert!(matches!(
        Hand::new(semaphore.acquire()).poll(),
        Poll::Ready(_)
    ));
}

#[test]
fn a_static_semaphore_needs_no_setup() {
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    let _dog = watchdog();
    let permit = park_on(SEMAPHORE.acquire());
    on_another_thread(move || drop(permit));
    assert_eq!(SEMAPHORE.available_permits(), 1);
}
