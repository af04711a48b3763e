//! Wake-ups collected under a queue's lock and delivered after it.

use std::{mem::MaybeUninit, ptr::NonNull};

use super::{
    address::Route,
    home::Home,
    list::List,
    mail::Outbox,
    waiter::{Phase, Waiter},
    wakers::{BATCH, Wakers},
};
use crate::sys::sync::Arc;

/// How many homes one batch can post to before it rings them: each once, then. As many as there
/// are bits to note who is to be rung, but for one.
const HOMES: usize = u8::BITS as usize - 1;
/// How many waiters are handed over under one lock.
const MOST: u8 = 2 * BATCH as u8;

/// How many wakers of another runtime may be called straight from here before their tasks
/// have run. Each may take one of the 64 places that compio 0.19 keeps for such wakes, and
/// whoever finds them full waits; so the two limits and a doorbell's one place stay below.
///
/// For compio's own tasks this is the fast way for one wake-up, and the mailbox is for many.
pub(super) const TASK_LIMIT: usize = if cfg!(loom) { 1 } else { 4 };
/// For wakers that may belong to an executor that never looks into the mailbox, it is the only
/// way that is sure to arrive.
const FOREIGN_LIMIT: usize = if cfg!(loom) { 1 } else { 32 };
// Tasks alone do not fill it: who is blocked cannot uncount them.
const _: () = assert!(TASK_LIMIT < FOREIGN_LIMIT || cfg!(loom));

/// What becomes of a waiter that is handed over.
enum Fate {
    /// Its waker is called.
    Called(Phase),
    Posted,
    /// Its task is being dropped with its runtime. The waker stays: as long as the task is not
    /// gone, a call may wait for room, which two runtimes that end at once would do for ever.
    Ended,
}

pub(super) struct Batch {
    wakers: Wakers,
    /// The mailbox being filled.
    open: Option<Outbox>,
    /// The homes that were posted to: the first `kept` are there. One more than `has_room` allows,
    /// for the mailbox that is open then.
    homes: [MaybeUninit<Arc<Home>>; HOMES + 1],
    /// A bit for each that has to be rung.
    rings: u8,
    kept: u8,
    handed: u8,
    /// More than a few are going to be handed over.
    is_large: bool,
    /// Nothing was ever handed over.
    is_untouched: bool,
}

