//! What cells promise: one makes the value at a time, in order, and nobody is lost.

mod common;

use std::{
    cell::Cell,
    future::{Ready, pending, poll_fn, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    },
    task::Poll,
};

use common::{
    Act, Hand, Probe, forget, in_runtime, keep, on_each_road, on_runtimes, panic_message,
    probe::woken, rounds, spawn, until, watchdog, yield_now,
};
use compio_sync::{Lazy, OnceCell, SetError};

/// Not ready before `gate` is open.
async fn gated<T>(gate: &Cell<bool>, value: T) -> T {
    poll_fn(|_| {
        if gate.get() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    value
}

#[test]
fn the_first_makes_the_value_and_the_others_get_it() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let cell = OnceCell::new();
        let gate = Cell::new(false);
        let mut first = road.wait(cell.get_or_init(|| gated(&gate, 1)));
        let mut others: Vec<_> = (0..3)
            .map(|_| road.wait(cell.get_or_init(async || -> i32 { unreachable!() })))
            .collect();
        let mut tries = road.wait(cell.get_or_try_init(async || Err::<i32, _>("unused")));
        let mut waits = road.wait(cell.wait());
        assert_eq!(cell.waiter_count(), 5);
        assert_eq!(cell.get(), None);
        gate.set(true);
        assert_eq!(first.expect_ready(), &1);
        assert_eq!(cell.waiter_count(), 0);
        for other in &mut others {
            assert_eq!(other.expect_ready(), &1);
        }
        assert_eq!(tries.expect_ready(), Ok(&1));
        assert_eq!(waits.expect_ready(), &1);
        assert_eq!(cell.get(), Some(&1));
    });
}

#[test]
fn all_are_let_through_by_another_thread() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let cell = OnceCell::new();
        let mut waits: Vec<_> = (0..100).map(|_| road.wait(cell.wait())).collect();
        road.send(|| cell.set(1).unwrap());
        road.check_on_its_way(&waits[0]);
        for wait in &mut waits {
            assert_eq!(wait.expect_ready(), &1);
        }
    });
}

#[test]
fn a_failure_gives_the_turn_to_the_next_candidate_alone() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let cell = OnceCell::new();
        let order = Mutex::new(Vec::new());
        let gate = Cell::new(false);
        let mut first = road.wait(cell.get_or_try_init(|| gated(&gate, Err(0))));
        let mut waits = road.wait(cell.wait());
        let attempt = |n| {
            let order = &order;
            async move {
                order.lock().unwrap().push(n);
                if n < 3 { Err(n) } else { Ok(n) }
            }
        };
        let mut others: Vec<_> = (1..5)
            .map(|n| road.wait(cell.get_or_try_init(move || attempt(n))))
            .collect();
        gate.set(true);
        assert_eq!(first.expect_ready(), Err(0));
        for n in 1..3 {
            assert_eq!(others[0].poll(), Poll::Ready(Err(n)));
            others.remove(0);
            waits.expect_pending();
        }
        assert_eq!(cell.waiter_count(), 2, "one more has been chosen");
        others[1].expect_pending();
        assert_eq!(others[0].expect_ready(), Ok(&3));
        assert_eq!(others[1].expect_ready(), Ok(&3));
        assert_eq!(waits.expect_ready(), &3);
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    });
}

#[test]
fn wakes_are_counted() {
    let _dog = watchdog();
    let cell = OnceCell::new();
    let mut runs = Some(Hand::waiting(cell.get_or_init(pending)));
    let mut candidates: Vec<_> = (0..5)
        .map(|n| Hand::waiting(cell.get_or_init(move || ready(n))))
        .collect();
    let mut waits: Vec<_> = (0..5).map(|_| Hand::waiting(cell.wait())).collect();
    // Dropped on the way: the first candidate is woken, and nobody else.
    drop(runs.take());
    assert_eq!(woken(&candidates), [0]);
    assert_eq!(woken(&waits), []);
    candidates.remove(0);
    assert_eq!(woken(&candidates), [0], "dropped, chosen: the next is");
    assert_eq!(candidates[0].expect_ready(), &1);
    assert_eq!(woken(&candidates), [0, 1, 2, 3]);
    assert_eq!(woken(&waits), [0, 1, 2, 3, 4]);
    for hand in &mut candidates[1..] {
        assert_eq!(hand.expect_ready(), &1);
        assert_eq!(hand.wakes(), 1);
    }
    for hand in &mut waits {
        assert_eq!(hand.expect_ready(), &1);
        assert_eq!(hand.wakes(), 1);
    }
}

