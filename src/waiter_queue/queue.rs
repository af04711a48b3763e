//! The queue: first come, first served, and the operations on it.
//!
//! # Rounds
//!
//! Who wakes all lets go of the lock in between, and may be held up then. Others come meanwhile,
//! who are not meant, and others wake all, too.
//!
//! Invariant `ROUND`: a waiter carries the round of its queue that was the last to have begun when
//! it came; if a later one has begun it is *old*, and stands before all that are not. Each round
//! serves the first waiter as long as that is old, but no more than there were when it began. So
//! when a round ends all are gone that it was to serve, whichever round has served them, and
//! nobody is served who came after the last round began.
//!
//! The count of rounds is 16 bits wide. An old waiter would be taken for a new one if it stayed
//! while it goes around: only if 65,536 calls were held up at once, each before it came to it.

use std::{
    mem::ManuallyDrop,
    pin::Pin,
    ptr::NonNull,
    task::{Poll, Waker},
};

use super::{
    address::Place,
    batch::Batch,
    list::List,
    waiter::{Phase, Waiter},
};
use crate::sys::sync::{Lock, LockGuard, const_fn};

/// Waiters in the order in which they came.
///
/// Whoever changes what they wait for does it under [`lock`](Self::lock), or looks
/// after the change whether somebody waits; then no wake-up is lost.
pub(crate) struct WaiterQueue {
    list: Lock<List>,
}

impl WaiterQueue {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self::at(0)
        }
    }

    const_fn! {
        /// A queue of this level, one of those between which a waiter is moved (LEVEL).
        pub(crate) fn at(level: u8) -> Self {
            Self { list: Lock::new(List::new(level)) }
        }
    }

    /// Locks the queue. Wake-ups handed out meanwhile are delivered when it is
    /// unlocked again.
    #[inline]
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked {
            queue: self,
            list: ManuallyDrop::new(self.list.lock()),
            batch: ManuallyDrop::new(Batch::new()),
        }
    }

    /// How many wait.
    pub(crate) fn waiter_count(&self) -> usize {
        self.list.lock().len()
    }

    /// Queues `waiter`, if `wait` says under the lock that there is something to wait for.
    /// Returns whether it was queued. Whoever changes that before it wakes will find the
    /// waiter.
    pub(crate) fn add_waiter_if(
        &self,
        mut waiter: Pin<&mut Waiter>,
        place: Place,
        note: usize,
        wait: impl FnOnce() -> bool,
    ) -> bool {
        waiter.as_mut().settle(place);
        let mut queue = self.lock();
        let wait = wait();
        if wait {
            queue.push_back(waiter, note);
        }
        wait
    }

    /// Does `begin` under the lock, and wakes all that wait at that moment; who comes later is
    /// not meant.
    pub(crate) fn wake_all(&self, begin: impl FnOnce()) {
        self.wake_all_if(|| {
            begin();
            true
        });
    }

    /// The same, if `begin` says so.
    pub(crate) fn wake_all_if(&self, begin: impl FnOnce() -> bool) {
        let mut queue = self.lock();
        if begin() {
            queue.wake_all();
        }
    }

    /// The next step of a waiter: its wake-up, or a note of where it is to go.
    pub(crate) fn poll(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> Poll<usize> {
        loop {
            if let Some(note) = waiter.as_mut().take_wake() {
                return Poll::Ready(note);
            }
            if self.refresh(waiter.as_mut(), waker) {
                return Poll::Pending;
            }
        }
    }

    /// The wake-up of a waiter that is not polled, if it has come.
    pub(crate) fn try_take(&self, mut waiter: Pin<&mut Waiter>) -> Option<usize> {
        if waiter.phase() == Phase::Queued {
            let is_sent = waiter.is_sent_from(&self.list.lock());
            if is_sent {
                waiter.as_mut().collect_sent();
            }
        }
        waiter.take_wake()
    }

    /// Sees to it that `waker` is the one called for a waiter of this queue.
    /// Returns false if it is not in this queue any more.
    pub(crate) fn refresh(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        // SAFETY: ADDRESS: we are the owner, its only writer. SETTLED: it has been queued.
        let is_here = unsafe { waiter.address() }.is_current();
        // SAFETY: PHASE: queued here, and the caller holds the lock.
        let is_current = || unsafe {
            is_here && waiter.with_waker(|w| w.as_ref().is_some_and(|w| w.will_wake(waker)))
        };
        let list = self.list.lock();
        if waiter.is_in(&list) {
            if is_current() {
                return true;
            }
            // A waker is cloned and dropped outside of the lock.
            drop(list);
            let place = Place::of(waker);
            let mut list = self.list.lock();
            if waiter.is_in(&list) {
                // SAFETY: PHASE, ADDRESS and SETTLED: queued here, under the lock, by the owner.
                let old = unsafe { waiter.replace(place) };
                // SAFETY: as above.
                if list.len() > 1 && unsafe { waiter.address() } != &old.address {
                    list.set_mixed();
                }
                drop(list);
                drop(old);
                return true;
            }
            drop((list, place));
            return self.refresh(waiter, waker);
        }
        let is_sent = waiter.is_sent_from(&list);
        drop(list);
        if is_sent {
            waiter.as_mut().collect_sent();
        }
        false
    }
}

