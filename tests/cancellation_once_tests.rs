//! Waits at barriers and for cells dropped in each state, on each road: who is dropped does
//! not count, and its turn goes to the next.

mod common;

use std::future::{pending, ready};

use common::{Hand, on_each_road, probe::woken, watchdog};
use compio_sync::{Barrier, OnceCell};

#[test]
fn dropped_before_the_first_poll_nothing_has_happened() {
    let _dog = watchdog();
    let (barrier, cell) = (Barrier::new(2), OnceCell::<u8>::new());
    drop((barrier.wait(), cell.wait()));
    drop(cell.get_or_init(async || unreachable!()));
    drop(cell.get_or_try_init(async || -> Result<u8, ()> { unreachable!() }));
    assert_eq!(barrier.waiter_count() + cell.waiter_count(), 0);
    Hand::waiting(barrier.wait());
    assert_eq!(cell.set(1), Ok(()), "nobody has the turn");
}

#[test]
fn a_barrier_wait_dropped_while_it_waits_does_not_count() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for (n, at) in [(2, 0), (3, 0), (3, 1), (8, 3)] {
            let barrier = Barrier::new(n);
            let mut waits: Vec<_> = (1..n).map(|_| road.wait(barrier.wait())).collect();
            let goes = waits.remove(at);
            let probe = goes.probe().clone();
            road.send(move || drop(goes));
            assert_eq!((probe.live(), probe.wakes()), (0, 0));
            assert_eq!(barrier.waiter_count(), n - 2);
            waits.push(road.wait(barrier.wait()));
            assert!(waits.iter_mut().all(|wait| wait.poll().is_pending()));
            assert!(road.send(|| Hand::new(barrier.wait()).expect_ready().is_leader()));
            assert!(
                waits
                    .iter_mut()
                    .all(|wait| !wait.expect_ready().is_leader())
            );
        }
    });
}

#[test]
fn a_barrier_wait_dropped_when_its_generation_is_complete_leaves_that_as_it_is() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let barrier = Barrier::new(3);
        let goes = road.wait(barrier.wait());
        let mut stays = road.wait(barrier.wait());
        road.send(|| assert!(Hand::new(barrier.wait()).expect_ready().is_leader()));
        road.check_on_its_way(&goes);
        road.send(move || drop(goes));
        assert!(!stays.expect_ready().is_leader());
        // The next generation begins at nothing.
        let mut next = [(); 2].map(|()| road.wait(barrier.wait()));
        assert_eq!(barrier.waiter_count(), 2);
        road.send(|| assert!(Hand::new(barrier.wait()).expect_ready().is_leader()));
        assert!(next.iter_mut().all(|wait| !wait.expect_ready().is_leader()));
    });
}

#[test]
fn a_barrier_result_that_is_dropped_loses_nothing() {
    let _dog = watchdog();
    let barrier = Barrier::new(2);
    let mut first = Hand::waiting(barrier.wait());
    let mut leads = Hand::new(barrier.wait());
    leads.expect_ready();
    drop(leads);
    first.expect_ready();
    drop(first);
    assert_eq!(barrier.waiter_count(), 0);
    Hand::waiting(barrier.wait());
}

#[test]
fn a_candidate_dropped_while_it_waits_loses_its_place_alone() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for (n, at) in [(1, 0), (2, 0), (2, 1), (3, 1)] {
            let cell = OnceCell::new();
            let runs = road.wait(cell.get_or_init(pending));
            let mut candidates: Vec<_> = (0..n)
                .map(|n| road.wait(cell.get_or_init(move || ready(n))))
                .collect();
            let goes = candidates.remove(at);
            road.send(move || drop(goes));
            assert_eq!(cell.waiter_count(), n - 1);
            road.send(move || drop(runs));
            let Some(first) = candidates.first_mut() else {
                assert_eq!(cell.set(9), Ok(()), "nobody has the turn");
                continue;
            };
            let value = usize::from(at == 0);
            assert_eq!(first.expect_ready(), &value);
            assert!(
                candidates[1..]
                    .iter_mut()
                    .all(|c| *c.expect_ready() == value)
            );
        }
    });
}

#[test]
fn an_attempt_dropped_while_it_runs_gives_its_turn_to_the_next() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let cell = OnceCell::new();
        let runs = road.wait(cell.get_or_init(pending));
        let mut next = road.wait(cell.get_or_init(pending));
        let mut last = road.wait(cell.get_or_try_init(|| ready(Ok::<_, ()>(3))));
        let mut waits = road.wait(cell.wait());
        road.send(move || drop(runs));
        road.check_on_its_way(&next);
        next.expect_pending();
        assert_eq!(cell.waiter_count(), 2, "it runs, the others wait");
        road.send(move || drop(next));
        waits.expect_pending();
        assert_eq!(last.expect_ready(), Ok(&3));
        assert_eq!(waits.expect_ready(), &3);
        assert_eq!(cell.waiter_count(), 0);
    });
}