#[test]
fn all_are_woken_in_the_order_in_which_they_came() {
    let _dog = watchdog();
    let cell = OnceCell::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let probe = |i| {
        let order = order.clone();
        Probe::with_hook(move |act| {
            if act == Act::Wake {
                order.lock().unwrap().push(i);
            }
        })
    };
    let gate = Cell::new(false);
    let mut runs = Hand::waiting(cell.get_or_init(|| gated(&gate, 1)));
    let mut waits: Vec<_> = (100..200)
        .map(|i| Hand::with_probe(cell.wait(), probe(i)))
        .collect();
    waits.iter_mut().for_each(Hand::expect_pending);
    let mut candidates: Vec<_> = (0..100)
        .map(|i| Hand::with_probe(cell.get_or_init(pending), probe(i)))
        .collect();
    candidates.iter_mut().for_each(Hand::expect_pending);
    gate.set(true);
    runs.expect_ready();
    // First the candidates, then who waits for the value.
    assert_eq!(*order.lock().unwrap(), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_panic_gives_the_turn_to_the_next() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let cell = OnceCell::new();
        let gate = Cell::new(false);
        let dropped = Cell::new(false);
        struct OnDrop<'a>(&'a Cell<bool>);
        impl Drop for OnDrop<'_> {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        // In the future, at its second poll.
        let mut first = road.wait(cell.get_or_init(async || {
            let _guard = OnDrop(&dropped);
            gated(&gate, ()).await;
            panic!("as it is to")
        }));
        // In the function itself.
        let mut second = road.wait(cell.get_or_init(|| -> Ready<i32> { panic!("at once") }));
        let mut third = road.wait(cell.get_or_init(|| ready(3)));
        gate.set(true);
        assert_eq!(panic_message(|| first.poll()), "as it is to");
        assert!(dropped.get(), "its future is gone");
        third.expect_pending();
        assert_eq!(panic_message(|| second.poll()), "at once");
        assert!(panic_message(|| first.poll()).contains("polled after"));
        assert_eq!(third.expect_ready(), &3);
        drop((first, second));
        assert_eq!(cell.get(), Some(&3));
    });
}

/// The future of an attempt is dropped before the next one begins: they never overlap.
#[test]
fn attempts_do_not_overlap() {
    let _dog = watchdog();
    struct Guard<'a>(&'a OnceCell<u8>, &'a Probe);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            assert_eq!(self.1.wakes(), 0, "the next has not been told");
            assert!(self.0.set(1).unwrap_err().is_initializing_err());
        }
    }
    for panics in [false, true] {
        let cell = OnceCell::new();
        let next = Probe::new();
        let gate = Cell::new(false);
        let mut runs = Hand::waiting(cell.get_or_init(|| {
            let guard = Guard(&cell, &next);
            let gate = &gate;
            async move {
                let _guard = guard;
                gated(gate, ()).await;
                panic!("as it is to")
            }
        }));
        let mut second = Hand::with_probe(cell.get_or_init(|| ready(2)), next.clone());
        second.expect_pending();
        if panics {
            gate.set(true);
            assert!(catch_unwind(AssertUnwindSafe(|| runs.poll())).is_err());
        } else {
            drop(runs);
        }
        assert_eq!(next.wakes(), 1);
        assert_eq!(second.expect_ready(), &2);
    }
}

/// Whatever panics when an attempt is dropped, the next has its turn.
#[test]
fn a_panic_in_a_drop_gives_the_turn_to_the_next() {
    let _dog = watchdog();
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    let bomb = |gate| {
        let bomb = Bomb;
        async move {
            let value = gated(gate, 1).await;
            std::mem::forget(bomb);
            value
        }
    };
    let gate = Cell::new(false);
    let cell = OnceCell::new();
    let runs = Hand::waiting(cell.get_or_init(|| bomb(&gate)));
    let mut next = Hand::waiting(cell.get_or_init(|| bomb(&gate)));
    assert_eq!(panic_message(|| drop(runs)), "in a drop");
    assert_eq!(next.wakes(), 1);
    gate.set(true);
    assert_eq!(next.expect_ready(), &1);

    // When its work is done, too: the value is not there then.
    struct ReadyBomb(Bomb);
    impl Future for ReadyBomb {
        type Output = i32;
        fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<i32> {
            let _live = &self.0;
            Poll::Ready(1)
        }
    }
    let cell = OnceCell::new();
    let mut bad = Hand::new(cell.get_or_init(|| ReadyBomb(Bomb)));
    assert_eq!(panic_message(|| bad.poll()), "in a drop");
    assert_eq!(cell.get(), None);
    assert_eq!(Hand::new(cell.get_or_init(|| ready(2))).expect_ready(), &2);
}

