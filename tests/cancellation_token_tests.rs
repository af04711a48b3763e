//! What the cancellation token promises: a tree that is cancelled from the top down, and all that
//! wait are woken.

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use common::{
    Act, Hand, Meeting, Probe, Random, in_runtime, on_each_road, on_runtimes, panic_message,
    rounds, settle, spawn, until, watchdog, yield_now,
};
use compio_sync::CancellationToken;

#[test]
fn it_is_cancelled_once_and_for_all() {
    let _dog = watchdog();
    let token = CancellationToken::new();
    let clone = token.clone();
    let mut waits = [
        Hand::waiting(token.cancelled()),
        Hand::waiting(clone.cancelled()),
    ];
    let mut owned = Hand::waiting(clone.clone().cancelled_owned());
    assert_eq!(token.waiter_count(), 3);
    clone.cancel();
    token.cancel();
    assert!(token.is_cancelled() && clone.is_cancelled());
    for wait in &mut waits {
        assert_eq!(wait.wakes(), 1);
        wait.expect_ready();
    }
    assert_eq!(owned.wakes(), 1);
    owned.expect_ready();
    Hand::new(token.cancelled()).expect_ready();
    token.blocking_cancelled();
    assert_eq!(token.waiter_count(), 0);
}

#[test]
fn a_child_is_cancelled_with_its_parent_and_never_the_reverse() {
    let _dog = watchdog();
    let root = CancellationToken::new();
    let children = [root.child_token(), root.child_token()];
    let grandchild = children[0].child_token();
    let mut waits: Vec<_> = [&root, &children[0], &children[1], &grandchild]
        .map(|token| Hand::waiting(token.cancelled()))
        .into();
    children[0].cancel();
    assert_eq!(common::probe::woken(&waits), [1, 3]);
    assert!(!root.is_cancelled() && !children[1].is_cancelled() && grandchild.is_cancelled());
    root.cancel();
    assert!(waits.iter().all(|wait| wait.wakes() == 1));
    waits.iter_mut().for_each(Hand::expect_ready);
    assert!(root.child_token().child_token().is_cancelled());
}

#[test]
fn children_whose_parent_is_dropped_belong_to_its_parent() {
    let _dog = watchdog();
    for n in [1, 2, 3] {
        let root = CancellationToken::new();
        let middle = root.child_token().child_token();
        let leaves: Vec<_> = (0..n).map(|_| middle.child_token()).collect();
        drop(middle);
        assert!(leaves.iter().all(|leaf| !leaf.is_cancelled()), "{n}");
        root.cancel();
        assert!(leaves.iter().all(CancellationToken::is_cancelled), "{n}");
    }
    // And when the root is dropped they stay as they are.
    let root = CancellationToken::new();
    let leaves = [root.child_token(), root.child_token()];
    drop(root);
    leaves[0].cancel();
    assert!(!leaves[1].is_cancelled());
    leaves[1].child_token().cancel();
    leaves[1].cancel();
    assert!(leaves[1].is_cancelled());
}

#[test]
fn dropped_in_each_state_a_wait_leaves_the_others_alone() {
    let _dog = watchdog();
    on_each_road(async |road| {
        for with_child in [false, true] {
            let token = CancellationToken::new();
            let child = with_child.then(|| token.child_token());
            let at = child.as_ref().unwrap_or(&token);
            drop(at.cancelled());
            let gone = road.wait(at.cancelled());
            let woken = road.wait(at.clone().cancelled_owned());
            let mut stays = road.wait(at.cancelled());
            drop(gone);
            assert_eq!(at.waiter_count(), 2);
            road.send(|| token.cancel());
            road.check_on_its_way(&woken);
            road.send(move || drop(woken));
            stays.expect_ready();
            assert_eq!(at.waiter_count(), 0);
        }
    });
}

#[test]
fn the_waits_of_a_token_are_woken_in_the_order_in_which_they_came() {
    let _dog = watchdog();
    let root = CancellationToken::new();
    let tokens = [root.clone(), root.child_token()];
    let order = Arc::new(Mutex::new(Vec::new()));
    let waits: Vec<_> = (0..200)
        .map(|i| {
            let order = order.clone();
            let probe = Probe::with_hook(move |act| {
                if act == Act::Wake {
                    order.lock().unwrap().push(i);
                }
            });
            let mut wait = Hand::with_probe(tokens[i % 2].cancelled(), probe);
            wait.expect_pending();
            wait
        })
        .collect();
    root.cancel();
    let order = order.lock().unwrap();
    for me in 0..2 {
        let mine: Vec<_> = order.iter().copied().filter(|i| i % 2 == me).collect();
        assert_eq!(mine, (0..200).filter(|i| i % 2 == me).collect::<Vec<_>>());
    }
    assert_eq!(order.len(), 200);
    drop(waits);
}

