//! One waiter: the part of a waiting future that others reach.
//!
//! # Phases
//!
//! | phase | linked in | whose are links, waker and note | goes to |
//! | --- | --- | --- | --- |
//! | `Idle` | nothing | the owner's | `Queued`, or back to `Woken`, by the owner |
//! | `Queued` | the queue it names | holder of that queue's lock | `Idle` by the owner, who gives up; `Queued` elsewhere, `Posted`, `Woken`, `Counted` by a notifier |
//! | `Posted` | its home's mailbox | holder of the mailbox's lock | `Woken` by the home, or by the owner, who does not wait for the mail |
//! | `Woken` | nothing | the owner's | `Idle` by the owner |
//! | `Counted` | nothing | the owner's | `Idle` by the owner, who tells its home |
//!
//! The owner is the future that holds the waiter; that it holds a `Pin<&mut
//! Waiter>` shows that it is one. Every step is made under the lock of the list
//! that the waiter is in, but for those that begin in `Idle`, `Woken` and
//! `Counted`, where nobody else knows the waiter. The step from one queue to
//! another is made under the locks of both.
//!
//! Invariant `PHASE`: whoever touches links, waker or note is the one that the
//! table names. A notifier's store of `Woken` or `Counted` is its last access:
//! from then on the owner may free the waiter.
//!
//! Invariant `ADDRESS`: the address (home and route) is written by the owner only,
//! in `Idle`, or in `Queued` under the queue's lock. So a notifier may read it
//! under that lock, and anybody in `Posted`.
//!
//! The waiter is never moved or freed while linked ([`Waiter`] is pinned, and its
//! drop aborts then), and the list reaches it through shared references and
//! cells only. The owner's `&mut` covers it too; the type is not `Unpin`, which is
//! what makes that no claim of exclusive access.

use std::{marker::PhantomPinned, pin::Pin, ptr::NonNull, task::Waker};

use super::{
    home::{Address, Place},
    list::Links,
    queue::WaiterQueue,
};
use crate::sys::sync::{AtomicPtr, AtomicU8, Ordering, UnsafeCell, const_fn};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Idle,
    Queued,
    Posted,
    Woken,
    Counted,
}

impl Phase {
    fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Idle,
            1 => Self::Queued,
            2 => Self::Posted,
            3 => Self::Woken,
            4 => Self::Counted,
            _ => unreachable!("phases are only written by `set_phase`"),
        }
    }
}

/// A place in a queue, held by a future.
pub(crate) struct Waiter {
    phase: AtomicU8,
    /// The round of `wake_all` in which it came; see `Locked::new_round`.
    round: UnsafeCell<u32>,
    /// The queue that it is or was in.
    queue: AtomicPtr<WaiterQueue>,
    pub(super) links: UnsafeCell<Links>,
    pub(super) waker: UnsafeCell<Option<Waker>>,
    pub(super) address: UnsafeCell<Address>,
    /// What the primitive notes about this waiter.
    note: UnsafeCell<usize>,
    _pin: PhantomPinned,
}

// SAFETY: PHASE and ADDRESS: the cells are only touched by one thread at a time, or
// read by several; a lock or the phase's release and acquire order one after
// the other.
unsafe impl Send for Waiter {}
// SAFETY: as above.
unsafe impl Sync for Waiter {}