#[test]
fn set_and_its_errors() {
    let _dog = watchdog();
    let cell = OnceCell::new();
    let runs = Hand::waiting(cell.get_or_init(pending::<String>));
    let chosen = Hand::waiting(cell.get_or_init(async || "chosen".to_owned()));
    let value = || "set".to_owned();
    let initializing = SetError::InitializingError(value());
    assert_eq!(cell.set(value()), Err(initializing.clone()));
    drop(runs);
    assert_eq!(
        cell.set(value()),
        Err(initializing),
        "the turn has been given"
    );
    drop(chosen);
    assert_eq!(cell.set(value()), Ok(()));
    let error = cell.set("again".to_owned()).unwrap_err();
    assert!(error.is_already_init_err() && !error.is_initializing_err());
    assert_eq!(format!("{error:?}"), "AlreadyInitializedError(..)");
    assert_eq!(error.into_inner(), "again");
    let mut late = Hand::new(cell.get_or_init(async || unreachable!()));
    assert_eq!(late.expect_ready(), "set");
}

#[test]
fn values_come_and_go() {
    let _dog = watchdog();
    let value = Arc::new(());
    let mut cell = OnceCell::from(value.clone());
    assert_eq!(Arc::strong_count(&value), 2);
    assert!(cell.take().is_some());
    assert_eq!(
        Arc::strong_count(&value),
        1,
        "it was moved out, and dropped"
    );
    assert!(cell.take().is_none() && cell.get().is_none() && cell.get_mut().is_none());
    cell.set(value.clone()).unwrap();
    let clone = cell.clone();
    assert!(clone == cell && clone.is_initialized());
    assert_eq!(Arc::strong_count(&value), 3);
    assert!(cell.set(value.clone()).is_err());
    assert_eq!(Arc::strong_count(&value), 3, "the error's is dropped");
    drop(clone);
    assert!(cell.into_inner().is_some());
    assert_eq!(Arc::strong_count(&value), 1);

    let none = OnceCell::<u8>::new_with(None);
    assert!(none == OnceCell::default() && none != OnceCell::from(1));
    assert!(!none.clone().is_initialized());
    let mut some = OnceCell::new_with(Some(1));
    *some.get_mut().unwrap() += 1;
    assert_eq!(Hand::new(some.wait()).expect_ready(), &2);
    assert_eq!(some.blocking_wait(), &2);
}

#[test]
fn a_cell_is_no_larger_than_that_of_tokio() {
    fn check<T>() {
        let (ours, theirs) = (
            size_of::<OnceCell<T>>(),
            size_of::<tokio::sync::OnceCell<T>>(),
        );
        assert!(ours <= theirs, "{ours} bytes, {theirs}");
    }
    check::<()>();
    check::<u8>();
    check::<u64>();
    check::<String>();
    check::<[u64; 9]>();
}

#[test]
fn what_was_leaked_does_not_outlast_take() {
    let _dog = watchdog();
    let mut cell = Box::new(OnceCell::new());
    forget(Hand::waiting(cell.get_or_init(pending::<u8>)));
    forget(Hand::waiting(cell.get_or_init(pending::<u8>)));
    forget(Hand::waiting(cell.wait()));
    assert!(cell.set(1).is_err(), "the leaked one has the turn");
    assert_eq!(cell.take(), None);
    assert_eq!((cell.waiter_count(), cell.set(1)), (0, Ok(())));
}

