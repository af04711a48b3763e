//! Wake-ups collected under a queue's lock and delivered after it.

use std::ptr::NonNull;

use super::{
    home::{BATCH, Home, Outbox, Route, Wakers},
    waiter::{Phase, Waiter},
};
use crate::sys::sync::Arc;

/// How many homes one batch can ring.
const HOMES: usize = 4;

pub(super) struct Batch {
    wakers: Wakers,
    /// The mailbox being filled.
    open: Option<Outbox>,
    /// One more than `has_room` allows, for the mailbox that is open then.
    rings: [Option<Arc<Home>>; HOMES + 1],
    homes: usize,
    handed: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            wakers: Wakers::new(),
            open: None,
            rings: [const { None }; HOMES + 1],
            homes: 0,
            handed: 0,
        }
    }

    /// Whether one more waiter may be handed over before the lock is let go. Keeps
    /// the time under the lock bounded, too.
    pub(super) fn has_room(&self) -> bool {
        self.wakers.has_room() && self.homes < HOMES && self.handed < 4 * BATCH
    }

    /// Hands a waiter over that has just left its queue.
    ///
    /// # Safety
    ///
    /// PHASE: the caller holds the lock of the queue that the waiter was in, and does
    /// not touch the waiter afterwards. There is room.
    pub(super) unsafe fn hand(&mut self, waiter: NonNull<Waiter>) {
        self.handed += 1;
        // SAFETY: MEMBER: valid until its phase says that it was woken or posted,
        // which is the last thing we do with it.
        let shared = unsafe { waiter.as_ref() };
        // SAFETY: ADDRESS: it was queued, and the caller holds the lock.
        let address = shared.address.with(|address| unsafe { &*address });
        let phase = match &address.home {
            Some(home) if !home.is_here() => match address.route {
                Route::Driver => Phase::Woken,
                Route::Foreign if home.admit_direct() => Phase::Counted,
                route @ (Route::Foreign | Route::Task) => {
                    let outbox = self.outbox(home);
                    // Asked again under the mailbox's lock, where a no counts.
                    if route == Route::Foreign && home.admit_direct() {
                        Phase::Counted
                    } else {
                        // SAFETY: the caller's promise; it is this waiter's home.
                        if unsafe { outbox.post(waiter) } {
                            return;
                        }
                        Phase::Woken
                    }
                }
            },
            _ => Phase::Woken,
        };
        // SAFETY: PHASE: it was queued, and the caller holds the lock.
        self.wakers
            .extend(shared.waker.with_mut(|waker| unsafe { (*waker).take() }));
        shared.set_phase(phase);
    }

    fn outbox(&mut self, home: &Arc<Home>) -> &mut Outbox {
        if self.open.as_ref().is_none_or(|open| !open.is_for(home)) {
            self.close();
            self.open = Some(Outbox::open(home));
        }
        self.open.as_mut().expect("opened above")
    }

    /// Lets go of the mailbox. Before any other queue is locked.
    pub(super) fn close(&mut self) {
        if let Some(home) = self.open.take().and_then(Outbox::send) {
            self.rings[self.homes] = Some(home);
            self.homes += 1;
        }
    }

    /// Calls the wakers and rings the homes: without any lock held.
    pub(super) fn deliver(&mut self) {
        debug_assert!(self.open.is_none(), "a mailbox is still locked");
        for home in self.rings[..self.homes].iter_mut().filter_map(Option::take) {
            home.ring();
        }
        self.homes = 0;
        self.handed = 0;
        self.wakers.wake();
    }
}
