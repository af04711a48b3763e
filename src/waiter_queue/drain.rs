//! What the drain tasks of the doorbells have in common.

use std::{future::poll_fn, sync::OnceLock, task::Poll, task::Waker};

use super::home::{Home, Left};

/// Lets the other tasks run once.
#[allow(dead_code)] // For the doorbells of the kernels.
pub(super) async fn pass() {
    let mut passed = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut passed, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Drains whenever the task is woken, for ever. Its waker is in `waker` before the mailbox is
/// first asleep.
pub(super) async fn when_woken(home: &Home, waker: &OnceLock<Waker>) -> ! {
    poll_fn(|cx| {
        waker.get_or_init(|| cx.waker().clone());
        if home.drain(true) == Left::More {
            // More has come: others' turn first.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}
