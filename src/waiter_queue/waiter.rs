//! One waiter: the part of a waiting future that others reach.
//!
//! # Phases
//!
//! | phase | linked in | whose are links, waker and note | goes to |
//! | --- | --- | --- | --- |
//! | `Idle` | nothing | the owner's | `Queued`, or back to `Woken`, by the owner |
//! | `Queued` | the queue whose level it names | holder of that queue's lock | `Idle` by the owner, who gives up; `Queued` elsewhere, `Posted`, `Woken`, `Counted` by a notifier; *sent*, with all of its queue |
//! | `Queued`, and sent | its home's mailbox | holder of the mailbox's lock | `Woken` by the home, or by the owner, who does not wait for the mail |
//! | `Posted` | its home's mailbox | holder of the mailbox's lock | `Woken` by the home, or by the owner, who does not wait for the mail |
//! | `Woken` | nothing | the owner's | `Idle` by the owner |
//! | `Counted` | nothing | the owner's | `Idle` by the owner, who tells its home |
//!
//! The owner is the future that holds the waiter; that it holds a `Pin<&mut
//! Waiter>` shows that it is one. Every step is made under the lock of the list
//! that the waiter is in, but for those that begin in `Idle`, `Woken` and
//! `Counted`, where nobody else knows the waiter. The step from one queue to
//! another or, sent, to a mailbox is made under the locks of both.
//!
//! Invariant `PHASE`: whoever touches links, waker or note is the one that the
//! table names. A notifier's store of `Woken` or `Counted` is its last access:
//! from then on the owner may free the waiter.
//!
//! Invariant `ADDRESS`: the address (home and route) is written by the owner only,
//! in `Idle`, or in `Queued` and not sent under the queue's lock. So a notifier may read it
//! under that lock, and anybody in `Posted` and when it is sent.
//!
//! Invariant `EPOCH`: a queued waiter is sent if its epoch is not that of the queue whose level it
//! names: known under that queue's lock (see `send`). Who finds it so has lost it to its home's
//! mailbox, for good.
//!
//! Invariant `LEVEL`: a waiter is only ever shown to queues of the primitive that its future waits
//! for. Of those between which others move it each has a level of its own, and it is in the one whose
//! level it names. Where its owner takes it from one to the next, as from a condition variable to
//! a mutex, the owner knows in which it is.
//!
//! Invariant `SETTLED`: waker and address are there once the waiter has been settled, which it is
//! before it is first queued.
//!
//! The waiter is never moved or freed while linked ([`Waiter`] is pinned, and its
//! drop aborts then).
//!
//! # Aliasing
//!
//! Others reach a linked waiter while its future is borrowed, or about to be. That is sound by the
//! rules of Stacked Borrows and of Tree Borrows alike:
//!
//! - All that others touch lies in cells (`UnsafeCell`, atomics), and they touch it through `&Waiter`
//!   made from the list's pointer. No `&mut` to a field of a linked waiter is ever made but inside of
//!   a cell's closure, under the lock that PHASE names.
//! - The list's pointer comes from a shared reference ([`Waiter::ptr`]), so it may do what a shared
//!   reference may: read, and write to cells. It covers the whole waiter, nothing around it.
//! - The owner's `Pin<&mut Waiter>`, and the `&mut` to the future around it, cover the same bytes
//!   while the pointer lives. The type is not `Unpin`, and for such a type neither model takes a
//!   `&mut` for a claim that nobody else reaches the memory; it is what the compiler does for any
//!   future that keeps references to itself. The owner makes a shared reference of it before it
//!   reads or writes.
//! - The memory is given up by the owner alone, after it has taken the waiter out under the list's
//!   lock, or its phase has said, with acquire, that nobody else has the pointer.

use std::{marker::PhantomPinned, mem::MaybeUninit, pin::Pin, ptr::NonNull, task::Waker};

use super::{
    address::{Address, Place},
    home::Home,
    list::{Links, List},
};
use crate::sys::sync::{AtomicU8, Ordering, UnsafeCell, const_fn};

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
    #[inline]
    fn from_u8(value: u8) -> Self {
        match value & PHASE {
            0 => Self::Idle,
            1 => Self::Queued,
            2 => Self::Posted,
            3 => Self::Woken,
            _ => Self::Counted,
        }
    }
}

