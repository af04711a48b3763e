//! The array without end: segments of cells, linked, of which those that are used up are freed.
//!
//! A segment is used up when each of its cells is *done*: nobody will touch it again. It is
//! unlinked then, unless it is the last or one of the two ends points to it. One thread at a
//! time unlinks: whoever finds work while another is at it leaves it to that one, so nobody
//! waits. What is unlinked is freed by epochs: a thread that walks the list is pinned.
//!
//! | state of a segment | means |
//! | --- | --- |
//! | `pointers * POINTER + done` | so many ends point to it, so many cells are done |
//! | with `HANDED` | it is used up, and has been handed to the one that unlinks |
//! | with `DEAD` | it is unlinked, and no end may point to it any more |
//!
//! Invariant `PINNED`: a segment that was reached from an end since the epoch was pinned stays
//! until it is unpinned. What is dead keeps its link forwards, to one that was alive when it
//! was unlinked, and so was freed later, if at all.

use std::{
    cell::UnsafeCell,
    sync::atomic::{
        AtomicU8, AtomicU64, AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    },
    task::Waker,
};

use crossbeam_epoch::{Atomic, Guard, Owned, Shared};
use crossbeam_queue::SegQueue;

/// Cells of a segment.
pub(super) const CELLS: usize = 32;

const POINTER: usize = 1 << 16;
const HANDED: usize = 1 << 30;
const DEAD: usize = 1 << 31;
const USED_UP: usize = CELLS;

/// One place in the queue; what its states mean is said in the parent module.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) state: AtomicU8,
    pub(super) waker: UnsafeCell<Option<Waker>>,
}

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) id: u64,
    next: Atomic<Segment>,
    /// Written and read by the one that unlinks, and before the segment is linked.
    prev: Atomic<Segment>,
    state: AtomicUsize,
    pub(super) cells: [Cell; CELLS],
}

// SAFETY: the wakers are touched by one thread at a time, as the states of the cells say.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    fn new(id: u64, prev: Shared<'_, Self>, pointers: usize) -> Self {
        Self {
            id,
            next: Atomic::null(),
            prev: Atomic::from(prev),
            state: AtomicUsize::new(pointers * POINTER),
            cells: std::array::from_fn(|_| Cell {
                state: AtomicU8::new(0),
                waker: UnsafeCell::new(None),
            }),
        }
    }

    fn is_dead(&self) -> bool {
        // Acquire: pairs with the release of the one that unlinked it.
        self.state.load(Acquire) & DEAD != 0
    }

    /// Points an end to it, if it is not dead.
    fn add_pointer(&self) -> bool {
        self.state
            .fetch_update(AcqRel, Acquire, |state| {
                (state & DEAD == 0).then_some(state + POINTER)
            })
            .is_ok()
    }
}

/// The segments and their two ends.
#[derive(Debug)]
pub(super) struct Segments {
    /// Where those come who wait, and where they are served.
    enqueue: End,
    dequeue: End,
    /// Handed over, to be unlinked.
    used_up: SegQueue<usize>,
    handed: AtomicUsize,
    #[cfg(test)]
    pub(super) alive: std::sync::Arc<std::sync::atomic::AtomicIsize>,
}

#[derive(Debug)]
pub(super) struct End {
    segment: Atomic<Segment>,
    pub(super) index: AtomicU64,
}

impl Segments {
    pub(super) fn new() -> Self {
        let first = Atomic::new(Segment::new(0, Shared::null(), 2));
        Self {
            enqueue: End {
                segment: first.clone(),
                index: AtomicU64::new(0),
            },
            dequeue: End {
                segment: first,
                index: AtomicU64::new(0),
            },
            used_up: SegQueue::new(),
            handed: AtomicUsize::new(0),
            #[cfg(test)]
            alive: std::sync::Arc::new(1.into()),
        }
    }

    pub(super) fn enqueue(&self) -> &End {
        &self.enqueue
    }

    pub(super) fn dequeue(&self) -> &End {
        &self.dequeue
    }

