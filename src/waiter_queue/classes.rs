//! A queue of two classes: the first stands before all of the second.
//!
//! Within a class, first come, first served. It is one list, since two would need a lock each; a
//! pointer to the end of the first class makes each operation, other than to wake all, one of a
//! few steps, however many stand there.
//!
//! Invariant `FIRST`: whenever the queue's lock is free, `end` is null and all that are queued are of
//! the second class; or `end` is queued here, and those from the first waiter to it are the first
//! class. It is touched under that lock alone.
//!
//! Who comes last need not stand last, so there are no rounds (ROUND in `queue`) but one: once
//! all are being woken, nobody comes any more.

use std::{
    panic::{RefUnwindSafe, UnwindSafe},
    pin::Pin,
    ptr::{self, NonNull},
    task::{Poll, Waker},
};

use super::{
    queue::{Locked, WaiterQueue},
    waiter::{Phase, Waiter},
};
use crate::sys::sync::{UnsafeCell, const_fn};

pub(crate) struct Classes {
    queue: WaiterQueue,
    /// The last of the first class (FIRST).
    end: UnsafeCell<*const Waiter>,
}

// SAFETY: FIRST: the pointer is touched under a lock, and waiters are `Send` and `Sync`.
unsafe impl Send for Classes {}
// SAFETY: as above.
unsafe impl Sync for Classes {}

// Nothing panics between two steps of a change.
impl UnwindSafe for Classes {}
impl RefUnwindSafe for Classes {}

impl Classes {
    const_fn! {
        pub(crate) fn new() -> Self {
            Self { queue: WaiterQueue::new(), end: UnsafeCell::new(ptr::null()) }
        }
    }

    pub(crate) fn lock(&self) -> LockedClasses<'_> {
        LockedClasses {
            queue: self.queue.lock(),
            end: &self.end,
        }
    }

    /// How many wait, of both classes.
    pub(crate) fn waiter_count(&self) -> usize {
        self.queue.waiter_count()
    }

    /// The next step of a waiter, of either class; see [`WaiterQueue::poll`].
    pub(crate) fn poll(&self, waiter: Pin<&mut Waiter>, waker: &Waker) -> Poll<usize> {
        self.queue.poll(waiter, waker)
    }
}

/// Both classes, locked. Wake-ups are delivered when it is dropped.
pub(crate) struct LockedClasses<'a> {
    queue: Locked<'a>,
    end: &'a UnsafeCell<*const Waiter>,
}

impl LockedClasses<'_> {
    fn end(&self) -> Option<NonNull<Waiter>> {
        // SAFETY: FIRST: we hold the lock.
        NonNull::new(self.end.with(|end| unsafe { *end }).cast_mut())
    }

    fn set_end(&mut self, to: Option<NonNull<Waiter>>) {
        let to = to.map_or(ptr::null(), |waiter| waiter.as_ptr().cast_const());
        // SAFETY: FIRST: we hold the lock.
        self.end.with_mut(|end| unsafe { *end = to });
    }

    pub(crate) fn is_first_class_empty(&self) -> bool {
        self.end().is_none()
    }

    pub(crate) fn is_second_class_empty(&self) -> bool {
        // FIRST: the last of all is the last of the first class, or neither is there.
        self.queue.list.last() == self.end()
    }

    /// Queues `waiter` behind those of the first class.
    pub(crate) fn push_first_class(&mut self, waiter: Pin<&mut Waiter>, note: usize) {
        let waiter = self.queue.enrol(waiter, note);
        // SAFETY: as in `Locked::push_back`; FIRST: the end is queued here.
        unsafe {
            match self.end() {
                Some(end) => self.queue.list.insert_behind(end, waiter),
                None => self.queue.list.push_front(waiter),
            }
        }
        self.set_end(Some(waiter));
    }

    /// Queues `waiter` behind all others.
    pub(crate) fn push_second_class(&mut self, waiter: Pin<&mut Waiter>, note: usize) {
        self.queue.push_back(waiter, note);
    }

    /// Takes `waiter` out, of whichever class it is. Returns false if it is not here any more.
    pub(crate) fn remove(&mut self, waiter: Pin<&mut Waiter>) -> bool {
        let leaves = NonNull::from(&*waiter);
        if self.end() == Some(leaves) {
            debug_assert_eq!(waiter.phase(), Phase::Queued, "FIRST: the end is queued");
            self.end_before(leaves);
        }
        self.queue.remove(waiter).is_some()
    }

    /// Leaves `note` to the first of the first class, and wakes it. Returns false if there is none.
    pub(crate) fn wake_first_class(&mut self, note: usize) -> bool {
        let Some(end) = self.end() else {
            return false;
        };
        if self.queue.list.first() == Some(end) {
            self.set_end(None);
        }
        self.queue.note_first(note) && self.queue.wake_first()
    }

    /// Wakes all that wait now, the first class first; see [`WaiterQueue::wake_all`].
    pub(crate) fn wake_all(&mut self) {
        // Before the lock is let go of in between: from here on they are all alike.
        self.set_end(None);
        self.queue.wake_all();
    }

    /// The first class ends before `end`, its end until now, which is still queued.
    fn end_before(&mut self, end: NonNull<Waiter>) {
        let list = &self.queue.list;
        let before = if list.first() == Some(end) {
            None
        } else {
            // SAFETY: FIRST: it is queued here.
            unsafe { list.before(end) }
        };
        self.set_end(before);
    }
}
