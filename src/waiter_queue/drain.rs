//! What the drain tasks of the doorbells have in common.

use std::{
    future::{Future, poll_fn},
    sync::OnceLock,
    task::{Poll, Waker},
};

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

/// Drains whenever a word has changed, as each ring changes it. `wait` ends when the word is not
/// what it is given; ends if that says that it cannot wait.
#[allow(dead_code)] // For the doorbells of the kernels.
pub(super) async fn when_changed<F: Future<Output = bool>>(
    home: &Home,
    look: impl Fn() -> u32,
    wait: impl Fn(u32) -> F,
) {
    loop {
        // Before the drain: a ring that is not seen by it ends the wait for this.
        let seen = look();
        // Whoever is busy looks once more without being rung: a ring is a system call.
        if home.drain(false) != Left::Asleep {
            pass().await;
            continue;
        }
        if !wait(seen).await {
            return;
        }
    }
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
