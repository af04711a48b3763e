//! The doorbell that works with every driver: the waker of the drain task.
//!
//! Relied upon: a task that is woken runs again; a task that was just spawned
//! runs without being woken. The ring takes at most one place among the wakes
//! that compio keeps for a runtime, since a task is in there once at most. When
//! other code has filled those places, on compio 0.19, `ring` waits until the
//! runtime makes room; the kernel's doorbells do not.

use std::{sync::OnceLock, task::Waker};

use compio_runtime::Runtime;

use super::{Backend, Doorbell, drain, runtime::Keeper, wakers::contain};
use crate::sys::sync::Arc;

/// Set by the drain task's first run, before the mailbox is ever asleep.
#[derive(Default)]
struct Bell(Arc<OnceLock<Waker>>);

impl Doorbell for Bell {
    fn backend(&self) -> Backend {
        Backend::Generic
    }

    fn ring(&self) {
        if let Some(waker) = self.0.get() {
            contain(|| waker.wake_by_ref());
        }
    }
}

pub(super) fn install(runtime: &Runtime, keeper: Keeper) {
    let bell = Bell::default();
    let waker = Arc::clone(&bell.0);
    keeper.home().hang(Box::new(bell));
    runtime
        .spawn(async move {
            keeper.home().set_running();
            drain::when_woken(keeper.home(), &waker).await;
        })
        .detach();
}