/// Wakers run with no lock held: they may do anything to the tree.
#[test]
fn a_waker_may_use_the_whole_tree() {
    let _dog = watchdog();
    let root = CancellationToken::new();
    let child = root.child_token();
    let other = root.child_token();
    let seen = Arc::new(AtomicUsize::new(0));
    let probe = Probe::with_hook({
        let (root, child, seen) = (root.clone(), child.clone(), seen.clone());
        let other = Mutex::new(Some(other));
        move |act| {
            if act == Act::Wake {
                assert!(root.is_cancelled() && child.is_cancelled());
                root.cancel();
                child.child_token().cancel();
                drop(other.lock().unwrap().take());
                seen.fetch_add(1, Relaxed);
            }
        }
    });
    let mut wait = Hand::with_probe(child.cancelled(), probe);
    wait.expect_pending();
    root.cancel();
    wait.expect_ready();
    assert_eq!(seen.load(Relaxed), 1);
}

#[test]
fn run_until_cancelled_gives_the_output_or_none() {
    let _dog = watchdog();
    let token = CancellationToken::new();
    assert_eq!(
        Hand::new(token.run_until_cancelled(async { 1 })).expect_ready(),
        Some(1)
    );
    let mut run = Hand::waiting(token.run_until_cancelled(std::future::pending::<u8>()));
    let mut owned = Hand::waiting(
        token
            .clone()
            .run_until_cancelled_owned(std::future::pending::<u8>()),
    );
    // Done by the time that it is polled, and cancelled too: the output is not lost.
    let event = compio_sync::Event::new();
    let mut both = Hand::waiting(token.run_until_cancelled(event.wait()));
    event.set();
    token.cancel();
    assert_eq!(both.expect_ready(), Some(()));
    assert_eq!((run.expect_ready(), owned.expect_ready()), (None, None));
    // Cancelled beforehand: not polled at all.
    let polled = AtomicBool::new(false);
    let touch = async || polled.store(true, Relaxed);
    assert_eq!(
        Hand::new(token.run_until_cancelled(touch())).expect_ready(),
        None
    );
    let owned = token.clone().run_until_cancelled_owned(touch());
    assert_eq!(Hand::new(owned).expect_ready(), None);
    assert!(!polled.load(Relaxed));
}

#[test]
fn a_drop_guard_cancels_unless_it_is_disarmed() {
    let _dog = watchdog();
    let token = CancellationToken::new();
    let guard = token.clone().drop_guard();
    let back = guard.disarm();
    assert!(!token.is_cancelled());
    assert!(format!("{:?}", token.clone().drop_guard()).starts_with("DropGuard { token: Some("));
    assert!(back.is_cancelled(), "that guard was dropped");

    let token = CancellationToken::new();
    let child = token.child_token();
    let guard = token.drop_guard();
    let message = panic_message(|| {
        let _guard = guard;
        panic!("on purpose");
    });
    assert_eq!(message, "on purpose");
    assert!(child.is_cancelled());
}

/// compio 1044, the user's case: a tree of tokens with many tasks of other runtimes, cancelled
/// from two of them at once, each for the tasks of the other.
#[test]
fn compio_1044_two_runtimes_cancel_trees_of_each_other() {
    let _dog = watchdog();
    let roots = [CancellationToken::new(), CancellationToken::new()];
    let all_wait = Meeting::new(2);
    on_runtimes(2, async |me| {
        settle().await;
        let ready = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..300)
            .map(|i| {
                let root = &roots[me];
                // Each with a token of its own, or all with one.
                let token = if i % 2 == 0 {
                    root.child_token()
                } else {
                    root.clone()
                };
                let ready = ready.clone();
                spawn(async move {
                    ready.fetch_add(1, Relaxed);
                    token.cancelled().await;
                })
            })
            .collect();
        until(|| ready.load(Relaxed) == 300).await;
        all_wait.wait().await;
        roots[1 - me].cancel();
        for task in tasks {
            task.await.expect("no task panics");
        }
    });
}

