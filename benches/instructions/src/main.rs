//! How many instructions the paths take that are taken most; counted by Valgrind, see
//! scripts/instructions.sh.
//!
//!     instructions --list
//!     instructions PATH ROUNDS
//!
//! Each path is run so many rounds in one task of a runtime. The script runs it twice and
//! divides the difference, so that what comes before and after does not count.

use std::{
    env,
    future::{poll_fn, ready},
    hint::black_box,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
};

use compio_runtime::{Runtime, spawn};
use compio_sync::{
    Barrier, CancellationToken, Condvar, Mutex, Notify, OnceCell, RwLock, Semaphore, WaitGroup,
};

type Path = fn(u64);

const PATHS: [(&str, Path); 27] = [
    ("semaphore: acquire, drop", acquire),
    ("semaphore: try_acquire, drop", try_acquire),
    ("semaphore: wait, give up", wait_and_give_up),
    ("semaphore: wait, wake, poll", wait_and_wake),
    ("semaphore: hand-over between two tasks", hand_over),
    ("semaphore: 100 tasks take turns", contended),
    ("mutex: lock, unlock", lock),
    ("mutex: try_lock, unlock", try_lock),
    ("mutex: wait, give up", lock_and_give_up),
    ("mutex: wait, unlock, poll", lock_and_wake),
    ("notify: notify_one, notified", notify_stored),
    ("notify: wait, notify_one, poll", notify_one),
    ("notify: notify_waiters of 100, for each", notify_all),
    ("condvar: notify_all, nobody waits", notify_nobody),
    ("rwlock: read, unlock", read),
    ("rwlock: try_read, unlock", try_read),
    ("rwlock: write, unlock", write),
    ("rwlock: 10 readers are let in, for each", let_in),
    ("barrier: 10 waits, for each", pass),
    ("cell: get of a set one", get),
    ("cell: get_or_init of a set one", get_or_init_set),
    ("cell: made and set by get_or_init", get_or_init),
    ("token: is_cancelled", look),
    ("token: run_until_cancelled of a ready future", run),
    ("token: a child made and dropped", child),
    ("wait group: a member comes and goes", member),
    ("wait group: the last member goes", last_member),
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [path, rounds] => {
            let (_, run) = PATHS
                .iter()
                .find(|(name, _)| name == path)
                .expect("the name of a path");
            run(rounds.parse().expect("a number of rounds"));
        }
        [argument] if argument == "--list" => {
            for (name, _) in PATHS {
                println!("{name}");
            }
        }
        _ => panic!("--list, or a path and a number of rounds"),
    }
}

fn in_task(task: impl Future<Output = ()> + 'static) {
    Runtime::new()
        .expect("a runtime")
        .block_on(async { spawn(task).await.expect("a task") });
}

fn acquire(rounds: u64) {
    in_task(async move {
        let semaphore = black_box(Semaphore::new(1));
        for _ in 0..rounds {
            drop(black_box(semaphore.acquire().await));
        }
    });
}

fn try_acquire(rounds: u64) {
    let semaphore = black_box(Semaphore::new(1));
    for _ in 0..rounds {
        drop(black_box(semaphore.try_acquire()));
    }
}

fn wait_and_give_up(rounds: u64) {
    in_task(poll_fn(move |cx| {
        let semaphore = black_box(Semaphore::new(0));
        for _ in 0..rounds {
            assert!(pin!(semaphore.acquire()).poll(cx).is_pending());
        }
        Poll::Ready(())
    }));
}

fn wait_and_wake(rounds: u64) {
    in_task(poll_fn(move |cx| {
        let semaphore = black_box(Semaphore::new(0));
        for _ in 0..rounds {
            let mut wait = pin!(semaphore.acquire());
            assert!(wait.as_mut().poll(cx).is_pending());
            semaphore.add_permits(1);
            match wait.poll(cx) {
                Poll::Ready(permit) => permit.forget(),
                Poll::Pending => panic!("a wake-up is lost"),
            }
        }
        Poll::Ready(())
    }));
}

/// With the executor's part.
fn hand_over(rounds: u64) {
    async fn play(mine: Rc<Semaphore>, others: Rc<Semaphore>, turns: u64) {
        for _ in 0..turns {
            mine.acquire().await.forget();
            others.add_permits(1);
        }
    }
    in_task(async move {
        let (ping, pong) = (Rc::new(Semaphore::new(1)), Rc::new(Semaphore::new(0)));
        let other = spawn(play(pong.clone(), ping.clone(), rounds / 2));
        play(ping, pong, rounds / 2).await;
        other.await.expect("a task");
    });
}

fn contended(rounds: u64) {
    const TASKS: u64 = 100;
    in_task(async move {
        let semaphore = Rc::new(Semaphore::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let semaphore = semaphore.clone();
                spawn(async move {
                    for _ in 0..rounds / TASKS {
                        drop(semaphore.acquire().await);
                    }
                })
            })
            .collect();
        while (semaphore.waiter_count() as u64) < TASKS {
            turn().await;
        }
        semaphore.add_permits(1);
        for task in tasks {
            task.await.expect("a task");
        }
    });
}

