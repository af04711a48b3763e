//! What the mutex promises of its heir.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker},
};

use compio_sync::Mutex;

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>, waker: &Waker) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A waker that panics when it is cloned.
fn uncloneable() -> Waker {
    const VTABLE: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("not to be cloned"), |_| {}, |_| {}, |_| {});
    // SAFETY: it has no data, so that every thread may do everything with it.
    unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &VTABLE)) }
}

/// "A waiter that has been woken is overtaken at most 64 times before the lock is kept."
#[test]
fn overtaken_so_often_and_no_more() {
    let mutex = Mutex::new(());
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let held = mutex.try_lock().unwrap();
    let mut waiting = Box::pin(mutex.lock());
    assert!(poll(&mut waiting, &waker).is_pending());
    drop(held);
    assert!(flag.0.load(Ordering::Relaxed));
    let overtakers = (0..1000).take_while(|_| mutex.try_lock().is_some()).count();
    assert_eq!(overtakers, 64);
    assert!(poll(&mut waiting, &waker).is_ready());
}

/// A heir whose waker panics is no heir any more, and the next gets the lock.
#[test]
fn a_panic_of_the_heirs_waker() {
    let mutex = Mutex::new(());
    let flags = [(); 2].map(|()| Arc::new(Flag::default()));
    let [first, second] = flags.each_ref().map(|flag| Waker::from(Arc::clone(flag)));
    let held = mutex.try_lock().unwrap();
    let mut heir = Box::pin(mutex.lock());
    let mut next = Box::pin(mutex.lock());
    assert!(poll(&mut heir, &first).is_pending());
    assert!(poll(&mut next, &second).is_pending());
    drop(held);
    let held = mutex.try_lock().unwrap();
    // Comes in vain, and has to leave its waker.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        poll(&mut heir, &uncloneable()).is_pending()
    }));
    assert!(panicked.is_err());
    drop(heir);
    drop(held);
    assert!(flags[1].0.load(Ordering::Relaxed), "nobody is woken");
    assert!(poll(&mut next, &second).is_ready());
}
