//! A semaphore on the `CancellableQueueSynchronizer`: the best lock-free design known for a
//! queue that is fair and can be left (Koval, Khalanskiy, Alistarh: "CQS: A Formally-Verified
//! Framework for Fair and Abortable Synchronization", PLDI 2023), with its asynchronous
//! resumption and its smart cancellation.
//!
//! Who waits takes the next place of an array without end by one addition; who gives a permit
//! serves the next place by another. A place that was left is passed over, a segment of such
//! places at once. Written from the paper; the segments are freed by epochs.
//!
//! # States of a cell
//!
//! | state | set by | whose is the waker | goes to |
//! | --- | --- | --- | --- |
//! | `EMPTY` | | who waits | `WAITING`, or `VALUE` by who serves before somebody waits |
//! | `WAITING` | who waits | nobody's | `SERVED`; `UPDATING`, `LEAVING` by who waits |
//! | `UPDATING` | who waits | who waits | `WAITING`, or `VALUE` by who serves |
//! | `LEAVING` | who waits | who waits | `LEFT`, `REFUSED`, or `VALUE` by who serves |
//! | `VALUE`, `SERVED` | who serves | who waits; who serves | |
//! | `LEFT` | who waits | | |
//! | `REFUSED` | who waits: a permit is on its way here, and has been counted | | |
//!
//! A cell is done (see `segment`) by whoever touches it last: by who waits after `VALUE` and
//! `SERVED` and at `LEFT`, by who serves at `REFUSED`.
//!
//! Invariant `CELL`: the waker is touched by the one that the table names.

mod segment;
#[cfg(test)]
mod tests;

use std::{
    pin::Pin,
    sync::atomic::{
        AtomicIsize,
        Ordering::{AcqRel, Acquire, Release, SeqCst},
    },
    task::{Context, Poll, Waker},
};

use crossbeam_epoch::pin;

use self::segment::{CELLS, Cell, Segment, Segments};
use crate::candidates::Semaphore;

const EMPTY: u8 = 0;
const WAITING: u8 = 1;
const UPDATING: u8 = 2;
const LEAVING: u8 = 3;
const VALUE: u8 = 4;
const SERVED: u8 = 5;
const LEFT: u8 = 6;
const REFUSED: u8 = 7;

impl Cell {
    /// Acquire and release: the waker goes with the state, and what was done before a permit
    /// was given is before what is done with it.
    fn change(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.state.compare_exchange(from, to, AcqRel, Acquire)
    }

    /// CELL: the caller is the one that the table names.
    unsafe fn put(&self, waker: Option<Waker>) -> Option<Waker> {
        // SAFETY: the caller's promise.
        unsafe { std::mem::replace(&mut *self.waker.get(), waker) }
    }
}

#[derive(Debug)]
pub struct Cqs {
    /// The free permits, or, below zero, how many wait.
    permits: AtomicIsize,
    segments: Segments,
}

/// Where somebody waits. The cell is not done, so its segment stays.
#[derive(Clone, Copy, Debug)]
struct Place {
    segment: *const Segment,
    cell: usize,
}

impl Place {
    fn cell(&self) -> &Cell {
        // SAFETY: the cell is not done.
        unsafe { &(*self.segment).cells[self.cell] }
    }
}

impl Cqs {
    /// Serves the next place that was not left.
    fn resume(&self) {
        let guard = &pin();
        loop {
            let end = self.segments.dequeue();
            let (place, at) = self.segments.next_place(end, guard);
            // SAFETY: PINNED.
            let segment = unsafe { at.deref() };
            if segment.id != place / CELLS as u64 {
                // All up to there were left. If it fails somebody else is further.
                let _ = end.index.compare_exchange(
                    place + 1,
                    segment.id * CELLS as u64,
                    SeqCst,
                    SeqCst,
                );
                continue;
            }
            let cell = &segment.cells[(place % CELLS as u64) as usize];
            loop {
                let state = cell.state.load(Acquire);
                match state {
                    WAITING if cell.change(WAITING, SERVED).is_ok() => {
                        // SAFETY: CELL. The segment stays, if not for who waits then for us.
                        let waker = unsafe { cell.put(None) };
                        if let Some(waker) = waker {
                            waker.wake();
                        }
                        return;
                    }
                    EMPTY | UPDATING | LEAVING if cell.change(state, VALUE).is_ok() => return,
                    LEFT => break,
                    REFUSED => {
                        self.segments.cell_is_done(at.as_raw(), guard);
                        return;
                    }
                    EMPTY | WAITING | UPDATING | LEAVING => {}
                    _ => unreachable!("a cell is served once"),
                }
            }
        }
    }

