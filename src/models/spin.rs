//! Models of looking again at a mutex, and of asking for it.

use std::sync::Arc;

use loom::thread;

use super::{
    Bound, Cell, Hand, block_on, check, join,
    mutex::{assert_at_rest, heir_in_vain},
    rows::Row,
};
use crate::{
    Mutex,
    sys::spin,
    waiter_queue::{Kind, Runtime},
};

/// As if this thread had been woken for the mutex by another.
fn meet(mutex: &Mutex<Cell>) {
    spin::has_met_another_at(mutex.raw());
}

fn lock_asking(mutex: &Mutex<Cell>) {
    meet(mutex);
    block_on(mutex.lock()).change();
}

/// A newcomer that finds it taken, while the holder goes and comes again.
#[test]
fn newcomer_asks() {
    let rows = [
        Row::NewcomerAsks,
        Row::KeepsForAsking,
        Row::HeirTakesKept,
        Row::NewcomerAsksInVain,
    ];
    check(Bound::LightOrAll(3), &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || lock_asking(&mutex)
        });
        guard.change();
        drop(guard);
        if let Some(guard) = mutex.try_lock() {
            guard.change();
        }
        join([other]);
        assert_at_rest(&mutex);
    });
}

#[test]
fn two_ask() {
    check(Bound::Light(2), &[Row::NewcomerAsks], || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let others = [(); 2].map(|()| {
            let mutex = Arc::clone(&mutex);
            thread::spawn(move || lock_asking(&mutex))
        });
        drop(guard);
        join(others);
        assert_at_rest(&mutex);
    });
}

/// A newcomer asks, and goes if that is in vain, while another comes to wait behind it.
#[test]
fn newcomer_asks_and_goes() {
    let rows = [
        Row::NewcomerAsks,
        Row::NewcomerAsksInVain,
        Row::KeepsForAsking,
    ];
    check(Bound::LightOrAll(2), &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || {
                meet(&mutex);
                drop(Hand::new(mutex.lock()).poll());
            }
        });
        let mut waits = Hand::new(mutex.lock());
        let came = waits.poll().is_ready();
        assert!(!came);
        drop(guard);
        join([other]);
        assert_eq!(waits.alarm.calls(), 1);
        assert!(waits.poll().is_ready());
        drop(waits);
        assert_at_rest(&mutex);
    });
}

/// The heir finds it taken, looks, and asks.
#[test]
fn heir_asks() {
    let rows = [
        Row::HeirAsks,
        Row::KeepsForAsking,
        Row::HeirTakesKept,
        Row::AsksInVain,
    ];
    check(Bound::LightOrAll(3), &rows, || heir_in_vain(meet));
}

/// In vain, it does not look again, whether it could ask or others waited.
#[test]
fn looks_in_vain_once() {
    check(Bound::All, &[Row::NewcomerAsksInVain], || {
        let mutex = Mutex::new(Cell::new());
        let guard = mutex.try_lock().unwrap();
        let waits = [(); 2].map(|()| {
            meet(&mutex);
            let wait = Hand::waiting(mutex.lock());
            assert!(!spin::is_worthwhile(mutex.raw()));
            wait
        });
        drop(waits);
        drop(guard);
        assert_at_rest(&mutex);
    });
}

/// The only waiter leaves while the holder is about to wake it, and a newcomer asks: it is the only
/// heir, and who comes then is overtaken no more often than it may be.
#[test]
fn newcomer_asks_when_the_last_has_left() {
    let rows = [Row::KeepsForLateAsking, Row::LastLeaves, Row::KeepsForHeir];
    check(Bound::Light(3), &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let goes = Hand::waiting(Arc::clone(&mutex).lock_owned());
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || {
                drop(goes);
                lock_asking(&mutex);
            }
        });
        drop(guard);
        if let Some(guard) = mutex.try_lock() {
            let waits = Hand::waiting(mutex.lock());
            drop(guard);
            if waits.alarm.calls() == 1 {
                let overtaken = (0..2).map_while(|_| mutex.try_lock().map(drop)).count();
                assert!(overtaken < 2 || mutex.is_locked(), "it is kept for it");
            }
            drop(waits);
        }
        join([other]);
        assert_at_rest(&mutex);
    });
}

/// A task that another thread has woken, as it is.
#[test]
fn who_was_woken_from_elsewhere_asks() {
    let rows = [Row::HeirAsks, Row::AsksInVain];
    check(Bound::Light(2), &rows, || {
        let mutex = Arc::new(Mutex::new(Cell::new()));
        let guard = mutex.try_lock().unwrap();
        let other = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || {
                Runtime::new().block_on(Kind::Task, async {
                    mutex.lock().await.change();
                    mutex.lock().await.change();
                });
            }
        });
        drop(guard);
        for _ in 0..2 {
            if let Some(guard) = mutex.try_lock() {
                guard.change();
            }
        }
        join([other]);
        assert_at_rest(&mutex);
    });
}
