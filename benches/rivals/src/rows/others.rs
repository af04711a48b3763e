//! Read-write locks, barriers, cells, tokens, wait groups.

use super::{RUNTIMES, Row, SHORT, TASKS, limit, row};
use crate::{
    contestants::{self, RwLockWork},
    limits,
    workloads::rwlock::{LetIn, Mixed, Read, TryRead, Write},
};

/// Nobody waits.
pub(super) fn alone() -> Vec<Row> {
    vec![
        row(
            "rwlock: read, unlock",
            SHORT,
            Read.cells(),
            limit(limits::atomic_pair),
        ),
        row(
            "rwlock: try_read, unlock",
            SHORT,
            TryRead.cells(),
            limit(limits::atomic_pair),
        ),
        row(
            "rwlock: write, unlock",
            SHORT,
            Write.cells(),
            limit(limits::atomic_lock),
        ),
        row(
            "cell: get of a set one",
            SHORT,
            contestants::cells_read(),
            limit(limits::atomic_load),
        ),
        row(
            "cell: made and set by get_or_init",
            SHORT,
            contestants::cells_made(),
            None,
        ),
        row(
            "token: is_cancelled",
            SHORT,
            contestants::looks(),
            limit(limits::atomic_load),
        ),
        row(
            "token: run_until_cancelled of a ready future",
            SHORT,
            contestants::runs(),
            None,
        ),
        row(
            "token: a child made and dropped",
            SHORT,
            contestants::children(),
            None,
        ),
        row(
            "wait group: a member comes and goes",
            SHORT,
            contestants::wait_groups(),
            limit(limits::atomic_pair),
        ),
    ]
}

/// Tasks of one runtime, and readers and writers of two. A task that keeps the lock for a turn
/// may have a runtime's event loop turned for that.
pub(super) fn together() -> Vec<Row> {
    let tasks = 16;
    let mut rows = vec![
        row(
            format!("rwlock: a writer goes, {tasks} readers of a runtime go in"),
            TASKS.operations(20 * tasks as u64, u64::MAX),
            LetIn(tasks).cells(),
            None,
        ),
        row(
            format!("barrier: {tasks} tasks of a runtime pass"),
            TASKS.operations(20 * tasks as u64, u64::MAX),
            contestants::barriers(tasks),
            None,
        ),
        row(
            format!("condvar: {tasks} tasks of a runtime meet by one and a mutex"),
            TASKS.operations(20 * tasks as u64, u64::MAX),
            contestants::condvars(tasks),
            None,
        ),
        row(
            format!("cell: get_or_init by {tasks} tasks of a runtime"),
            TASKS.operations(20 * tasks as u64, u64::MAX),
            contestants::cells_raced(tasks),
            None,
        ),
    ];
    for (every, how) in [
        (0, "all read"),
        (10, "one of 10 writes"),
        (2, "every other writes"),
    ] {
        rows.push(row(
            format!("rwlock, {tasks} tasks of two runtimes, {how}"),
            RUNTIMES.operations(20 * tasks as u64, u64::MAX),
            Mixed { tasks, every }.cells(),
            None,
        ));
    }
    rows
}