    /// The end's next place: its number, and the first segment alive that is not before it.
    pub(super) fn next_place<'g>(&self, end: &End, guard: &'g Guard) -> (u64, Shared<'g, Segment>) {
        // Before the number, so that the segment is not behind it.
        let from = end.segment.load(SeqCst, guard);
        let place = end.index.fetch_add(1, SeqCst);
        let wanted = place / CELLS as u64;
        loop {
            let segment = self.find(from, wanted, guard);
            if self.move_end(end, segment, guard) {
                return (place, segment);
            }
        }
    }

    /// Walks forward, and lengthens the list if it is too short.
    fn find<'g>(
        &self,
        from: Shared<'g, Segment>,
        wanted: u64,
        guard: &'g Guard,
    ) -> Shared<'g, Segment> {
        let mut at = from;
        loop {
            // SAFETY: PINNED.
            let segment = unsafe { at.deref() };
            if segment.id >= wanted && !segment.is_dead() {
                return at;
            }
            // Acquire: pairs with the release below.
            let next = segment.next.load(Acquire, guard);
            if !next.is_null() {
                at = next;
                continue;
            }
            let new = Owned::new(Segment::new(segment.id + 1, at, 0));
            // Release: what is linked is initialized.
            if segment
                .next
                .compare_exchange(Shared::null(), new, AcqRel, Acquire, guard)
                .is_ok()
            {
                #[cfg(test)]
                self.alive.fetch_add(1, Relaxed);
                // It may have been used up, and kept because it was the last.
                self.hand_over_if_used_up(at, guard);
            }
        }
    }

    /// Points the end to a segment or one behind it. Fails if the segment has died.
    fn move_end<'g>(&self, end: &End, to: Shared<'g, Segment>, guard: &'g Guard) -> bool {
        // SAFETY: PINNED, for all segments here.
        let target = unsafe { to.deref() };
        loop {
            let now = end.segment.load(SeqCst, guard);
            let current = unsafe { now.deref() };
            if current.id >= target.id {
                return true;
            }
            if !target.add_pointer() {
                return false;
            }
            let moved = end
                .segment
                .compare_exchange(now, to, SeqCst, SeqCst, guard)
                .is_ok();
            self.drop_pointer(if moved { now } else { to }, guard);
            if moved {
                return true;
            }
        }
    }

    fn drop_pointer<'g>(&self, at: Shared<'g, Segment>, guard: &'g Guard) {
        // SAFETY: PINNED.
        unsafe { at.deref() }.state.fetch_sub(POINTER, AcqRel);
        self.hand_over_if_used_up(at, guard);
    }

    /// A cell of the segment is done. The caller has been pinned since before.
    pub(super) fn cell_is_done(&self, segment: *const Segment, guard: &Guard) {
        let at = Shared::from(segment);
        // SAFETY: PINNED, and a cell was not done yet. Release: what was done in the cell is
        // before the end of the segment.
        let before = unsafe { at.deref() }.state.fetch_add(1, AcqRel);
        if before + 1 == USED_UP {
            self.hand_over_if_used_up(at, guard);
        }
    }

    fn hand_over_if_used_up<'g>(&self, at: Shared<'g, Segment>, guard: &'g Guard) {
        // SAFETY: PINNED.
        let segment = unsafe { at.deref() };
        // Relaxed: the exchange decides.
        if segment.state.load(Relaxed) != USED_UP || segment.next.load(Acquire, guard).is_null() {
            return;
        }
        let handed = segment
            .state
            .compare_exchange(USED_UP, USED_UP | HANDED, AcqRel, Relaxed);
        if handed.is_err() {
            return;
        }
        self.used_up.push(at.as_raw() as usize);
        // AcqRel: who begins sees what was pushed, and what the last one did.
        if self.handed.fetch_add(1, AcqRel) == 0 {
            self.unlink_all(guard);
        }
    }

    /// By one thread at a time.
    fn unlink_all(&self, guard: &Guard) {
        loop {
            // Acquire: so many have been pushed, at least.
            let count = self.handed.load(Acquire);
            for _ in 0..count {
                if let Some(at) = self.used_up.pop() {
                    self.unlink(Shared::from(at as *const Segment), guard);
                }
            }
            if self.handed.fetch_sub(count, AcqRel) == count {
                return;
            }
        }
    }

    fn unlink<'g>(&self, at: Shared<'g, Segment>, guard: &'g Guard) {
        // SAFETY: it was handed to us, and is freed by nobody else.
        let segment = unsafe { at.deref() };
        let dead =
            segment
                .state
                .compare_exchange(USED_UP | HANDED, USED_UP | DEAD, AcqRel, Relaxed);
        if dead.is_err() {
            // An end points to it again. Whoever takes that away looks, after we gave it back.
            segment.state.fetch_and(!HANDED, AcqRel);
            self.hand_over_if_used_up(at, guard);
            return;
        }
        let (prev, next) = (
            segment.prev.load(Relaxed, guard),
            segment.next.load(Acquire, guard),
        );
        // SAFETY: neighbours are alive: only this thread makes them dead, and unlinks them at
        // once. There is a next one, or it had not been handed over.
        unsafe {
            next.deref().prev.store(prev, Relaxed);
            if let Some(prev) = prev.as_ref() {
                // Release: pairs with the acquire of those who walk.
                prev.next.store(next, Release);
            }
            #[cfg(test)]
            {
                let alive = self.alive.clone();
                guard.defer_unchecked(move || {
                    alive.fetch_sub(1, Relaxed);
                });
            }
            guard.defer_destroy(at);
        }
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        // SAFETY: nobody else is here, and what is dead is not linked.
        unsafe {
            let guard = crossbeam_epoch::unprotected();
            let mut at = self.enqueue.segment.load(Relaxed, guard);
            let dequeue = self.dequeue.segment.load(Relaxed, guard);
            if dequeue.deref().id < at.deref().id {
                at = dequeue;
            }
            // Those before may be kept by what was leaked.
            while let Some(prev) = at.deref().prev.load(Relaxed, guard).as_ref() {
                at = Shared::from(std::ptr::from_ref(prev));
            }
            while !at.is_null() {
                let next = at.deref().next.load(Relaxed, guard);
                drop(at.into_owned());
                #[cfg(test)]
                self.alive.fetch_sub(1, Relaxed);
                at = next;
            }
        }
    }
}