#[test]
fn threads_make_the_value_and_wait_for_it() {
    let _dog = watchdog();
    let cell = OnceCell::new();
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(cell.blocking_wait(), &1));
        for _ in 0..4 {
            scope.spawn(|| {
                let value = cell.blocking_get_or_init(|| {
                    made.fetch_add(1, SeqCst);
                    1
                });
                assert_eq!(value, &1);
            });
        }
        let result = cell.blocking_get_or_try_init(|| Err::<i32, _>("failed"));
        assert!(result == Ok(&1) || result == Err("failed"));
    });
    assert_eq!(made.load(SeqCst), 1);
    let panics = OnceCell::new();
    let message = panic_message(|| panics.blocking_get_or_init(|| -> u8 { panic!("it does") }));
    assert_eq!(message, "it does");
    assert_eq!(panics.blocking_get_or_init(|| 2), &2);
    in_runtime(async || {
        for message in [
            panic_message(|| cell.blocking_wait()),
            panic_message(|| cell.blocking_get_or_init(|| 3)),
            panic_message(|| cell.blocking_get_or_try_init(|| Ok::<_, ()>(3))),
        ] {
            assert!(message.contains("cannot block"), "{message}");
        }
    });
}

#[test]
fn runtimes_and_threads_agree_on_one_value() {
    let _dog = watchdog();
    for _ in 0..rounds(100) {
        let cell = keep(OnceCell::<usize>::new());
        let (tries, data) = (keep(AtomicUsize::new(0)), keep(AtomicUsize::new(0)));
        // The first attempts fail, whoever makes them.
        let attempt = async move || {
            yield_now().await;
            // Relaxed: the turns order it.
            let n = tries.load(Relaxed);
            tries.store(n + 1, Relaxed);
            if n < 7 {
                return Err(());
            }
            data.store(n, Relaxed);
            Ok(n)
        };
        let failed: usize = on_runtimes(3, async |_| {
            let waits = spawn(cell.wait());
            let tasks: Vec<_> = (0..5)
                .map(|_| {
                    spawn(async move {
                        let result = cell.get_or_try_init(attempt).await;
                        if let Ok(n) = result {
                            assert_eq!((*n, data.load(Relaxed)), (7, 7));
                        }
                        result.is_err()
                    })
                })
                .collect();
            let mut failed = 0;
            for task in tasks {
                failed += usize::from(task.await.unwrap());
            }
            assert_eq!(*waits.await.unwrap(), 7);
            failed
        })
        .into_iter()
        .sum();
        assert_eq!((failed, tries.load(SeqCst)), (7, 8));
        assert_eq!(cell.waiter_count(), 0);
    }
}

/// The runtime whose task makes the value ends: a task of another one does it.
#[test]
fn a_runtime_that_ends_hands_its_turn_on() {
    let _dog = watchdog();
    let cell = keep(OnceCell::<u8>::new());
    let begun = keep(AtomicUsize::new(0));
    let other = std::thread::spawn(move || {
        in_runtime(async || {
            spawn(cell.get_or_init(async || {
                begun.store(1, SeqCst);
                pending().await
            }))
            .detach();
            until(|| cell.waiter_count() == 1).await;
        });
    });
    in_runtime(async || {
        until(|| begun.load(SeqCst) == 1).await;
        assert_eq!(*cell.get_or_init(async || 1).await, 1);
    });
    other.join().unwrap();
}

#[test]
fn futures_that_were_ready_panic_and_can_be_dropped() {
    let _dog = watchdog();
    let cell = OnceCell::new();
    let mut first = Hand::new(cell.get_or_init(|| ready(1)));
    let mut second = Hand::new(cell.get_or_try_init(|| ready(Ok::<_, ()>(2))));
    let mut third = Hand::new(cell.wait());
    first.expect_ready();
    assert_eq!(second.expect_ready(), Ok(&1));
    third.expect_ready();
    for _ in 0..2 {
        for message in [
            panic_message(|| first.poll().is_ready()),
            panic_message(|| second.poll().is_ready()),
            panic_message(|| third.poll().is_ready()),
        ] {
            assert_eq!(message, "a future was polled after it was ready");
        }
    }
}

#[test]
fn a_cell_may_be_looked_at_from_within() {
    let _dog = watchdog();
    let cell = OnceCell::new();
    let mut init = Hand::new(cell.get_or_init(async || {
        assert_eq!((cell.get(), cell.is_initialized()), (None, false));
        assert_eq!(cell.set(2), Err(SetError::InitializingError(2)));
        1
    }));
    assert_eq!(init.expect_ready(), &1);
}