/// The canceller comes back although none of the four runtimes looks at its events meanwhile.
#[test]
fn cancelling_a_hundred_thousand_tasks_of_four_runtimes_waits_for_none() {
    let _dog = watchdog();
    let each = rounds(25_000).min(25_000);
    let root = CancellationToken::new();
    let all_wait = std::sync::Barrier::new(5);
    let cancelled = std::sync::Barrier::new(5);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                in_runtime(async || {
                    settle().await;
                    let waiting = Arc::new(AtomicUsize::new(0));
                    let tasks: Vec<_> = (0..each)
                        .map(|i| {
                            let token = match i % 100 {
                                0 => root.child_token(),
                                _ => root.clone(),
                            };
                            let waiting = waiting.clone();
                            spawn(async move {
                                waiting.fetch_add(1, Relaxed);
                                token.cancelled().await;
                            })
                        })
                        .collect();
                    until(|| waiting.load(Relaxed) == each).await;
                    all_wait.wait();
                    // Blocked, as by a computation, until the canceller has returned.
                    cancelled.wait();
                    for task in tasks {
                        task.await.unwrap();
                    }
                });
            });
        }
        all_wait.wait();
        root.cancel();
        assert_eq!(root.waiter_count(), 0);
        cancelled.wait();
    });
}

#[test]
fn wide_and_deep_trees_take_no_stack() {
    let _dog = watchdog();
    let (wide, deep) = (rounds(100_000).min(100_000), rounds(10_000).min(10_000));
    std::thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(move || {
            for drop_first in [false, true] {
                let root = CancellationToken::new();
                let children: Vec<_> = (0..wide).map(|_| root.child_token()).collect();
                if drop_first {
                    drop(root);
                    assert!(!children[wide / 2].is_cancelled());
                } else {
                    let mut waits: Vec<_> = children
                        .iter()
                        .step_by(7)
                        .map(|child| Hand::waiting(child.cancelled()))
                        .collect();
                    root.cancel();
                    assert!(children.iter().all(CancellationToken::is_cancelled));
                    for wait in &mut waits {
                        assert_eq!(wait.wakes(), 1);
                        wait.expect_ready();
                    }
                }
            }
            for order in 0..3 {
                let mut line = vec![CancellationToken::new()];
                for _ in 0..deep {
                    line.push(line.last().unwrap().child_token());
                }
                match order {
                    0 => {
                        let mut last = Hand::waiting(line.last().unwrap().cancelled());
                        line[0].cancel();
                        assert_eq!(last.wakes(), 1);
                        last.expect_ready();
                        assert!(line.iter().all(CancellationToken::is_cancelled));
                    }
                    // From the root on, and the other way round.
                    1 => line.drain(..).for_each(drop),
                    _ => line.drain(..).rev().for_each(drop),
                }
            }
        })
        .unwrap()
        .join()
        .expect("it does not overflow");
}

#[test]
fn children_that_come_while_it_is_cancelled_are_cancelled() {
    let _dog = watchdog();
    for _ in 0..rounds(500) {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let made = Mutex::new(Vec::new());
        let begin = std::sync::Barrier::new(3);
        std::thread::scope(|scope| {
            for parent in [&root, &middle] {
                let (made, begin) = (&made, &begin);
                scope.spawn(move || {
                    begin.wait();
                    let mine: Vec<_> = (0..20).map(|_| parent.child_token()).collect();
                    made.lock().unwrap().extend(mine);
                });
            }
            begin.wait();
            root.cancel();
        });
        assert!(
            made.lock()
                .unwrap()
                .iter()
                .all(CancellationToken::is_cancelled)
        );
    }
}