/// Below it in a waiter's word is its phase, above it the level of its queue.
const LEVEL: u8 = 8;
const PHASE: u8 = LEVEL - 1;

/// Of a waiter: waker and address have been written.
const SETTLED: u8 = 1;
/// The note has been, by who made it.
const NOTED: u8 = 2;

/// What a queue writes on a waiter that comes, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u32);

impl Stamp {
    pub(super) const fn new() -> Self {
        Self(0)
    }

    /// How many rounds have begun, modulo 2^16; see ROUND in `queue`.
    #[inline]
    pub(super) fn round(self) -> u16 {
        self.0 as u16
    }

    /// How often all were sent; see EPOCH.
    #[inline]
    pub(super) fn epoch(self) -> u16 {
        (self.0 >> 16) as u16
    }

    pub(super) fn with_round(self, round: u16) -> Self {
        Self(self.0 & !0xFFFF | u32::from(round))
    }

    pub(super) fn with_epoch(self, epoch: u16) -> Self {
        Self(u32::from(epoch) << 16 | u32::from(self.round()))
    }
}

/// A place in a queue, held by a future.
///
/// Of a new one only the last word is written, the rest when it is settled: many a future gets at
/// once what it was made to wait for. The order of the fields makes that one store, which is still
/// one when the future is moved to where it is polled.
#[repr(C)]
pub(crate) struct Waiter {
    waker: UnsafeCell<MaybeUninit<Option<Waker>>>,
    address: UnsafeCell<MaybeUninit<Address>>,
    pub(super) links: UnsafeCell<MaybeUninit<Links>>,
    /// What the primitive notes about this waiter.
    note: UnsafeCell<MaybeUninit<usize>>,
    /// When it came. Written by the owner, or by who moves it to another queue, as the note.
    stamp: UnsafeCell<Stamp>,
    /// Its owner's own; see `memo`.
    memo: UnsafeCell<u16>,
    /// The phase, and the level of the queue that it is or was in.
    state: AtomicU8,
    /// What has been written: `SETTLED`, `NOTED`. Its owner's.
    written: UnsafeCell<u8>,
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
        #[inline]
        pub(crate) fn new() -> Self {
            Self {
                waker: UnsafeCell::new(MaybeUninit::uninit()),
                address: UnsafeCell::new(MaybeUninit::uninit()),
                links: UnsafeCell::new(MaybeUninit::uninit()),
                note: UnsafeCell::new(MaybeUninit::uninit()),
                stamp: UnsafeCell::new(Stamp::new()),
                memo: UnsafeCell::new(0),
                state: AtomicU8::new(Phase::Idle as u8),
                written: UnsafeCell::new(0),
                _pin: PhantomPinned,
            }
        }
    }

    const_fn! {
        /// A new waiter that keeps a number for its owner until it is queued.
        #[inline]
        pub(crate) fn with_note(note: usize) -> Self {
            let mut waiter = Self::new();
            waiter.note = UnsafeCell::new(MaybeUninit::new(note));
            waiter.written = UnsafeCell::new(NOTED);
            waiter
        }
    }

    /// The number that it was made with, as long as it has not been queued.
    #[inline]
    pub(crate) fn first_note(&self) -> Option<usize> {
        // SAFETY: only the owner asks, as for the note, if the waiter is idle (PHASE); that is
        // written, as `NOTED` says.
        unsafe {
            let is_noted = self.written.with(|written| *written) & NOTED != 0;
            (is_noted && self.phase() == Phase::Idle).then(|| self.note())
        }
    }

    /// Where the waiter stands. To its owner `Idle`, `Woken` and `Counted` are
    /// final: nobody else changes them.
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        // Acquire: pairs with the release in `set_phase`; after `Woken` or
        // `Counted` the notifier's accesses lie before the owner's.
        Phase::from_u8(self.state.load(Ordering::Acquire))
    }

    #[inline]
    pub(super) fn set_phase(&self, phase: Phase) {
        // Release: pairs with the acquire in `phase`.
        self.state.store(phase as u8, Ordering::Release);
    }

    /// Under the lock of the queue of that level, which the waiter is about to be linked into.
    #[inline]
    pub(super) fn set_queued_at(&self, level: u8) {
        // Relaxed: whoever sees it takes the lock before touching anything.
        self.state.store(queued_at(level), Ordering::Relaxed);
    }

    /// Whether the waiter is in its queue of that level (LEVEL). For certain only under that
    /// queue's lock; otherwise the answer may be old.
    #[inline]
    pub(crate) fn is_queued_at(&self, level: u8) -> bool {
        // Relaxed: the lock orders what follows if it is; who finds that it is not asks for the
        // phase next.
        self.state.load(Ordering::Relaxed) == queued_at(level)
    }

    /// Whether it may ever have been queued. A look at memory of its owner's own.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        // SAFETY: only the owner asks.
        self.written.with(|written| unsafe { *written }) & SETTLED != 0
    }

    /// Whether the waiter is in this queue, whose lock the caller, its owner, holds.
    #[inline]
    pub(super) fn is_in(&self, queue: &List) -> bool {
        // SAFETY: nobody writes the stamp of a waiter that is queued at this level but under the
        // queue's lock.
        self.is_queued_at(queue.level()) && unsafe { self.stamp() }.epoch() == queue.stamp.epoch()
    }

    /// Whether the waiter has been sent from this queue (EPOCH); likewise.
    #[cold]
    pub(super) fn is_sent_from(&self, queue: &List) -> bool {
        self.is_queued_at(queue.level()) && !self.is_in(queue)
    }

    /// Whether it is in a list and not yet woken: in its queue, or in the mailbox of its home. May be
    /// old when it is read.
    pub(crate) fn is_linked(&self) -> bool {
        matches!(self.phase(), Phase::Queued | Phase::Posted)
    }

    /// Whether another thread has woken it, as far as its phase tells; before that is taken.
    #[inline]
    pub(crate) fn is_woken_from_elsewhere(&self) -> bool {
        matches!(self.phase(), Phase::Posted | Phase::Counted)
    }

    /// Whether it has never been queued, nor its owner written anything down.
    #[inline]
    pub(crate) fn is_new(&self) -> bool {
        self.phase() == Phase::Idle && self.memo() == 0
    }

    /// What the owner has written down for itself: 0 at first.
    #[inline]
    pub(crate) fn memo(&self) -> u16 {
        // SAFETY: only the owner asks for it, and only with a `Pin<&mut>` does it write it.
        self.memo.with(|memo| unsafe { *memo })
    }

    #[inline]
    pub(crate) fn set_memo(self: Pin<&mut Self>, memo: u16) {
        // SAFETY: as in `memo`.
        self.memo.with_mut(|own| unsafe { *own = memo });
    }

    /// What was noted when the waiter was queued or since.
    ///
    /// # Safety
    ///
    /// PHASE: the caller is the one who may touch the note, and the waiter has been queued.
    #[inline]
    pub(super) unsafe fn note(&self) -> usize {
        // SAFETY: the caller's promise.
        self.note.with(|n| unsafe { (*n).assume_init() })
    }

    /// # Safety
    ///
    /// PHASE: the caller is the one who may touch the note.
    #[inline]
    pub(super) unsafe fn set_note(&self, note: usize) {
        // SAFETY: the caller's promise.
        self.note.with_mut(|n| unsafe { (*n).write(note) });
    }

    /// # Safety
    ///
    /// As for `set_note`.
    #[inline]
    pub(super) unsafe fn stamp(&self) -> Stamp {
        // SAFETY: the caller's promise.
        self.stamp.with(|s| unsafe { *s })
    }

    /// # Safety
    ///
    /// As for `set_note`.
    #[inline]
    pub(super) unsafe fn set_stamp(&self, stamp: Stamp) {
        // SAFETY: the caller's promise.
        self.stamp.with_mut(|s| unsafe { *s = stamp });
    }

    pub(super) fn ptr(self: Pin<&mut Self>) -> NonNull<Waiter> {
        NonNull::from(self.into_ref().get_ref())
    }

    /// The address.
    ///
    /// # Safety
    ///
    /// ADDRESS: the caller may read it, and it is not written to as long as the reference is
    /// used. SETTLED: the waiter is not new.
    #[inline]
    pub(super) unsafe fn address(&self) -> &Address {
        // SAFETY: the caller's promise.
        self.address
            .with(|address| unsafe { (*address).assume_init_ref() })
    }

    /// The waker.
    ///
    /// # Safety
    ///
    /// PHASE: the caller is the one who may touch it. SETTLED: the waiter is not new.
    #[inline]
    pub(super) unsafe fn with_waker<R>(&self, f: impl FnOnce(&mut Option<Waker>) -> R) -> R {
        // SAFETY: the caller's promise.
        self.waker
            .with_mut(|waker| f(unsafe { (*waker).assume_init_mut() }))
    }

    /// Changes who is to be woken, and returns who was.
    ///
    /// # Safety
    ///
    /// PHASE and ADDRESS: the caller is the owner, and the one who may touch the waker. SETTLED:
    /// the waiter is not new.
    pub(super) unsafe fn replace(&self, place: Place) -> Place {
        // SAFETY: the caller's promise.
        unsafe {
            Place {
                waker: self.with_waker(|waker| std::mem::replace(waker, place.waker)),
                address: self.address.with_mut(|address| {
                    std::mem::replace((*address).assume_init_mut(), place.address)
                }),
            }
        }
    }

    /// Says who is to be woken, before the waiter is queued: outside of locks,
    /// since it drops what was said before.
    // Always: left to itself, it is called where another part of the crate comes to use it.
    #[inline(always)]
    pub(crate) fn settle(self: Pin<&mut Self>, place: Place) {
        assert_eq!(self.phase(), Phase::Idle, "a waiter is queued twice");
        // SAFETY: PHASE, ADDRESS and SETTLED: idle, and we are the owner; written here if not
        // before.
        unsafe {
            if self.written.with(|written| *written) & SETTLED != 0 {
                drop(self.replace(place));
            } else {
                self.waker.with_mut(|waker| (*waker).write(place.waker));
                self.address
                    .with_mut(|address| (*address).write(place.address));
                self.written.with_mut(|written| *written |= SETTLED);
            }
        }
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
        let home = self.own_home();
        // SAFETY: ADDRESS: our share in the home stays in the address until we write to it.
        unsafe { home.as_ref() }.collect(self, polled);
    }

    /// By the owner of a waiter that was sent (EPOCH): takes it out of the mailbox, if it is still
    /// there, and leaves it woken. May be called under the queue's lock.
    #[cold]
    pub(super) fn collect_sent(self: Pin<&mut Self>) {
        let home = self.own_home();
        // SAFETY: ADDRESS: as in `collect_from_home`.
        unsafe { home.as_ref() }.collect_sent(&self);
    }

    fn own_home(&self) -> NonNull<Home> {
        // SAFETY: ADDRESS: the owner is its only writer. SETTLED: it has been queued.
        unsafe { self.address() }
            .home_ptr()
            .expect("only a waiter with a home is sent, posted or counted")
    }
}

fn queued_at(level: u8) -> u8 {
    Phase::Queued as u8 | (level * LEVEL)
}

impl Drop for Waiter {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it is ours.
        if self.written.with(|written| unsafe { *written }) & SETTLED != 0 {
            self.drop_settled();
        }
    }
}

impl Waiter {
    #[inline(never)]
    fn drop_settled(&mut self) {
        match self.phase() {
            Phase::Idle | Phase::Woken => {}
            // MEMBER: memory that a list points to must not be freed, and a home
            // counts on being told. Each future takes its waiter back first; should
            // one forget to, stop here rather than corrupt the list.
            Phase::Queued | Phase::Posted | Phase::Counted => std::process::abort(),
        }
        // SAFETY: SETTLED: both were written, and this is the end of them.
        unsafe {
            self.waker.with_mut(|waker| (*waker).assume_init_drop());
            self.address
                .with_mut(|address| (*address).assume_init_drop());
        }
    }
}