/// A locked queue, and the wake-ups to be delivered after it is unlocked.
pub(crate) struct Locked<'a> {
    queue: &'a WaiterQueue,
    pub(super) list: ManuallyDrop<LockGuard<'a, List>>,
    /// Empty after it was delivered: there is nothing to drop then.
    pub(super) batch: ManuallyDrop<Batch>,
}

impl Locked<'_> {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Queues `waiter` behind all others.
    #[inline]
    pub(crate) fn push_back(&mut self, waiter: Pin<&mut Waiter>, note: usize) {
        let waiter = self.enrol(waiter, note);
        // SAFETY: idle, so in no list; pinned, and taken out again before it is
        // dropped, or its drop aborts (MEMBER).
        unsafe { self.list.push_back(waiter) };
    }

    /// Queues `waiter` before all others, in a queue without rounds.
    #[inline]
    pub(crate) fn push_front(&mut self, waiter: Pin<&mut Waiter>, note: usize) {
        let waiter = self.enrol(waiter, note);
        // SAFETY: as in `push_back`.
        unsafe { self.list.push_front(waiter) };
    }

    #[inline]
    pub(super) fn enrol(&mut self, waiter: Pin<&mut Waiter>, note: usize) -> NonNull<Waiter> {
        assert_eq!(waiter.phase(), Phase::Idle, "a waiter is queued twice");
        // SAFETY: PHASE: idle, and the caller is the owner.
        unsafe {
            waiter.set_note(note);
            waiter.set_stamp(self.list.stamp);
            // SETTLED: whoever is queued has been settled.
            self.compare(waiter.address());
        }
        waiter.set_queued_at(self.list.level());
        waiter.ptr()
    }

    /// Takes `waiter` out of the queue and returns its note. `None` if it is not here
    /// any more: it has been woken, or moved to another queue. Before anybody is woken under
    /// this lock.
    #[inline]
    pub(crate) fn remove(&mut self, waiter: Pin<&mut Waiter>) -> Option<usize> {
        if !waiter.is_in(&self.list) {
            debug_assert!(self.batch.is_untouched(), "a mailbox may be locked");
            collect_if_sent(&self.list, waiter);
            return None;
        }
        // SAFETY: PHASE and MEMBER: queued here, under the lock.
        let note = unsafe {
            self.list.remove(NonNull::from(&*waiter));
            waiter.note()
        };
        waiter.set_phase(Phase::Idle);
        Some(note)
    }

    /// The note of the first waiter.
    #[inline]
    pub(crate) fn first(&self) -> Option<usize> {
        // SAFETY: PHASE and MEMBER: queued here, under the lock.
        self.list
            .first()
            .map(|waiter| unsafe { waiter.as_ref().note() })
    }

    /// Changes the note of the first waiter. Returns false if there is none.
    #[inline]
    pub(crate) fn note_first(&mut self, note: usize) -> bool {
        // SAFETY: as in `first`.
        self.list
            .first()
            .map(|waiter| unsafe { waiter.as_ref().set_note(note) })
            .is_some()
    }

    /// Wakes the first waiter. Returns false if there is none. In a loop,
    /// [`make_room`](Self::make_room) before it.
    #[inline]
    pub(crate) fn wake_first(&mut self) -> bool {
        self.list.first().map(|waiter| self.wake(waiter)).is_some()
    }

    /// Wakes all that wait now, as [`WaiterQueue::wake_all`] does. Their notes stay as they are.
    pub(crate) fn wake_all(&mut self) {
        if self.send_all() {
            return;
        }
        let mut most = self.new_round();
        if most > 1 {
            self.expect_many();
        }
        while most > 0 && self.first_is_old() {
            self.make_room();
            if self.first_is_old() {
                self.wake_first();
            }
            most -= 1;
        }
        self.begin_epochs_anew();
    }

    /// Wakes the last waiter, likewise, and leaves `note` to it.
    pub(crate) fn wake_last(&mut self, note: usize) -> bool {
        let Some(waiter) = self.list.last() else {
            return false;
        };
        // SAFETY: as in `first`.
        unsafe { waiter.as_ref().set_note(note) };
        self.wake(waiter);
        true
    }

    #[inline]
    fn wake(&mut self, waiter: NonNull<Waiter>) {
        assert!(
            self.batch.has_room(),
            "wake-ups are handed out without making room"
        );
        // SAFETY: PHASE and MEMBER: queued here, under the lock; not touched after
        // it has been handed over.
        unsafe {
            self.list.remove(waiter);
            self.batch.hand(waiter);
        }
    }

    /// Moves the first waiter to the end of another queue, with its note. Returns false if
    /// there is none.
    pub(crate) fn move_first(&mut self, to: &mut Locked<'_>) -> bool {
        let Some(waiter) = self.list.first() else {
            return false;
        };
        // SAFETY: PHASE and MEMBER: queued here; both locks are held.
        unsafe {
            self.list.remove(waiter);
            let shared = waiter.as_ref();
            shared.set_stamp(to.list.stamp);
            to.compare(shared.address());
            shared.set_queued_at(to.list.level());
            to.list.push_back(waiter);
        }
        true
    }

    /// Begins a new round, which is to serve all that wait now (ROUND). Returns how many these are.
    fn new_round(&mut self) -> usize {
        let stamp = self.list.stamp;
        self.list.stamp = stamp.with_round(stamp.round().wrapping_add(1));
        self.len()
    }

    /// Whether the first waiter is to be served by a round that has begun.
    fn first_is_old(&self) -> bool {
        self.list.first().is_some_and(|waiter| {
            // SAFETY: PHASE and MEMBER: queued here, under the lock.
            unsafe { waiter.as_ref().stamp() }.round() != self.list.stamp.round()
        })
    }

    /// More than a few are going to be woken: tasks of another runtime all go through its
    /// mailbox then, which is rung once.
    pub(crate) fn expect_many(&mut self) {
        self.batch.expect_many();
    }

    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.batch.has_room()
    }

    /// If the wake-ups handed out have no room for another, unlocks the queue,
    /// delivers them, and locks it again. What was known about the queue may not
    /// hold any more then.
    #[inline]
    pub(crate) fn make_room(&mut self) {
        if !self.batch.has_room() {
            self.batch.close();
            // SAFETY: replaced below.
            unsafe { ManuallyDrop::drop(&mut self.list) };
            self.batch.deliver_some();
            self.list = ManuallyDrop::new(self.queue.list.lock());
        }
    }
}

/// By the owner, under the queue's lock. Knows nothing of that, so that it can stay in registers.
#[cold]
#[inline(never)]
fn collect_if_sent(list: &List, waiter: Pin<&mut Waiter>) {
    if waiter.is_sent_from(list) {
        waiter.collect_sent();
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.batch.is_untouched() {
            // SAFETY: not used any more.
            unsafe { ManuallyDrop::drop(&mut self.list) };
        } else {
            self.unlock_and_deliver();
        }
    }
}

impl Locked<'_> {
    /// The end of it.
    #[inline(never)]
    fn unlock_and_deliver(&mut self) {
        self.batch.close();
        // SAFETY: not used any more.
        unsafe { ManuallyDrop::drop(&mut self.list) };
        self.batch.deliver();
    }
}
