//! Barriers, condition variables, cells, latches and wait groups: nobody can be overtaken in them.

use std::{rc::Rc, sync::Arc};

use super::{Cells, Notifier, NotifierWork, cell, of};
use crate::workloads::{
    herd::Herd,
    repeat, repeat_in_task,
    together::{made, pass, race},
};

/// So many tasks pass.
pub(crate) fn barriers(tasks: usize) -> Cells {
    of([
        (
            "compio-sync",
            cell(move |n| {
                let barrier = Rc::new(compio_sync::Barrier::new(tasks));
                pass(tasks, n, barrier, async |barrier| {
                    barrier.wait().await.is_leader()
                })
            }),
        ),
        (
            "tokio",
            cell(move |n| {
                let barrier = Rc::new(tokio::sync::Barrier::new(tasks));
                pass(tasks, n, barrier, async |barrier| {
                    barrier.wait().await.is_leader()
                })
            }),
        ),
        (
            "async-lock",
            cell(move |n| {
                let barrier = Rc::new(async_lock::Barrier::new(tasks));
                pass(tasks, n, barrier, async |barrier| {
                    barrier.wait().await.is_leader()
                })
            }),
        ),
        (
            "asyncband",
            cell(move |n| {
                let parties = tasks.try_into().expect("a few");
                let barrier = Rc::new(asyncband::barrier::Barrier::new(parties));
                pass(tasks, n, barrier, async |barrier| {
                    barrier.wait().await.is_leader()
                })
            }),
        ),
        (
            "saa",
            cell(move |n| {
                let barrier = Rc::new(saa::Barrier::with_count(tasks));
                pass(tasks, n, barrier, async |barrier| {
                    barrier.wait_async().await
                })
            }),
        ),
    ])
}

/// So many tasks meet: the last that comes notifies the others.
pub(crate) fn condvars(tasks: usize) -> Cells {
    of([
        (
            "compio-sync",
            cell(move |n| {
                let pair = Rc::new((compio_sync::Mutex::new((0, 0)), compio_sync::Condvar::new()));
                pass(tasks, n, pair, async move |(mutex, condvar)| {
                    let mut state = mutex.lock().await;
                    let generation = state.1;
                    state.0 += 1;
                    if state.0 == tasks {
                        *state = (0, generation + 1);
                        condvar.notify_all();
                        return true;
                    }
                    drop(condvar.wait_while(state, |now| now.1 == generation).await);
                    false
                })
            }),
        ),
        (
            "asyncband",
            cell(move |n| {
                let mutex = asyncband::mutex::Mutex::new((0, 0));
                let pair = Rc::new((mutex, asyncband::condvar::Condvar::new()));
                pass(tasks, n, pair, async move |(mutex, condvar)| {
                    let mut state = mutex.lock().await;
                    let generation = state.1;
                    state.0 += 1;
                    if state.0 == tasks {
                        *state = (0, generation + 1);
                        condvar.notify_all();
                        return true;
                    }
                    drop(condvar.wait_while(state, |now| now.1 == generation).await);
                    false
                })
            }),
        ),
    ])
}

/// The value is there.
pub(crate) fn cells_read() -> Cells {
    of([
        (
            "compio-sync",
            cell(|n| {
                let set = compio_sync::OnceCell::from(1_u64);
                repeat(n, &set, |set| set.get().copied())
            }),
        ),
        (
            "tokio",
            cell(|n| {
                let set = tokio::sync::OnceCell::from(1_u64);
                repeat(n, &set, |set| set.get().copied())
            }),
        ),
        (
            "async-lock",
            cell(|n| {
                let set = async_lock::OnceCell::from(1_u64);
                repeat(n, &set, |set| set.get().copied())
            }),
        ),
        (
            "asyncband",
            cell(|n| {
                let set = asyncband::once::OnceCell::from(1_u64);
                repeat(n, &set, |set| set.get().copied())
            }),
        ),
    ])
}

/// Nobody else is there.
pub(crate) fn cells_made() -> Cells {
    of([
        (
            "compio-sync",
            cell(|n| {
                repeat_in_task(n, (), async |()| {
                    let cell = compio_sync::OnceCell::new();
                    *cell.get_or_init(async || 1_u64).await
                })
            }),
        ),
        (
            "tokio",
            cell(|n| {
                repeat_in_task(n, (), async |()| {
                    let cell = tokio::sync::OnceCell::new();
                    *cell.get_or_init(async || 1_u64).await
                })
            }),
        ),
        (
            "async-lock",
            cell(|n| {
                repeat_in_task(n, (), async |()| {
                    let cell = async_lock::OnceCell::new();
                    *cell.get_or_init(async || 1_u64).await
                })
            }),
        ),
        (
            "asyncband",
            cell(|n| {
                repeat_in_task(n, (), async |()| {
                    let cell = asyncband::once::OnceCell::new();
                    *cell.get_or_init(async || 1_u64).await
                })
            }),
        ),
    ])
}

/// So many tasks ask at once.
pub(crate) fn cells_raced(tasks: usize) -> Cells {
    of([
        (
            "compio-sync",
            cell(move |n| {
                race(tasks, n, compio_sync::OnceCell::new, async |cell| {
                    *cell.get_or_init(made).await
                })
            }),
        ),
        (
            "tokio",
            cell(move |n| {
                race(tasks, n, tokio::sync::OnceCell::new, async |cell| {
                    *cell.get_or_init(made).await
                })
            }),
        ),
        (
            "async-lock",
            cell(move |n| {
                race(tasks, n, async_lock::OnceCell::new, async |cell| {
                    *cell.get_or_init(made).await
                })
            }),
        ),
        (
            "asyncband",
            cell(move |n| {
                race(tasks, n, asyncband::once::OnceCell::new, async |cell| {
                    *cell.get_or_init(made).await
                })
            }),
        ),
    ])
}

impl Notifier for compio_sync::Latch {
    fn new() -> Self {
        Self::new(1)
    }
    fn notified(&self) -> impl Future {
        self.wait()
    }
    fn notify_all(&self) {
        self.count_down();
    }
}

impl Notifier for asyncband::latch::Latch {
    fn new() -> Self {
        Self::new(1)
    }
    fn notified(&self) -> impl Future {
        self.wait()
    }
    fn notify_all(&self) {
        self.count_down();
    }
}

/// They open for a herd.
pub(crate) fn latches(herd: Herd) -> Cells {
    of([
        (
            "compio-sync",
            cell(move |n| herd.run::<compio_sync::Latch>(n)),
        ),
        (
            "asyncband",
            cell(move |n| herd.run::<asyncband::latch::Latch>(n)),
        ),
    ])
}

/// A member comes and goes while others stay. Those of asyncband have a share of the group, so
/// ours do here.
pub(crate) fn wait_groups() -> Cells {
    of([
        (
            "compio-sync",
            cell(|n| {
                let group = Arc::new(compio_sync::WaitGroup::new());
                let _stays = group.add_owned();
                repeat(n, &group, |group| group.add_owned())
            }),
        ),
        (
            "asyncband",
            cell(|n| {
                let group = asyncband::waitgroup::WaitGroup::new();
                repeat(n, &group, |group| group.clone())
            }),
        ),
    ])
}
