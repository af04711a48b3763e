//! What the mutex promises: exclusion, its forms and its guards.

mod common;

use std::{sync::Arc, time::Duration};

use common::{
    Hand, in_runtime, on_another_thread, on_runtimes, panic_message, park_on, rounds, spawn, until,
    watchdog, yield_now,
};
use compio_sync::{MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard};

#[compio::test]
async fn the_lock_is_taken_and_given_back() {
    let _dog = watchdog();
    let mutex = Mutex::new(1);
    let mut guard = mutex.lock().await;
    *guard += 1;
    assert!(mutex.is_locked());
    assert!(mutex.try_lock().is_none());
    drop(guard);
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.lock().await, 2);
}

#[compio::test]
async fn tasks_exclude_each_other_across_awaits() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(0));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let mutex = mutex.clone();
            spawn(async move {
                let mut guard = mutex.lock().await;
                let before = *guard;
                yield_now().await;
                *guard = before + 1;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*mutex.lock().await, 100);
}

#[test]
fn runtimes_and_threads_exclude_each_other() {
    let _dog = watchdog();
    let n = rounds(2000);
    let mutex = Mutex::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..n {
                *mutex.blocking_lock() += 1;
            }
        });
        on_runtimes(2, async |_| {
            for _ in 0..n {
                *mutex.lock().await += 1;
            }
        });
    });
    assert_eq!(mutex.into_inner(), 3 * n);
}

#[test]
fn owned_forms_wait_in_the_same_queue() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(0));
    let guard = mutex.lock_owned();
    let guard = park_on(guard);
    assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &mutex));
    let mut first = Hand::waiting(mutex.lock());
    let mut second = Hand::waiting(mutex.lock_owned());
    drop(guard);
    drop(first.expect_ready());
    let mut guard = second.expect_ready();
    *guard += 1;
    on_another_thread(move || {
        *guard += 1;
    });
    drop(first);
    drop(second);
    assert_eq!(Arc::try_unwrap(mutex).unwrap().into_inner(), 2);
}

#[test]
fn threads_and_tasks_wait_in_one_queue() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(Vec::new()));
    in_runtime(async || {
        let guard = mutex.try_lock().unwrap();
        let mut tasks = Vec::new();
        let mut threads = Vec::new();
        for i in 0..9 {
            let m = mutex.clone();
            match i % 3 {
                0 => tasks.push(spawn(async move { m.lock().await.push(i) })),
                1 => threads.push(std::thread::spawn(move || m.blocking_lock().push(i))),
                _ => threads.push(std::thread::spawn(move || m.blocking_lock_owned().push(i))),
            }
            until(|| mutex.waiter_count() == i + 1).await;
        }
        drop(guard);
        for task in tasks {
            task.await.unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
    assert_eq!(*mutex.try_lock().unwrap(), (0..9).collect::<Vec<_>>());
}

#[test]
fn blocking_inside_of_a_runtime_panics() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(()));
    in_runtime(async || {
        let messages = [
            panic_message(|| mutex.blocking_lock()),
            panic_message(|| mutex.blocking_lock_owned()),
        ];
        assert!(
            messages.iter().all(|m| m.contains("cannot block")),
            "{messages:?}"
        );
    });
    assert!(!mutex.is_locked());
}

#[test]
fn a_poll_after_ready_panics() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(()));
    let mut wait = Hand::new(mutex.lock());
    let mut owned = Hand::new(mutex.lock_owned());
    drop(wait.expect_ready());
    drop(owned.expect_ready());
    assert!(panic_message(|| wait.poll()).contains("after it was ready"));
    assert!(panic_message(|| owned.poll()).contains("after it was ready"));
    drop((wait, owned));
    assert!(!mutex.is_locked());
}

#[test]
fn a_panic_while_locked_unlocks_and_does_not_poison() {
    let _dog = watchdog();
    let mutex = Mutex::new(1);
    panic_message(|| {
        let mut guard = mutex.try_lock().unwrap();
        *guard = 2;
        panic!("on purpose");
    });
    assert_eq!(*mutex.try_lock().unwrap(), 2);
}

#[test]
fn the_data_is_reached_without_locking_by_its_only_owner() {
    let _dog = watchdog();
    let mut mutex = Mutex::from(String::from("a"));
    mutex.get_mut().push('b');
    assert_eq!(mutex.into_inner(), "ab");
    assert_eq!(Mutex::<u8>::default().into_inner(), 0);
    let unsized_mutex: Box<Mutex<[i32]>> = Box::new(Mutex::new([1, 2, 3]));
    unsized_mutex.try_lock().unwrap()[1] = 5;
    assert_eq!(*park_on(unsized_mutex.lock()), [1, 5, 3]);
    assert!(std::ptr::eq(
        MutexGuard::mutex(&unsized_mutex.try_lock().unwrap()),
        &raw const *unsized_mutex
    ));
}

#[test]
fn the_data_is_dropped_with_the_mutex_and_only_then() {
    let _dog = watchdog();
    let data = Arc::new(());
    let mutex = Mutex::new(data.clone());
    drop(mutex.try_lock());
    assert_eq!(Arc::strong_count(&data), 2);
    drop(mutex);
    assert_eq!(Arc::strong_count(&data), 1);
}

