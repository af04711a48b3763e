//! Semaphores and mutexes.

use measure::{Cell, Contest};

use super::{RUNTIMES, Row, SHORT, TASKS, limit, row};
use crate::{
    contestants::{MutexWork, SemaphoreWork},
    limits::{self, Bare},
    workloads::{
        alone::{self, Acquire, HandOver, Lock, ParkAndCancel, ParkAndWake, TryAcquire, TryLock},
        contended::{Contended, ContendedLock},
        queue::{ComeAndGo, LeaveMiddle, WakeFirst},
    },
};

pub(super) fn alone() -> Vec<Row> {
    vec![
        row(
            "semaphore: acquire, drop",
            SHORT,
            Acquire.cells(),
            limit(limits::atomic_pair),
        ),
        row(
            "semaphore: try_acquire, drop",
            SHORT,
            TryAcquire.cells(),
            limit(limits::atomic_pair),
        ),
        row(
            "mutex: lock, unlock",
            SHORT,
            Lock.cells(),
            limit(limits::atomic_lock),
        ),
        row(
            "mutex: try_lock, unlock",
            SHORT,
            TryLock.cells(),
            limit(limits::atomic_lock),
        ),
        row(
            "wait, give up",
            SHORT,
            ParkAndCancel.cells(),
            limit(alone::park_and_cancel::<Bare>),
        ),
        row(
            "wait, wake, poll",
            SHORT,
            ParkAndWake.cells(),
            limit(alone::park_and_wake::<Bare>),
        ),
        row(
            "hand-over between two tasks of a runtime",
            SHORT,
            HandOver(1).cells(),
            limit(|n| alone::hand_over::<Bare>(1, n)),
        ),
        row(
            "hand-over, 16 pairs of a runtime",
            SHORT,
            HandOver(16).cells(),
            limit(|n| alone::hand_over::<Bare>(16, n)),
        ),
    ]
}

/// A group of tasks that has a runtime for itself turns its event loop for each hand-over, which
/// is a system call; with 16 groups that is shared, and more of the time is the semaphore's.
pub(super) fn contended() -> Vec<Row> {
    let mut rows = Vec::new();
    for (groups, keep, how) in [
        (1, true, "kept for a turn"),
        (1, false, "given back at once"),
        (16, false, "given back at once, 16 groups"),
    ] {
        for tasks in [2, 8, 32, 128] {
            if tasks * groups > 512 {
                continue;
            }
            let work = Contended {
                runtimes: 1,
                tasks,
                groups,
                keep,
                timed: false,
            };
            let contest = TASKS.operations(20 * (tasks * groups) as u64, u64::MAX);
            let bare: Option<Cell<'static>> = Some(Box::new(move |n| work.on_one::<Bare>(n)));
            rows.push(row(
                format!("semaphore {how}, {tasks} tasks of a runtime"),
                contest,
                work.cells(),
                bare,
            ));
            rows.push(row(
                format!("mutex {how}, {tasks} tasks of a runtime"),
                contest,
                ContendedLock(work).cells(),
                None,
            ));
        }
    }
    for tasks in [2, 32] {
        let work = Contended {
            runtimes: 2,
            tasks,
            groups: 1,
            keep: false,
            timed: false,
        };
        let contest = RUNTIMES.operations(20 * tasks as u64, u64::MAX);
        rows.push(row(
            format!("semaphore given back at once, {tasks} tasks of two runtimes"),
            contest,
            work.cells(),
            None,
        ));
        rows.push(row(
            format!("mutex given back at once, {tasks} tasks of two runtimes"),
            contest,
            ContendedLock(work).cells(),
            None,
        ));
    }
    for tasks in [2, 8, 32, 128] {
        let work = Contended {
            runtimes: 2,
            tasks,
            groups: 1,
            keep: true,
            timed: false,
        };
        let contest = RUNTIMES.operations(20 * tasks as u64, u64::MAX);
        let timed = Contended {
            timed: true,
            ..work
        };
        let fixed = Contest::new(9, 1).operations(4096, 4096);
        rows.push(row(
            format!("semaphore, {tasks} tasks of two runtimes"),
            contest,
            work.cells(),
            None,
        ));
        rows.push(row(
            format!("semaphore, {tasks} tasks of two runtimes: longest wait"),
            fixed,
            timed.cells(),
            None,
        ));
        rows.push(row(
            format!("mutex, {tasks} tasks of two runtimes"),
            contest,
            ContendedLock(work).cells(),
            None,
        ));
        rows.push(row(
            format!("mutex, {tasks} tasks of two runtimes: longest wait"),
            fixed,
            ContendedLock(timed).cells(),
            None,
        ));
    }
    rows
}

pub(super) fn queues() -> Vec<Row> {
    let lengths = [10, 1000, 100_000];
    let go = lengths.map(|length| {
        row(
            format!("come and give up behind {length}"),
            Contest::new(11, 5).operations(16, u64::MAX),
            ComeAndGo(length).cells(),
            Some(Box::new(move |n| ComeAndGo(length).on_one::<Bare>(n))),
        )
    });
    let leave = lengths.map(|length| {
        row(
            format!("one in the middle of {length} gives up and comes again"),
            Contest::new(11, 5).operations(16, u64::MAX),
            LeaveMiddle(length).cells(),
            Some(Box::new(move |n| LeaveMiddle(length).on_one::<Bare>(n))),
        )
    });
    let wake = lengths.map(|length| {
        row(
            format!("wake the first of {length}, which comes again"),
            Contest::new(11, 5).operations(16, u64::MAX),
            WakeFirst(length).cells(),
            Some(Box::new(move |n| WakeFirst(length).on_one::<Bare>(n))),
        )
    });
    go.into_iter().chain(leave).chain(wake).collect()
}
