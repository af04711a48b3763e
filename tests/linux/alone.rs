//! A program of one runtime.

use std::sync::Arc;

use compio_runtime::{Runtime, spawn};
use compio_sync::{
    Barrier, CancellationToken, Condvar, Event, Latch, Mutex, Notify, OnceCell, RwLock, Semaphore,
    WaitGroup, backend,
};

use crate::{
    common::{until, yield_now},
    expect::expected,
};

const TASKS: usize = 200;

struct All {
    semaphore: Semaphore,
    mutex: Mutex<usize>,
    condvar: Condvar,
    notify: Notify,
    event: Event,
    rwlock: RwLock<usize>,
    barrier: Barrier,
    cell: OnceCell<usize>,
    latch: Latch,
    group: Arc<WaitGroup>,
    token: CancellationToken,
}

/// Waits and wakes of every primitive, all on one runtime.
pub(crate) fn every_primitive() {
    Runtime::new().unwrap().block_on(async {
        assert_eq!(backend(), expected());
        let all = Arc::new(All {
            semaphore: Semaphore::new(0),
            mutex: Mutex::new(0),
            condvar: Condvar::new(),
            notify: Notify::new(),
            event: Event::new(),
            rwlock: RwLock::new(0),
            barrier: Barrier::new(TASKS),
            cell: OnceCell::new(),
            latch: Latch::new(TASKS),
            group: Arc::new(WaitGroup::new()),
            token: CancellationToken::new(),
        });
        let tasks: Vec<_> = (0..TASKS)
            .map(|n| {
                let all = all.clone();
                let member = all.group.add_owned();
                spawn(async move {
                    use_each(&all, n).await;
                    drop(member);
                    all.group.wait().await;
                    all.token.clone().cancelled_owned().await;
                })
            })
            .collect();
        until(|| all.semaphore.waiter_count() == TASKS).await;
        all.semaphore.add_permits(TASKS);
        until(|| all.condvar.waiter_count() == TASKS).await;
        *all.mutex.lock().await = 1;
        all.condvar.notify_all();
        until(|| all.notify.waiter_count() == TASKS).await;
        all.notify.notify_one();
        until(|| all.event.waiter_count() == TASKS).await;
        let guard = all.rwlock.write().await;
        all.event.set();
        until(|| all.rwlock.waiter_count() == TASKS).await;
        drop(guard);
        until(|| all.token.waiter_count() == TASKS).await;
        all.token.cancel();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*all.rwlock.read().await, TASKS / 2);
    });
}

/// Each of these waits; what is not woken by its like is by `every_primitive`.
async fn use_each(all: &All, n: usize) {
    all.semaphore.acquire().await.forget();
    let guard = all.mutex.lock().await;
    let mut guard = all.condvar.wait_while(guard, |n| *n == 0).await;
    *guard += 1;
    drop(guard);
    all.notify.notified().await;
    all.notify.notify_one();
    all.event.wait().await;
    if n.is_multiple_of(2) {
        *all.rwlock.write().await += 1;
    } else {
        drop(all.rwlock.read().await);
    }
    all.barrier.wait().await;
    let slowly = async || {
        yield_now().await;
        n
    };
    all.cell.get_or_init(slowly).await;
    all.latch.count_down();
    all.latch.wait().await;
}
