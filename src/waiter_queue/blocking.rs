//! Waiting from a plain thread, in the same queue as everybody else.

use std::{
    pin::pin,
    task::{Context, Poll, Wake, Waker},
};

use super::runtime;
use crate::sys::sync::{Arc, AtomicBool, Ordering, thread};

struct Parker {
    thread: thread::Thread,
    woken: AtomicBool,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release: pairs with the acquire in `block_on`.
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Blocks this thread until `future` is done.
///
/// # Panics
///
/// Inside of a compio runtime: it would stop every task of it, among them perhaps
/// the one that is waited for.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    assert!(
        !runtime::is_inside(),
        "cannot block the thread of a compio runtime: use the async form"
    );
    let parker = Arc::new(Parker {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&parker));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // Acquire: pairs with the release in `wake_by_ref`.
        while !parker.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}
