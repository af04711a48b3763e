//! Each primitive, with tasks of several runtimes and plain threads that give up at random.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use super::{Room, below, both, explore, give_up, join, perhaps, spawn};
use crate::{
    Condvar, Event, Mutex, Notify, RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore,
};

/// Who asks for one or for many, and who gives up, gets permits, and none is lost.
#[test]
fn semaphore() {
    explore(|| {
        let semaphore = Arc::new(Semaphore::new(2));
        let room = Arc::new(Room::new(2));
        join((0..4).map(|_| {
            let (semaphore, room) = (semaphore.clone(), room.clone());
            spawn(async move || {
                for _ in 0..2 {
                    let n = 1 + below(2);
                    if let Some(permit) = perhaps(semaphore.acquire_many(n)).await {
                        room.visit(permit.num_permits());
                    }
                }
            })
        }));
        assert_eq!(semaphore.available_permits(), 2);
        assert_eq!(semaphore.waiter_count(), 0);
    });
}

/// Permits are made, forgotten, split and tried for meanwhile.
#[test]
fn semaphore_of_a_changing_size() {
    explore(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let room = Arc::new(Room::new(3));
        let gone = Arc::new(AtomicUsize::new(0));
        let waiting = (0..3).map(|_| {
            let (semaphore, room) = (semaphore.clone(), room.clone());
            spawn(async move || {
                let Some(mut permit) = perhaps(semaphore.acquire_many_owned(2)).await else {
                    return;
                };
                room.visit(2);
                drop(permit.split(1));
                room.visit(1);
            })
        });
        let other = {
            let (semaphore, gone) = (semaphore.clone(), gone.clone());
            spawn(async move || {
                semaphore.add_permits(2);
                gone.fetch_add(semaphore.forget_permits(1), SeqCst);
                drop(semaphore.try_acquire());
                if gone.load(SeqCst) > 0 {
                    semaphore.add_permits(gone.swap(0, SeqCst));
                }
            })
        };
        join(waiting.chain([other]));
        assert_eq!(semaphore.available_permits() + gone.load(SeqCst), 3);
        assert_eq!(semaphore.waiter_count(), 0);
    });
}

/// One at a time, and everybody who stays gets the lock.
#[test]
fn mutex() {
    explore(|| {
        let mutex = Arc::new(Mutex::new(0));
        let room = Arc::new(Room::new(1));
        let counted = Arc::new(AtomicUsize::new(0));
        let threads = (0..4).map(|_| {
            let (mutex, room, counted) = (mutex.clone(), room.clone(), counted.clone());
            spawn(async move || {
                for _ in 0..2 {
                    let guard = match below(4) {
                        0 => mutex.try_lock(),
                        _ => perhaps(mutex.lock()).await,
                    };
                    if let Some(mut guard) = guard {
                        room.visit(1);
                        *guard += 1;
                        counted.fetch_add(1, SeqCst);
                    }
                }
            })
        });
        join(threads);
        assert!(!mutex.is_locked());
        assert_eq!(mutex.waiter_count(), 0);
        assert_eq!(*mutex.try_lock().unwrap(), counted.load(SeqCst));
    });
}

/// Readers count as one, writers as all; some step down, some upgrade, some give up.
#[test]
fn rwlock() {
    explore(|| {
        const ALL: usize = 4;
        let lock = Arc::new(RwLock::new(0));
        let room = Arc::new(Room::new(ALL));
        let written = Arc::new(AtomicUsize::new(0));
        let threads = (0..ALL).map(|_| {
            let (lock, room, written) = (lock.clone(), room.clone(), written.clone());
            spawn(async move || {
                let write = |data: &mut usize| {
                    room.visit(ALL);
                    *data += 1;
                    written.fetch_add(1, SeqCst);
                };
                for _ in 0..2 {
                    match below(4) {
                        0 => {
                            if let Some(_guard) = perhaps(lock.read()).await {
                                room.visit(1);
                            }
                        }
                        1 => {
                            if let Some(mut guard) = perhaps(lock.write()).await {
                                write(&mut guard);
                            }
                        }
                        2 => {
                            if let Some(mut guard) = perhaps(lock.write()).await {
                                write(&mut guard);
                                let _guard = RwLockWriteGuard::downgrade(guard);
                                room.visit(1);
                            }
                        }
                        _ => {
                            let Some(guard) = perhaps(lock.upgradable_read()).await else {
                                continue;
                            };
                            room.visit(1);
                            let before = *guard;
                            let upgrade = RwLockUpgradableReadGuard::upgrade(guard);
                            if let Some(mut guard) = perhaps(upgrade).await {
                                assert_eq!(*guard, before, "nobody writes in between");
                                write(&mut guard);
                            }
                        }
                    }
                }
            })
        });
        join(threads);
        assert!(!lock.is_locked());
        assert_eq!(lock.waiter_count(), 0);
        assert_eq!(*lock.try_write().unwrap(), written.load(SeqCst));
    });
}