    /// Takes a place. `None` if it has been served already.
    fn suspend(&self, waker: &Waker) -> Option<Place> {
        let waker = waker.clone();
        let guard = &pin();
        let (place, at) = self.segments.next_place(self.segments.enqueue(), guard);
        // SAFETY: PINNED; and our own cell is not done, so the segment stays.
        let segment = unsafe { at.deref() };
        debug_assert_eq!(segment.id, place / CELLS as u64);
        let place = Place {
            segment,
            cell: (place % CELLS as u64) as usize,
        };
        let cell = place.cell();
        // SAFETY: CELL: empty or a value, and nobody else waits here.
        unsafe { cell.put(Some(waker)) };
        if cell.change(EMPTY, WAITING).is_ok() {
            return Some(place);
        }
        // SAFETY: CELL: a value.
        let waker = unsafe { cell.put(None) };
        self.segments.cell_is_done(place.segment, guard);
        drop(waker);
        None
    }

    /// Whether the place has been served.
    fn poll_place(&self, place: Place, waker: &Waker) -> bool {
        let cell = place.cell();
        if cell.change(WAITING, UPDATING).is_ok() {
            // SAFETY: CELL.
            let is_current = unsafe { &*cell.waker.get() }
                .as_ref()
                .is_some_and(|known| known.will_wake(waker));
            if !is_current {
                // SAFETY: CELL.
                drop(unsafe { cell.put(Some(waker.clone())) });
            }
            if cell.change(UPDATING, WAITING).is_ok() {
                return false;
            }
            // SAFETY: CELL: a value.
            drop(unsafe { cell.put(None) });
        }
        self.segments.cell_is_done(place.segment, &pin());
        true
    }

    /// Leaves the place, or passes on what came.
    fn leave(&self, place: Place) {
        let guard = &pin();
        let cell = place.cell();
        if cell.change(WAITING, LEAVING).is_err() {
            // Served.
            self.segments.cell_is_done(place.segment, guard);
            self.add(1);
            return;
        }
        // SAFETY: CELL.
        let waker = unsafe { cell.put(None) };
        // Somebody else who waits, or a permit that has been counted for us and is on its way?
        let left = self.permits.fetch_add(1, SeqCst) < 0;
        let came = cell.state.swap(if left { LEFT } else { REFUSED }, AcqRel) == VALUE;
        if left || came {
            self.segments.cell_is_done(place.segment, guard);
        }
        if left && came {
            self.resume();
        }
        drop(waker);
    }
}

impl Semaphore for Cqs {
    fn new(permits: usize) -> Self {
        Self {
            permits: AtomicIsize::new(permits as isize),
            segments: Segments::new(),
        }
    }

    fn acquire(&self) -> impl Future<Output = ()> + Send {
        Wait {
            semaphore: self,
            stage: Stage::New,
        }
    }

    fn add(&self, n: usize) {
        for _ in 0..n {
            // Release: pairs with the acquire of who takes it.
            if self.permits.fetch_add(1, Release) < 0 {
                self.resume();
            }
        }
    }
}

#[derive(Debug)]
enum Stage {
    New,
    Waiting(Place),
    Done,
}

/// One permit, for good: `add` gives it back.
#[derive(Debug)]
pub struct Wait<'a> {
    semaphore: &'a Cqs,
    stage: Stage,
}

// SAFETY: the segment is shared by threads, and stays as long as the place is not done.
unsafe impl Send for Wait<'_> {}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let semaphore = self.semaphore;
        let done = match self.stage {
            Stage::New => {
                // Acquire: pairs with the release of who gave it.
                if semaphore.permits.fetch_sub(1, Acquire) > 0 {
                    true
                } else if let Some(place) = semaphore.suspend(cx.waker()) {
                    self.stage = Stage::Waiting(place);
                    false
                } else {
                    true
                }
            }
            Stage::Waiting(place) => semaphore.poll_place(place, cx.waker()),
            Stage::Done => panic!("polled after it was ready"),
        };
        if done {
            self.stage = Stage::Done;
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Stage::Waiting(place) = self.stage {
            self.semaphore.leave(place);
        }
    }
}