#[test]
fn a_chosen_candidate_dropped_unpolled_gives_its_turn_to_the_next() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let cell = OnceCell::new();
        let runs = road.wait(cell.get_or_init(pending));
        let chosen: Vec<_> = (0..3)
            .map(|_| road.wait(cell.get_or_init(|| ready(1))))
            .collect();
        let mut last = road.wait(cell.get_or_init(|| ready(2)));
        let mut waits = road.wait(cell.wait());
        road.send(move || drop(runs));
        for hand in chosen {
            road.check_on_its_way(&hand);
            road.send(move || drop(hand));
        }
        road.check_on_its_way(&last);
        waits.expect_pending();
        assert_eq!(last.expect_ready(), &2);
        assert_eq!(waits.expect_ready(), &2);

        let cell = OnceCell::new();
        let runs = road.wait(cell.get_or_init(pending));
        let chosen = road.wait(cell.get_or_init(|| ready(1)));
        road.send(move || drop(runs));
        road.send(move || drop(chosen));
        assert_eq!(cell.set(3), Ok(()), "nobody else: the turn is free");
    });
}

#[test]
fn waits_dropped_when_the_cell_is_set_have_nothing_to_lose() {
    let _dog = watchdog();
    on_each_road(async |road| {
        let cell = OnceCell::new();
        let mut gone = Vec::new();
        for _ in 0..2 {
            gone.push(road.wait(cell.wait()));
        }
        let mut stays = road.wait(cell.wait());
        let queued = gone.pop().unwrap();
        road.send(move || drop(queued));
        assert_eq!(cell.waiter_count(), 2);
        road.send(|| cell.set(1).unwrap());
        road.check_on_its_way(&gone[0]);
        road.send(move || drop(gone));
        assert_eq!(stays.expect_ready(), &1);

        // A candidate that is woken for the value, not for its turn.
        let cell = OnceCell::new();
        let gate = std::sync::atomic::AtomicBool::new(false);
        let mut runs = road.wait(cell.get_or_init(|| {
            std::future::poll_fn(|_| match gate.load(std::sync::atomic::Ordering::SeqCst) {
                true => std::task::Poll::Ready(1),
                false => std::task::Poll::Pending,
            })
        }));
        let goes = road.wait(cell.get_or_init(|| ready(2)));
        let mut stays = road.wait(cell.get_or_init(|| ready(3)));
        gate.store(true, std::sync::atomic::Ordering::SeqCst);
        road.send(|| assert_eq!(runs.expect_ready(), &1));
        road.check_on_its_way(&goes);
        road.send(move || drop(goes));
        assert_eq!(stays.expect_ready(), &1);
        assert_eq!((cell.get(), cell.waiter_count()), (Some(&1), 0));
    });
}

/// Candidates and waits for the value come in every order, and one of them goes: the candidates keep
/// theirs, whoever stands between them, and a failure is no business of the others.
#[test]
fn whoever_goes_the_candidates_keep_their_order() {
    let _dog = watchdog();
    const N: usize = 5;
    // Whether each is a candidate; the last ones come after one has gone.
    for (kinds, goes, early) in (0..1 << N)
        .flat_map(|kinds| (0..N).map(move |goes| (kinds, goes)))
        .flat_map(|(kinds, goes)| (goes + 1..=N).map(move |early| (kinds, goes, early)))
    {
        let is_candidate = |at: usize| kinds & 1 << at != 0;
        let cell = OnceCell::new();
        let runs = Hand::waiting(cell.get_or_init(pending));
        let mut candidates = std::collections::VecDeque::new();
        let mut waits = Vec::new();
        for at in 0..N {
            if is_candidate(at) {
                candidates.push_back((at, Hand::waiting(cell.get_or_init(pending::<u8>))));
            } else {
                waits.push((at, Hand::waiting(cell.wait())));
            }
            if at + 1 == early {
                candidates.retain(|(at, _)| *at != goes);
                waits.retain(|(at, _)| *at != goes);
                assert_eq!(cell.waiter_count(), early - 1);
            }
        }
        drop(runs);
        while let Some((_, chosen)) = candidates.pop_front() {
            let left = candidates.iter();
            let told = chosen.wakes() + left.map(|(_, hand)| hand.wakes()).sum::<usize>();
            assert_eq!((chosen.wakes(), told), (1, 1), "{kinds:b} {goes} {early}");
            assert!(cell.set(1).is_err(), "it has the turn");
            assert_eq!(cell.waiter_count(), candidates.len() + waits.len());
        }
        assert!(waits.iter().all(|(_, hand)| hand.wakes() == 0));
        assert_eq!(cell.set(1), Ok(()));
        assert!(waits.iter_mut().all(|(_, hand)| *hand.expect_ready() == 1));
    }
}

/// Whoever goes, in whatever order: as long as one candidate is left, somebody has the turn.
#[test]
fn every_order_of_drops_leaves_the_turn_to_somebody() {
    let _dog = watchdog();
    const N: usize = 4;
    let orders = (0..N.pow(4)).map(|n| [n % N, n / N % N, n / N / N % N, n / N / N / N]);
    for order in orders {
        let cell = OnceCell::new();
        let mut hands: Vec<_> = (0..N)
            .map(|_| Some(Hand::waiting(cell.get_or_init(pending::<u8>))))
            .collect();
        for at in order {
            hands[at] = None;
            let left: Vec<_> = hands.iter_mut().flatten().collect();
            let is_taken = cell.set(0).is_err();
            assert_eq!(is_taken, !left.is_empty());
            if left.is_empty() {
                break;
            }
            assert_eq!(cell.waiter_count(), left.len() - 1);
        }
        let first = hands.iter().position(Option::is_some);
        let left: Vec<_> = hands.into_iter().flatten().collect();
        let told = woken(&left);
        assert!(first.is_none_or(|first| first == 0 || told == [0]));
    }
}