impl Waiter {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self {
                phase: AtomicU8::new(Phase::Idle as u8),
                round: UnsafeCell::new(0),
                queue: AtomicPtr::new(std::ptr::null_mut()),
                links: UnsafeCell::new(Links::new()),
                waker: UnsafeCell::new(None),
                address: UnsafeCell::new(Address::NOWHERE),
                note: UnsafeCell::new(0),
                _pin: PhantomPinned,
            }
        }
    }

    /// Where the waiter stands. To its owner `Idle`, `Woken` and `Counted` are
    /// final: nobody else changes them.
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        // Acquire: pairs with the release in `set_phase`; after `Woken` or
        // `Counted` the notifier's accesses lie before the owner's.
        Phase::from_u8(self.phase.load(Ordering::Acquire))
    }

    #[inline]
    pub(super) fn set_phase(&self, phase: Phase) {
        // Release: pairs with the acquire in `phase`.
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Whether the waiter is in `queue`. For certain only under that queue's lock;
    /// otherwise the answer may be old.
    #[inline]
    pub(crate) fn is_in(&self, queue: &WaiterQueue) -> bool {
        // Relaxed: an address to compare. The lock orders what depends on it.
        self.phase() == Phase::Queued && std::ptr::eq(self.queue.load(Ordering::Relaxed), queue)
    }

    /// Under the lock of `queue`, which the waiter is about to be linked into.
    pub(super) fn set_queue(&self, queue: &WaiterQueue) {
        // Relaxed: as in `is_in`.
        self.queue
            .store(std::ptr::from_ref(queue).cast_mut(), Ordering::Relaxed);
    }

    /// What was noted when the waiter was queued or since.
    ///
    /// # Safety
    ///
    /// PHASE: the caller is the one who may touch the note.
    pub(super) unsafe fn note(&self) -> usize {
        // SAFETY: the caller's promise.
        self.note.with(|n| unsafe { *n })
    }

    /// # Safety
    ///
    /// As for `note`.
    pub(super) unsafe fn set_note(&self, note: usize) {
        // SAFETY: the caller's promise.
        self.note.with_mut(|n| unsafe { *n = note });
    }

    /// # Safety
    ///
    /// As for `note`.
    pub(super) unsafe fn round(&self) -> u32 {
        // SAFETY: the caller's promise.
        self.round.with(|r| unsafe { *r })
    }

    /// # Safety
    ///
    /// As for `note`.
    pub(super) unsafe fn set_round(&self, round: u32) {
        // SAFETY: the caller's promise.
        self.round.with_mut(|r| unsafe { *r = round });
    }

    pub(super) fn ptr(self: Pin<&mut Self>) -> NonNull<Waiter> {
        NonNull::from(self.into_ref().get_ref())
    }

    /// Says who is to be woken, before the waiter is queued: outside of locks,
    /// since it drops what was said before.
    pub(crate) fn settle(self: Pin<&mut Self>, place: Place) {
        assert_eq!(self.phase(), Phase::Idle, "a waiter is queued twice");
        // SAFETY: PHASE and ADDRESS: idle, and we are the owner.
        let _old = unsafe {
            (
                self.waker
                    .with_mut(|waker| std::mem::replace(&mut *waker, place.waker)),
                self.address
                    .with_mut(|address| std::mem::replace(&mut *address, place.address)),
            )
        };
    }

    /// If the waiter has been woken, makes it idle again and returns what the
    /// notifier noted.
    #[inline]
    pub(crate) fn take_wake(self: Pin<&mut Self>) -> Option<usize> {
        self.take(true)
    }

    /// The same when the owner is dropped.
    pub(crate) fn give_up_wake(self: Pin<&mut Self>) -> Option<usize> {
        self.take(false)
    }

    #[inline]
    fn take(mut self: Pin<&mut Self>, polled: bool) -> Option<usize> {
        match self.phase() {
            Phase::Idle | Phase::Queued => return None,
            Phase::Woken => {}
            Phase::Posted | Phase::Counted => self.as_mut().collect_from_home(polled),
        }
        self.set_phase(Phase::Idle);
        // SAFETY: PHASE: idle, and we are the owner.
        Some(unsafe { self.note() })
    }

    /// Undoes `take_wake`, for an owner that could not make use of it.
    pub(crate) fn put_back_wake(self: Pin<&mut Self>) {
        debug_assert_eq!(self.phase(), Phase::Idle, "it has been taken");
        self.set_phase(Phase::Woken);
    }

    #[cold]
    fn collect_from_home(self: Pin<&mut Self>, polled: bool) {
        let home = self
            .address
            // SAFETY: ADDRESS: we are its only writer.
            .with(|address| unsafe { (*address).home.as_deref().map(NonNull::from) })
            .expect("only a waiter with a home is posted or counted");
        // SAFETY: ADDRESS: our share in the home stays in the address until we write to it.
        let home = unsafe { home.as_ref() };
        home.collect(self, polled);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        match self.phase() {
            Phase::Idle | Phase::Woken => {}
            // MEMBER: memory that a list points to must not be freed, and a home
            // counts on being told. Each future takes its waiter back first; should
            // one forget to, stop here rather than corrupt the list.
            Phase::Queued | Phase::Posted | Phase::Counted => std::process::abort(),
        }
    }
}
