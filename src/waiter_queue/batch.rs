//! Wake-ups collected under a queue's lock and delivered after it.

use std::ptr::NonNull;

use super::{
    home::{BATCH, Home, Outbox, Route, Wakers},
    waiter::{Phase, Waiter},
};
use crate::sys::sync::Arc;

/// How many homes one batch can ring.
const HOMES: usize = 4;

/// How many wakers of another runtime may be called straight from here before their tasks
/// have run. Each may take one of the 64 places that compio 0.19 keeps for such wakes, and
/// whoever finds them full waits; so the two limits and a doorbell's one place stay below.
///
/// For compio's own tasks this is the fast way for one wake-up, and the mailbox is for many.
const TASK_LIMIT: usize = 8;
/// For wakers that may belong to an executor that never looks into the mailbox, it is the only
/// way that is sure to arrive.
const FOREIGN_LIMIT: usize = 32;

pub(super) struct Batch {
    wakers: Wakers,
    /// The mailbox being filled.
    open: Option<Outbox>,
    /// One more than `has_room` allows, for the mailbox that is open then.
    rings: [Option<Arc<Home>>; HOMES + 1],
    homes: usize,
    handed: usize,
    /// More than a few are going to be handed over.
    is_large: bool,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            wakers: Wakers::new(),
            open: None,
            rings: [const { None }; HOMES + 1],
            homes: 0,
            handed: 0,
            is_large: false,
        }
    }

    pub(super) fn expect_many(&mut self) {
        self.is_large = true;
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
                Route::Foreign if home.admit_direct(FOREIGN_LIMIT) => Phase::Counted,
                Route::Task if !self.is_large && home.admit_direct(TASK_LIMIT) => Phase::Counted,
                Route::Foreign | Route::Task => {
                    // SAFETY: the caller's promise; it is this waiter's home.
                    if unsafe { self.outbox(home).post(waiter) } {
                        return;
                    }
                    Phase::Woken
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

    /// Makes room again, without any lock held. Homes are rung at the end if they can wait:
    /// who is not awake yet does not get in the way of the rest.
    pub(super) fn deliver_some(&mut self) {
        self.handed = 0;
        if self.homes == HOMES {
            self.deliver();
        } else {
            self.wakers.wake();
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
