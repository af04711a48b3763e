//! A doorbell as that of `linux`, for the model checker: what the drain task does is the same code,
//! and this stands for the word, the kernel's futex and the ring.

use std::{
    future::{Future, poll_fn},
    sync::{Arc, OnceLock},
    task::{Poll, Waker},
};

use super::{Backend, Doorbell, drain, home::Home, runtime::Runtime, wakers::contain};
use crate::sys::{
    loom::checker::sync::Mutex,
    sync::{AtomicUsize, Ordering, say},
};

pub(crate) struct Futex {
    word: AtomicUsize,
    /// Under the lock of the kernel's bucket: the wait that is armed.
    armed: Mutex<Option<Waker>>,
    /// Whether the kernel refuses to wait.
    refuses: bool,
    refused: OnceLock<Waker>,
}

impl Doorbell for Arc<Futex> {
    fn backend(&self) -> Backend {
        Backend::Futex
    }

    fn ring(&self) {
        match self.refused.get() {
            None => self.change(),
            Some(waker) => contain(|| waker.wake_by_ref()),
        }
    }
}

impl Futex {
    pub(crate) fn new(refuses: bool) -> Arc<Self> {
        Arc::new(Self {
            word: AtomicUsize::new(0),
            armed: Mutex::new(None),
            refuses,
            refused: OnceLock::new(),
        })
    }

    /// The current thread becomes a runtime with this doorbell.
    pub(crate) fn hang(self: &Arc<Self>) -> Runtime {
        Runtime::with_bell(|_| Box::new(Arc::clone(self)))
    }

    fn look(&self) -> u32 {
        // Acquire: pairs with the release in `change`.
        self.word.load(Ordering::Acquire) as u32
    }

    fn change(&self) {
        // Release: pairs with the acquire in `look`.
        self.word.fetch_add(1, Ordering::Release);
        let ended = self.armed.lock().unwrap().take();
        if let Some(waker) = ended {
            say("a ring ends the wait");
            waker.wake();
        }
    }

    /// The operation: the kernel compares and arms it under the bucket's lock, some time after the
    /// drain.
    fn wait(&self, home: &Home, seen: u32) -> impl Future<Output = bool> {
        let mut is_armed = false;
        poll_fn(move |cx| {
            // Neither cloned nor dropped under the lock.
            let waker = cx.waker().clone();
            let mut armed = self.armed.lock().unwrap();
            if self.refuses {
                return Poll::Ready(false);
            }
            if !is_armed {
                // Relaxed: the lock orders it with who changed the word, and then had the lock.
                if self.word.load(Ordering::Relaxed) as u32 != seen {
                    say("the word has changed");
                    return Poll::Ready(true);
                }
                is_armed = true;
                *armed = Some(waker);
            } else if armed.is_none() {
                drop(armed);
                home.wake_tasks();
                return Poll::Ready(true);
            }
            Poll::Pending
        })
    }

    /// Runs `future` as a task of the runtime that has this doorbell.
    pub(crate) fn block_on<F: Future>(&self, runtime: &Runtime, future: F) -> F::Output {
        let home = runtime.home();
        let drain = async {
            drain::when_changed(home, || self.look(), |seen| self.wait(home, seen)).await;
            drain::when_woken(home, &self.refused).await
        };
        runtime.block_on_beside(drain, future)
    }
}