/// Tokens are made, waited for, dropped and cancelled by several runtimes; at the end all that
/// are left are cancelled, and everybody has been woken.
#[test]
#[expect(clippy::await_holding_lock, reason = "it is dropped before that")]
fn children_come_and_go_while_others_are_cancelled() {
    let _dog = watchdog();
    for seed in 0..rounds(4) {
        let root = CancellationToken::new();
        let shared = Mutex::new(vec![root.clone()]);
        let done = Meeting::new(3);
        on_runtimes(3, async |me| {
            settle().await;
            let mut random = Random::new((seed * 3 + me) as u64 + 1);
            let mut tasks = Vec::new();
            for _ in 0..1000 {
                let mut tokens = shared.lock().unwrap();
                let at = random.below(tokens.len());
                match random.below(8) {
                    0..3 => {
                        let child = tokens[at].child_token();
                        tokens.push(child);
                    }
                    3 if at > 0 => {
                        let gone = tokens.swap_remove(at);
                        drop(tokens);
                        drop(gone);
                    }
                    4 if at > 0 => {
                        let cancelled = tokens[at].clone();
                        drop(tokens);
                        cancelled.cancel();
                        assert!(cancelled.is_cancelled());
                    }
                    5 => {
                        let wait = tokens[at].clone().cancelled_owned();
                        drop(tokens);
                        tasks.push(spawn(wait));
                    }
                    6 => {
                        let wait = tokens[at].clone().cancelled_owned();
                        drop(tokens);
                        let mut hand = Hand::new(wait);
                        let _ready = hand.poll();
                    }
                    _ => {
                        drop(tokens);
                        yield_now().await;
                    }
                }
            }
            done.wait().await;
            if me == 0 {
                root.cancel();
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
        let tokens = shared.into_inner().unwrap();
        assert!(tokens.iter().all(CancellationToken::is_cancelled));
    }
}

#[test]
fn what_was_done_before_is_seen_after_the_wait() {
    let _dog = watchdog();
    let steps: Vec<_> = (0..rounds(1000))
        .map(|i| {
            let root = CancellationToken::new();
            let leaf = if i % 2 == 0 {
                root.clone()
            } else {
                root.child_token().child_token()
            };
            (AtomicUsize::new(0), root, leaf)
        })
        .collect();
    on_runtimes(2, async |me| {
        for (data, root, leaf) in &steps {
            if me == 0 {
                data.store(1, Relaxed);
                root.cancel();
            } else {
                leaf.cancelled().await;
                assert_eq!(data.load(Relaxed), 1);
                assert!(root.is_cancelled());
            }
        }
    });
}

#[test]
fn threads_are_let_through_and_a_runtime_must_not_be_blocked() {
    let _dog = watchdog();
    let root = CancellationToken::new();
    let child = root.child_token();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| child.blocking_cancelled());
        }
        in_runtime(async || {
            until(|| child.waiter_count() == 3).await;
            assert!(panic_message(|| child.blocking_cancelled()).contains("cannot block"));
            root.cancel();
        });
    });
}

#[test]
fn a_poll_after_ready_panics() {
    let _dog = watchdog();
    let token = CancellationToken::default();
    let mut wait = Hand::waiting(token.cancelled());
    token.cancel();
    wait.expect_ready();
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
    // Also if the future that it runs would go on.
    let token = CancellationToken::new();
    let waits = std::future::poll_fn(|_| std::task::Poll::<()>::Pending);
    let ready = std::future::poll_fn(|_| std::task::Poll::Ready(()));
    let mut waits = Hand::waiting(token.run_until_cancelled(waits));
    let mut ready = Hand::new(token.run_until_cancelled(ready));
    assert_eq!(ready.expect_ready(), Some(()));
    assert!(panic_message(|| ready.poll()).contains("after it was ready"));
    token.cancel();
    assert_eq!(waits.expect_ready(), None);
    assert!(panic_message(|| waits.poll()).contains("after it was ready"));
}

#[compio::test]
async fn a_timeout_composes() {
    let _dog = watchdog();
    let token = CancellationToken::new();
    let limit = Duration::from_millis(1);
    assert!(
        compio::time::timeout(limit, token.cancelled())
            .await
            .is_err()
    );
    assert_eq!(token.waiter_count(), 0);
    token.cancel();
    compio::time::timeout(limit, token.cancelled())
        .await
        .unwrap();
}

#[test]
fn debug_output_tells_the_state() {
    let _dog = watchdog();
    let token = CancellationToken::new();
    let mut wait = Hand::waiting(token.cancelled());
    assert_eq!(
        format!("{token:?}"),
        "CancellationToken { is_cancelled: false, waiter_count: 1 }"
    );
    assert!(format!("{:?}", wait.as_ref()).starts_with("Cancelled { queued: true, done: false"));
    token.cancel();
    wait.expect_ready();
    assert!(format!("{:?}", wait.as_ref()).contains("queued: false, done: true"));
    let owned = token.clone().cancelled_owned();
    assert!(format!("{owned:?}").starts_with("CancelledOwned"));
    let run = token.run_until_cancelled(async {});
    assert!(format!("{run:?}").starts_with("RunUntilCancelled { cancelled: Cancelled"));
}