impl Batch {
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            wakers: Wakers::new(),
            open: None,
            homes: [const { MaybeUninit::uninit() }; HOMES + 1],
            rings: 0,
            kept: 0,
            handed: 0,
            is_large: false,
            is_untouched: true,
        }
    }

    #[inline]
    pub(super) fn is_untouched(&self) -> bool {
        self.is_untouched
    }

    pub(super) fn expect_many(&mut self) {
        self.is_large = true;
    }

    /// Whether one more waiter may be handed over before the lock is let go. Keeps
    /// the time under the lock bounded, too.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.wakers.has_room() && self.kept < HOMES as u8 && self.handed < MOST
    }

    /// Hands a waiter over that has just left its queue.
    ///
    /// # Safety
    ///
    /// PHASE: the caller holds the lock of the queue that the waiter was in, and does
    /// not touch the waiter afterwards. There is room.
    pub(super) unsafe fn hand(&mut self, waiter: NonNull<Waiter>) {
        self.handed += 1;
        self.is_untouched = false;
        // SAFETY: MEMBER: valid until its phase says that it was woken or posted,
        // which is the last thing we do with it.
        let shared = unsafe { waiter.as_ref() };
        // SAFETY: ADDRESS and SETTLED: it was queued, and the caller holds the lock.
        let fate = match unsafe { shared.address() }.home() {
            // SAFETY: the caller's promise.
            Some(home) if !home.is_here() => unsafe { self.send(waiter) },
            _ => Fate::Called(Phase::Woken),
        };
        match fate {
            Fate::Called(phase) => {
                // SAFETY: PHASE and SETTLED: as above.
                self.wakers
                    .extend(unsafe { shared.with_waker(Option::take) });
                shared.set_phase(phase);
            }
            Fate::Posted => {}
            Fate::Ended => shared.set_phase(Phase::Woken),
        }
    }

    /// Hands over all waiters of a queue, tasks of this one home, in one step. Returns false if they
    /// have to be handed over one by one.
    ///
    /// # Safety
    ///
    /// SHARE: the pointer is their addresses'. The caller holds the queue's lock and ends its epoch
    /// (EPOCH).
    pub(super) unsafe fn send_all(&mut self, home: NonNull<Home>, queue: &mut List) -> bool {
        if !self.has_room() {
            return false;
        }
        self.is_untouched = false;
        // SAFETY: the caller's promises.
        unsafe { self.outbox(home).post_all(queue) }
    }

    /// Decides how a wake-up reaches another thread's runtime, and posts it if it goes through
    /// the mailbox.
    ///
    /// # Safety
    ///
    /// As for `hand`; the waiter has a home.
    unsafe fn send(&mut self, waiter: NonNull<Waiter>) -> Fate {
        // SAFETY: MEMBER, ADDRESS and SETTLED: as in `hand`.
        let address = unsafe { waiter.as_ref().address() };
        let (Some(home), Some(pointer)) = (address.home(), address.home_ptr()) else {
            return Fate::Called(Phase::Woken);
        };
        let route = address.route();
        let direct = match route {
            Route::Driver => return Fate::Called(Phase::Woken),
            Route::Task if self.is_large => false,
            Route::Task => home.admit_direct(TASK_LIMIT),
            Route::Foreign => home.admit_direct(FOREIGN_LIMIT),
        };
        if direct {
            return Fate::Called(Phase::Counted);
        }
        // SAFETY: SHARE: the waiter's address is not written to while we hold the lock.
        let outbox = unsafe { self.outbox(pointer) };
        // Asked again under the mailbox's lock, where a no counts.
        if route == Route::Foreign && home.admit_direct(FOREIGN_LIMIT) {
            return Fate::Called(Phase::Counted);
        }
        // SAFETY: the caller's promise.
        if unsafe { outbox.post(waiter) } {
            Fate::Posted
        } else if route == Route::Task {
            Fate::Ended
        } else {
            Fate::Called(Phase::Woken)
        }
    }

    /// # Safety
    ///
    /// SHARE: as for `Outbox::open`.
    unsafe fn outbox(&mut self, home: NonNull<Home>) -> &mut Outbox {
        if self.open.as_ref().is_none_or(|open| !open.is_for(home)) {
            self.close();
            // SAFETY: the caller's promise.
            self.open = Some(unsafe { Outbox::open(home) });
        }
        self.open.as_mut().expect("opened above")
    }

    /// Lets go of the mailbox. Before any other queue is locked.
    #[inline]
    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let (home, ring) = open.send();
            self.keep(home, ring);
        }
    }

    /// Keeps a home until no lock is held: ours may be the last share in it, and with it go wakers.
    #[cold]
    fn keep(&mut self, home: Arc<Home>, ring: bool) {
        let kept = self.kept as usize;
        // SAFETY: the first `kept` were written.
        let is_known =
            |known: &MaybeUninit<Arc<Home>>| unsafe { Arc::ptr_eq(known.assume_init_ref(), &home) };
        let at = self.homes[..kept].iter().position(is_known);
        self.rings |= u8::from(ring) << at.unwrap_or(kept);
        if at.is_none() {
            self.homes[kept].write(home);
            self.kept += 1;
        }
    }

    /// Makes room again, without any lock held. Homes are rung at the end if they can wait:
    /// who is not awake yet does not get in the way of the rest.
    pub(super) fn deliver_some(&mut self) {
        self.handed = 0;
        // One more than there is room for, if a mailbox was open.
        if self.kept >= HOMES as u8 {
            self.deliver();
        } else {
            self.wakers.wake();
        }
    }

    /// Calls the wakers and rings the homes: without any lock held.
    #[inline]
    pub(super) fn deliver(&mut self) {
        debug_assert!(self.open.is_none(), "a mailbox is still locked");
        self.handed = 0;
        if self.kept > 0 {
            self.ring();
        }
        self.wakers.wake();
    }

    #[cold]
    fn ring(&mut self) {
        let kept = std::mem::take(&mut self.kept) as usize;
        let rings = std::mem::take(&mut self.rings);
        for (at, home) in self.homes[..kept].iter().enumerate() {
            // SAFETY: the first `kept` were written, and each is read once.
            let home = unsafe { home.assume_init_read() };
            if rings & 1 << at != 0 {
                home.ring();
            }
        }
    }
}
