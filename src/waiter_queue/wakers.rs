//! Wakers on their way from a lock to their call.

use std::task::Waker;

/// How many wakers are called between two looks at a locked list. compio runs 61 tasks before it
/// looks for events: these, and the one that drains the mailbox, which has to wake more by then;
/// see `Home::drain`.
#[cfg(not(loom))]
pub(super) const BATCH: usize = 60;
/// Small, so that the model sees more than one batch.
#[cfg(loom)]
pub(super) const BATCH: usize = 2;

/// Wakers taken out under a lock, to be called after it.
pub(super) struct Wakers {
    wakers: [std::mem::MaybeUninit<Waker>; BATCH],
    len: usize,
}

impl Wakers {
    pub(super) fn new() -> Self {
        Self {
            wakers: [const { std::mem::MaybeUninit::uninit() }; BATCH],
            len: 0,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.len < BATCH
    }

    pub(super) fn extend(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.wakers[self.len].write(waker);
            self.len += 1;
        }
    }

    /// Calls them all. A panic of one is its own affair: the panic hook has
    /// reported it, and neither the others nor the notifier pay for it.
    #[inline]
    pub(super) fn wake(&mut self) {
        if self.len > 0 {
            self.wake_all();
        }
    }

    fn wake_all(&mut self) {
        let len = std::mem::take(&mut self.len);
        let mut next = 0;
        while next < len {
            contain(|| {
                while next < len {
                    // SAFETY: the first `len` were written, and each is read once.
                    let waker = unsafe { self.wakers[next].assume_init_read() };
                    next += 1;
                    waker.wake();
                }
            });
        }
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Runs what may be foreign code, and stops a panic of it here.
pub(super) fn contain(f: impl FnOnce()) {
    // A model fails by a panic, which is not to be stopped.
    #[cfg(loom)]
    return f();
    #[cfg(not(loom))]
    if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        // Its drop may panic again.
        std::mem::forget(payload);
    }
}