#[test]
fn a_mapped_guard_reaches_a_part_and_unlocks() {
    let _dog = watchdog();
    let mutex = Mutex::new((1, vec![2, 3]));
    let list = MutexGuard::map(mutex.try_lock().unwrap(), |pair| &mut pair.1);
    assert_eq!(format!("{list:?}"), "[2, 3]");
    let mut wait = Hand::waiting(mutex.lock());
    let Err(list) = MappedMutexGuard::try_map(list, |list| list.get_mut(9)) else {
        panic!("there is no tenth");
    };
    let Ok(mut second) = MappedMutexGuard::try_map(list, |list| list.get_mut(1)) else {
        panic!("there is a second");
    };
    *second += 10;
    assert_eq!(format!("{second} {second:?}"), "13 13");
    let second = MappedMutexGuard::map(second, |number| number);
    assert!(mutex.is_locked());
    assert!(!wait.is_woken());
    drop(second);
    let guard = wait.expect_ready();
    assert_eq!(guard.1, [2, 13]);
    let guard = MutexGuard::try_map(guard, |_| None::<&mut u8>).unwrap_err();
    assert!(mutex.is_locked(), "still the guard that it was");
    let number = MutexGuard::try_map(guard, |pair| Some(&mut pair.0)).unwrap();
    assert_eq!(*number, 1);
    drop(number);
    assert!(!mutex.is_locked());
}

#[test]
fn an_owned_mapped_guard_reaches_a_part_and_unlocks() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new((1, vec![2, 3])));
    let list = OwnedMutexGuard::map(mutex.try_lock_owned().unwrap(), |pair| &mut pair.1);
    assert_eq!(format!("{list:?}"), "[2, 3]");
    let list = OwnedMappedMutexGuard::try_map(list, |list| list.get_mut(9)).unwrap_err();
    let second = OwnedMappedMutexGuard::try_map(list, |list| list.get_mut(1)).unwrap();
    let mut second = OwnedMappedMutexGuard::map(second, |number| number);
    *second += 10;
    assert_eq!(format!("{second} {second:?}"), "13 13");
    on_another_thread(move || drop(second));
    let guard = mutex.try_lock_owned().unwrap();
    let guard = OwnedMutexGuard::try_map(guard, |_| None::<&mut u8>).unwrap_err();
    let number = OwnedMutexGuard::try_map(guard, |pair| Some(&mut pair.0)).unwrap();
    assert_eq!(*number, 1);
    drop(number);
    assert_eq!(Arc::try_unwrap(mutex).unwrap().into_inner().1, [2, 13]);
}

#[test]
fn a_panic_while_mapping_unlocks() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new(1));
    panic_message(|| MutexGuard::map(mutex.try_lock().unwrap(), |_| -> &mut i32 { panic!("x") }));
    assert!(!mutex.is_locked());
    panic_message(|| {
        OwnedMutexGuard::map(mutex.try_lock_owned().unwrap(), |_| -> &mut i32 {
            panic!("x")
        })
    });
    assert!(!mutex.is_locked());
    assert_eq!(Arc::strong_count(&mutex), 1);
}

#[test]
fn debug_output_never_shows_locked_data() {
    let _dog = watchdog();
    let mutex = Arc::new(Mutex::new("secret"));
    assert_eq!(
        format!("{mutex:?}"),
        "Mutex { data: \"secret\", waiter_count: 0 }"
    );
    let guard = mutex.try_lock().unwrap();
    assert_eq!(format!("{guard} {guard:?}"), "secret \"secret\"");
    let mut wait = Hand::waiting(mutex.lock());
    assert_eq!(
        format!("{mutex:?}"),
        "Mutex { data: <locked>, waiter_count: 1 }"
    );
    let shown = format!("{:?}", wait.as_ref());
    assert!(
        shown.starts_with("Lock { queued: true, done: false"),
        "{shown}"
    );
    assert!(format!("{:?}", mutex.lock_owned()).starts_with("LockOwned { queued: false"));
    drop(guard);
    drop(wait.expect_ready());
    assert!(!format!("{:?}", wait.as_ref()).contains("secret"));
    let owned = mutex.try_lock_owned().unwrap();
    assert_eq!(format!("{owned} {owned:?}"), "secret \"secret\"");
}

#[test]
fn debug_of_the_mutex_unlocks_again_and_wakes() {
    let _dog = watchdog();
    let mutex = Mutex::new(0);
    let guard = mutex.try_lock();
    let mut wait = Hand::waiting(mutex.lock());
    drop(guard);
    // To show the data it locks, and so overtakes.
    assert!(format!("{mutex:?}").contains("data: 0"));
    drop(wait.expect_ready());
    assert!(!mutex.is_locked());
}

#[compio::test]
async fn a_timeout_composes() {
    let _dog = watchdog();
    let enough = Duration::from_secs(100);
    let limit = Duration::from_millis(1);
    let mutex = Arc::new(Mutex::new(()));
    let guard = compio::time::timeout(enough, mutex.lock()).await.unwrap();
    assert!(compio::time::timeout(limit, mutex.lock()).await.is_err());
    assert!(
        compio::time::timeout(limit, mutex.lock_owned())
            .await
            .is_err()
    );
    assert_eq!(mutex.waiter_count(), 0);
    drop(guard);
    assert!(!mutex.is_locked());
}