#[test]
fn debug_output_tells_the_state() {
    let _dog = watchdog();
    let cell = OnceCell::new();
    assert_eq!(
        format!("{cell:?}"),
        "OnceCell { value: <not set>, waiter_count: 0 }"
    );
    let gate = Cell::new(false);
    let mut runs = Hand::waiting(cell.get_or_init(|| gated(&gate, "it")));
    let queued = Hand::waiting(cell.get_or_try_init(|| ready(Ok::<_, ()>("other"))));
    let waits = Hand::waiting(cell.wait());
    let show = |future: &dyn std::fmt::Debug| format!("{future:?}");
    assert_eq!(
        show(runs.as_ref()),
        "GetOrInit { queued: false, running: true, done: false, .. }"
    );
    assert_eq!(
        show(queued.as_ref()),
        "GetOrTryInit { queued: true, running: false, done: false, .. }"
    );
    assert_eq!(
        show(waits.as_ref()),
        "OnceCellWait { queued: true, done: false, .. }"
    );
    gate.set(true);
    runs.expect_ready();
    assert_eq!(
        show(runs.as_ref()),
        "GetOrInit { queued: false, running: false, done: true, .. }"
    );
    assert_eq!(
        format!("{cell:?}"),
        "OnceCell { value: \"it\", waiter_count: 0 }"
    );
    let lazy = Lazy::new(async || 1);
    assert_eq!(
        format!("{lazy:?}"),
        "Lazy { value: <not made>, waiter_count: 0 }"
    );
    lazy.blocking_get();
    assert_eq!(format!("{lazy:?}"), "Lazy { value: 1, waiter_count: 0 }");
}

#[test]
fn lazy_runs_its_function_once() {
    let _dog = watchdog();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static VALUE: Lazy<String> = Lazy::new(|| {
        Box::pin(async {
            CALLS.fetch_add(1, SeqCst);
            yield_now().await;
            "made".to_owned()
        })
    });
    assert_eq!(VALUE.try_get(), None);
    on_runtimes(3, async |_| {
        let tasks: Vec<_> = (0..10)
            .map(|_| spawn(async { VALUE.get().await.len() }))
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 4);
        }
    });
    assert_eq!(CALLS.load(SeqCst), 1);
    assert_eq!(VALUE.try_get().unwrap(), VALUE.blocking_get());
    in_runtime(async || {
        assert!(panic_message(|| VALUE.blocking_get()).contains("cannot block"));
    });
}

/// Who runs it is dropped, or it panics: the next begins anew, with its own call.
#[test]
fn lazy_begins_anew() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let (calls, gate) = (Cell::new(0), Cell::new(false));
        let mut lazy = Lazy::new(async || {
            calls.set(calls.get() + 1);
            gated(&gate, ()).await;
            assert!(calls.get() != 2, "the second fails");
            calls.get()
        });
        let runs = road.wait(lazy.get());
        let mut second = road.wait(lazy.get());
        let mut third = road.wait(lazy.get());
        assert_eq!((calls.get(), lazy.waiter_count()), (1, 2));
        drop(runs);
        second.expect_pending();
        assert_eq!(calls.get(), 2);
        gate.set(true);
        assert!(panic_message(|| second.poll().is_ready()).contains("the second fails"));
        assert_eq!(third.expect_ready(), &3);
        drop((second, third));
        assert_eq!(lazy.get_mut(), Some(&mut 3));
        assert_eq!(lazy.into_inner(), Some(3));
    });
}

/// A lazy value of what borrows, and one in a task that is sent to another thread.
#[test]
fn lazy_of_any_async_closure() {
    let _dog = watchdog();
    fn send<T: Send>(value: T) -> T {
        value
    }
    let name = "it".to_owned();
    let lazy = Lazy::new(async || name.len());
    assert_eq!(Hand::new(lazy.get()).expect_ready(), &2);
    let owned = Arc::new(Lazy::new(async move || name.len()));
    let task = send(async move { *owned.get().await });
    assert_eq!(
        std::thread::spawn(|| common::park_on(task)).join().unwrap(),
        2
    );
    fn number() -> Ready<u8> {
        ready(5)
    }
    static NUMBER: Lazy<u8, fn() -> Ready<u8>> = Lazy::new(number);
    assert_eq!(NUMBER.blocking_get(), &5);
}
