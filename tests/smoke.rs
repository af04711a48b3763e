//! smoke
use compio_sync::*;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::time::*;
#[test]
fn mutual() {
    for n in [100usize, 10_000] {
        let ev: [Arc<Notify>; 2] = Default::default();
        let bar = Arc::new(Barrier::new(2));
        let ts: Vec<_> = (0..2)
            .map(|me| {
                let ev = ev.clone();
                let bar = bar.clone();
                std::thread::spawn(move || {
                    compio_runtime::Runtime::new()
                        .unwrap()
                        .block_on(async move {
                            let mut tot = Duration::ZERO;
                            for _ in 0..10 {
                                let cnt = Rc::new(Cell::new(0));
                                let hs: Vec<_> = (0..n)
                                    .map(|_| {
                                        let e = ev[me].clone();
                                        let c = cnt.clone();
                                        compio_runtime::spawn(async move {
                                            let f = e.notified();
                                            c.set(c.get() + 1);
                                            f.await;
                                        })
                                    })
                                    .collect();
                                while cnt.get() < n {
                                    compio::runtime::time::sleep(Duration::from_millis(1)).await;
                                }
                                bar.wait();
                                let s = Instant::now();
                                ev[1 - me].notify_waiters();
                                tot += s.elapsed();
                                for h in hs {
                                    h.await.unwrap();
                                }
                            }
                            eprintln!("n={n} notify {:?}", tot / 10);
                        })
                })
            })
            .collect();
        for t in ts {
            t.join().unwrap();
        }
    }
}
#[test]
fn condvar_two_runtimes() {
    let s = Arc::new((Mutex::new(0u64), Condvar::new()));
    let ts: Vec<_> = (0..2u64)
        .map(|me| {
            let s = s.clone();
            std::thread::spawn(move || {
                compio_runtime::Runtime::new()
                    .unwrap()
                    .block_on(async move {
                        for _ in 0..20000 {
                            let g = s.0.lock().await;
                            let mut g = s.1.wait_while(g, |v| *v % 2 != me).await;
                            *g += 1;
                            drop(g);
                            s.1.notify_one();
                        }
                    })
            })
        })
        .collect();
    for t in ts {
        t.join().unwrap();
    }
    assert_eq!(s.0.try_lock().map(|g| *g), Some(40000));
}
#[test]
fn mutex_contended() {
    let m = Arc::new(Mutex::new(0u64));
    let ts: Vec<_> = (0..3)
        .map(|_| {
            let m = m.clone();
            std::thread::spawn(move || {
                compio_runtime::Runtime::new()
                    .unwrap()
                    .block_on(async move {
                        let hs: Vec<_> = (0..50)
                            .map(|_| {
                                let m = m.clone();
                                compio_runtime::spawn(async move {
                                    for _ in 0..2000 {
                                        *m.lock().await += 1;
                                    }
                                })
                            })
                            .collect();
                        for h in hs {
                            h.await.unwrap();
                        }
                    })
            })
        })
        .collect();
    for t in ts {
        t.join().unwrap();
    }
    assert_eq!(*m.blocking_lock(), 300000);
}
#[test]
fn sem_contended() {
    let m = Arc::new(Semaphore::new(3));
    let ts: Vec<_> = (0..3)
        .map(|_| {
            let m = m.clone();
            std::thread::spawn(move || {
                compio_runtime::Runtime::new()
                    .unwrap()
                    .block_on(async move {
                        let hs: Vec<_> = (0..50)
                            .map(|i| {
                                let m = m.clone();
                                compio_runtime::spawn(async move {
                                    for _ in 0..500 {
                                        let _p = m.acquire_many(1 + i % 3).await;
                                    }
                                })
                            })
                            .collect();
                        for h in hs {
                            h.await.unwrap();
                        }
                    })
            })
        })
        .collect();
    for t in ts {
        t.join().unwrap();
    }
    assert_eq!(m.available_permits(), 3);
    assert_eq!(m.waiter_count(), 0);
}