/// Gives the other tasks a turn.
async fn turn() {
    let mut first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

fn lock(rounds: u64) {
    in_task(async move {
        let mutex = black_box(Mutex::new(0_u64));
        for _ in 0..rounds {
            *mutex.lock().await += 1;
        }
    });
}

fn try_lock(rounds: u64) {
    let mutex = black_box(Mutex::new(0_u64));
    for _ in 0..rounds {
        *mutex.try_lock().expect("a free mutex") += 1;
    }
}

fn lock_and_give_up(rounds: u64) {
    in_task(poll_fn(move |cx| {
        let mutex = black_box(Mutex::new(()));
        let _guard = mutex.try_lock().expect("a free mutex");
        for _ in 0..rounds {
            assert!(pin!(mutex.lock()).poll(cx).is_pending());
        }
        Poll::Ready(())
    }));
}

fn lock_and_wake(rounds: u64) {
    in_task(poll_fn(move |cx| {
        let mutex = black_box(Mutex::new(()));
        for _ in 0..rounds {
            let guard = mutex.try_lock().expect("a free mutex");
            let mut wait = pin!(mutex.lock());
            assert!(wait.as_mut().poll(cx).is_pending());
            drop(guard);
            assert!(wait.poll(cx).is_ready());
        }
        Poll::Ready(())
    }));
}

fn notify_stored(rounds: u64) {
    in_task(async move {
        let notify = black_box(Notify::new());
        for _ in 0..rounds {
            notify.notify_one();
            notify.notified().await;
        }
    });
}

fn notify_one(rounds: u64) {
    in_task(poll_fn(move |cx| {
        let notify = black_box(Notify::new());
        for _ in 0..rounds {
            let mut wait = pin!(notify.notified());
            assert!(wait.as_mut().poll(cx).is_pending());
            notify.notify_one();
            assert!(wait.poll(cx).is_ready());
        }
        Poll::Ready(())
    }));
}

/// With the coming of each, and its going.
fn notify_all(rounds: u64) {
    in_task(poll_fn(move |cx| {
        let notify = black_box(Notify::new());
        let mut waits: Vec<_> = (0..100).map(|_| Box::pin(notify.notified())).collect();
        for _ in 0..rounds / 100 {
            for wait in &mut waits {
                assert!(wait.as_mut().poll(cx).is_pending());
            }
            notify.notify_waiters();
            for wait in &mut waits {
                assert!(wait.as_mut().poll(cx).is_ready());
                wait.set(notify.notified());
            }
        }
        Poll::Ready(())
    }));
}

fn notify_nobody(rounds: u64) {
    let condvar = black_box(Condvar::new());
    for _ in 0..rounds {
        condvar.notify_all();
    }
}

fn read(rounds: u64) {
    in_task(async move {
        let lock = black_box(RwLock::new(0_u64));
        for _ in 0..rounds {
            drop(black_box(lock.read().await));
        }
    });
}

fn try_read(rounds: u64) {
    let lock = black_box(RwLock::new(0_u64));
    for _ in 0..rounds {
        drop(black_box(lock.try_read()));
    }
}

fn write(rounds: u64) {
    in_task(async move {
        let lock = black_box(RwLock::new(0_u64));
        for _ in 0..rounds {
            *lock.write().await += 1;
        }
    });
}

/// With the coming of each, and a writer's share.
fn let_in(rounds: u64) {
    in_task(poll_fn(move |cx| {
        let lock = black_box(RwLock::new(0_u64));
        let mut waits: Vec<_> = (0..10).map(|_| Box::pin(lock.read())).collect();
        for _ in 0..rounds / 10 {
            let guard = lock.try_write().expect("a free lock");
            for wait in &mut waits {
                assert!(wait.as_mut().poll(cx).is_pending());
            }
            drop(guard);
            for wait in &mut waits {
                assert!(wait.as_mut().poll(cx).is_ready());
                wait.set(lock.read());
            }
        }
        Poll::Ready(())
    }));
}

fn pass(rounds: u64) {
    in_task(poll_fn(move |cx| {
        let barrier = black_box(Barrier::new(10));
        let mut waits: Vec<_> = (0..9).map(|_| Box::pin(barrier.wait())).collect();
        for _ in 0..rounds / 10 {
            for wait in &mut waits {
                assert!(wait.as_mut().poll(cx).is_pending());
            }
            assert!(pin!(barrier.wait()).poll(cx).is_ready());
            for wait in &mut waits {
                assert!(wait.as_mut().poll(cx).is_ready());
                wait.set(barrier.wait());
            }
        }
        Poll::Ready(())
    }));
}

fn get(rounds: u64) {
    let cell = black_box(OnceCell::from(1_u64));
    for _ in 0..rounds {
        black_box(cell.get());
    }
}

fn get_or_init_set(rounds: u64) {
    in_task(async move {
        let cell = black_box(OnceCell::from(1_u64));
        for _ in 0..rounds {
            black_box(cell.get_or_init(async || 1_u64).await);
        }
    });
}

fn get_or_init(rounds: u64) {
    in_task(async move {
        for _ in 0..rounds {
            let cell = OnceCell::new();
            black_box(cell.get_or_init(async || 1_u64).await);
        }
    });
}

fn look(rounds: u64) {
    let token = black_box(CancellationToken::new());
    for _ in 0..rounds {
        black_box(token.is_cancelled());
    }
}

fn run(rounds: u64) {
    in_task(async move {
        let token = black_box(CancellationToken::new());
        for _ in 0..rounds {
            black_box(token.run_until_cancelled(ready(1_u64)).await);
        }
    });
}

fn child(rounds: u64) {
    let token = black_box(CancellationToken::new());
    for _ in 0..rounds {
        drop(black_box(token.child_token()));
    }
}

fn last_member(rounds: u64) {
    let group = black_box(Arc::new(WaitGroup::new()));
    for _ in 0..rounds {
        drop(black_box(group.add_owned()));
    }
}

/// Another stays.
fn member(rounds: u64) {
    let group = black_box(Arc::new(WaitGroup::new()));
    let _stays = group.add_owned();
    for _ in 0..rounds {
        drop(black_box(group.add_owned()));
    }
}