/// A queue with consumers that give up: all that is put in comes out.
#[test]
fn condvar_passes_notifications_on() {
    explore(|| {
        const ITEMS: usize = 3;
        let shared = Arc::new((Mutex::new((0, 0)), Condvar::new()));
        let consumer = |patient: bool| {
            let shared = shared.clone();
            spawn(async move || {
                let (queue, filled) = &*shared;
                loop {
                    let guard = queue.lock().await;
                    let wait =
                        filled.wait_while(guard, |(items, taken)| *items == 0 && *taken < ITEMS);
                    let guard = if patient {
                        Some(wait.await)
                    } else {
                        give_up(wait, 1 + below(3)).await
                    };
                    let Some(mut guard) = guard else { return };
                    if guard.1 == ITEMS {
                        return;
                    }
                    *guard = (guard.0 - 1, guard.1 + 1);
                    if guard.1 == ITEMS {
                        filled.notify_all();
                    }
                    if !patient {
                        return;
                    }
                }
            })
        };
        let producer = {
            let shared = shared.clone();
            spawn(async move || {
                let (queue, filled) = &*shared;
                for _ in 0..ITEMS {
                    queue.lock().await.0 += 1;
                    filled.notify_one();
                }
            })
        };
        join([consumer(true), consumer(false), consumer(false), producer]);
        assert_eq!(*shared.0.try_lock().unwrap(), (0, ITEMS));
        assert_eq!(shared.0.waiter_count() + shared.1.waiter_count(), 0);
    });
}

/// All that are notified come to the mutex, whoever goes on the way.
#[test]
fn condvar_notifies_all() {
    explore(|| {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let waiter = |patient: bool| {
            let shared = shared.clone();
            spawn(async move || {
                let (round, changed) = &*shared;
                for now in 0..2 {
                    let guard = round.lock().await;
                    let wait = changed.wait_while(guard, move |round| *round <= now);
                    if patient {
                        drop(wait.await);
                    } else {
                        drop(give_up(wait, 1 + below(3)).await);
                    }
                }
            })
        };
        let notifier = {
            let shared = shared.clone();
            spawn(async move || {
                let (round, changed) = &*shared;
                for _ in 0..2 {
                    let mut guard = round.lock().await;
                    *guard += 1;
                    if below(2) == 0 {
                        drop(guard);
                        changed.notify_all();
                    } else {
                        changed.notify_all();
                    }
                }
            })
        };
        join([
            waiter(true),
            waiter(true),
            waiter(false),
            waiter(false),
            notifier,
        ]);
        assert!(!shared.0.is_locked());
        assert_eq!(shared.0.waiter_count() + shared.1.waiter_count(), 0);
    });
}

/// Each notification is taken by somebody who stays, or is stored in the end.
#[test]
fn notify() {
    explore(|| {
        let notify = Arc::new(Notify::new());
        let taken = Arc::new(AtomicUsize::new(0));
        let waiter = |patient: bool| {
            let (notify, taken) = (notify.clone(), taken.clone());
            spawn(async move || {
                let wait = notify.notified();
                if patient {
                    wait.await;
                } else if give_up(wait, 1 + below(3)).await.is_none() {
                    return;
                }
                taken.fetch_add(1, SeqCst);
                // For the next; so that as many as stay are notified.
                notify.notify_one();
            })
        };
        let notifier = {
            let notify = notify.clone();
            spawn(async move || match below(2) {
                0 => notify.notify_one(),
                _ => notify.notify_last(),
            })
        };
        join([
            waiter(true),
            waiter(true),
            waiter(false),
            waiter(false),
            notifier,
        ]);
        assert!(taken.load(SeqCst) >= 2);
        assert_eq!(notify.waiter_count(), 0);
        let shown = format!("{notify:?}");
        assert!(shown.contains("stored: true"), "lost: {shown}");
    });
}

/// Who was there before `notify_waiters` is notified by it, also of those that go.
#[test]
fn notify_waiters() {
    explore(|| {
        let notify = Arc::new(Notify::new());
        let data = Arc::new(AtomicUsize::new(0));
        let waiter = |patient: bool| {
            let (notify, data) = (notify.clone(), data.clone());
            spawn(async move || {
                let wait = notify.notified();
                if data.load(SeqCst) == 0 {
                    if patient {
                        wait.await;
                    } else if give_up(wait, 1 + below(3)).await.is_none() {
                        return;
                    }
                    assert_eq!(data.load(SeqCst), 1);
                }
            })
        };
        let notifier = {
            let (notify, data) = (notify.clone(), data.clone());
            spawn(async move || {
                data.store(1, SeqCst);
                notify.notify_waiters();
            })
        };
        join([
            waiter(true),
            waiter(true),
            waiter(true),
            waiter(false),
            notifier,
        ]);
        assert_eq!(notify.waiter_count(), 0);
    });
}

/// All get through, two waits of one task too.
#[test]
fn event() {
    explore(|| {
        let event = Arc::new(Event::new());
        let waiters = (0..3).map(|_| {
            let event = event.clone();
            spawn(async move || both(event.wait(), event.wait()).await)
        });
        let (impatient, setter) = (event.clone(), event.clone());
        let others = [
            spawn(async move || {
                perhaps(impatient.wait()).await;
            }),
            spawn(async move || {
                setter.set();
            }),
        ];
        join(waiters.chain(others));
        assert_eq!(event.waiter_count(), 0);
    });
}
