//! What a future of `notify_waiters` may rely on.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Waker},
    thread,
};

use compio_sync::Notify;

/// Who has made its future too late for the call sees what was done before the call, though
/// it looks at it without any ordering of its own. Only weakly ordered machines, and Miri,
/// can show otherwise.
#[test]
fn too_late_for_the_call_but_not_for_the_data() {
    for _ in 0..if cfg!(miri) { 20 } else { 500 } {
        let (notify, ready) = (Notify::new(), AtomicBool::new(false));
        let (seen, notified) = thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let notified = notify.notified();
                (ready.load(Ordering::Relaxed), notified)
            });
            ready.store(true, Ordering::Relaxed);
            notify.notify_waiters();
            waiter.join().unwrap()
        });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(
            seen || pin!(notified).poll(&mut cx).is_ready(),
            "waits for ever"
        );
    }
}
