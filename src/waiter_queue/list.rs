//! The intrusive list that a queue and a mailbox are made of.
//!
//! A circle of waiters that is entered through its last one: one word, first
//! in and first out, and every operation touches at most three waiters,
//! however many there are.

use std::ptr::NonNull;

use super::waiter::{Stamp, Waiter};

/// The neighbours of a waiter in the list that it is in. Nothing that counts when in none.
pub(super) struct Links {
    next: *const Waiter,
    prev: *const Waiter,
}

/// A list of waiters, guarded by the lock of whoever holds it.
///
/// Invariant `MEMBER`: a waiter in a list is pinned and stays valid until it
/// has been taken out again, and its links are touched only under the lock that
/// guards this list. Whoever links a waiter promises this; a waiter's owner
/// keeps it by taking the waiter out before it lets go of its memory.
pub(super) struct List {
    /// The last waiter; its `next` is the first.
    tail: *const Waiter,
    /// The number of waiters times `ONE`, the level times `LEVEL`, and `MIXED`.
    word: u32,
    /// Of a queue: what it writes on those that come.
    pub(super) stamp: Stamp,
}

/// Of a queue: not all of its waiters are known to have the same address.
const MIXED: u32 = 1;
const LEVEL: u32 = 2;
const ONE: u32 = 4;

// SAFETY: the list only holds pointers to waiters, which are `Send` and `Sync`
// themselves, and MEMBER puts every access under one lock.
unsafe impl Send for List {}

impl List {
    pub(super) const fn new(level: u8) -> Self {
        assert!(level <= 1, "there are two levels");
        Self {
            tail: std::ptr::null(),
            word: level as u32 * LEVEL,
            stamp: Stamp::new(),
        }
    }

    /// Of the queue that this is; see LEVEL in `waiter`.
    #[inline]
    pub(super) fn level(&self) -> u8 {
        (self.word & LEVEL) as u8 / LEVEL as u8
    }

    #[inline]
    pub(super) fn is_mixed(&self) -> bool {
        self.word & MIXED != 0
    }

    /// Until it is empty.
    #[inline]
    pub(super) fn set_mixed(&mut self) {
        self.word |= MIXED;
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.word / ONE) as usize
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.tail.is_null()
    }

    #[inline]
    pub(super) fn first(&self) -> Option<NonNull<Waiter>> {
        let tail = NonNull::new(self.tail.cast_mut())?;
        // SAFETY: MEMBER: the tail is linked, so it is valid and ours to read.
        NonNull::new(unsafe { links(tail.as_ptr(), |l| (*l).next) }.cast_mut())
    }

    #[inline]
    pub(super) fn last(&self) -> Option<NonNull<Waiter>> {
        NonNull::new(self.tail.cast_mut())
    }

    /// Ends the process if there are more than 2^30 waiters, as std does for too many references: they
    /// would take 64 GiB, and nobody up to here could undo what has been done for this one.
    #[inline]
    fn grow(&mut self, by: u32) {
        self.word = match self.word.checked_add(by) {
            Some(word) => word,
            None => std::process::abort(),
        };
    }

    /// Links `waiter` behind all others.
    ///
    /// # Safety
    ///
    /// The waiter is in no list, and from now on the caller keeps MEMBER for it.
    #[inline]
    pub(super) unsafe fn push_back(&mut self, waiter: NonNull<Waiter>) {
        // SAFETY: the caller's promise.
        unsafe { self.insert(waiter) };
        self.tail = waiter.as_ptr();
    }

    /// Links `waiter` before all others.
    ///
    /// # Safety
    ///
    /// As for `push_back`.
    pub(super) unsafe fn push_front(&mut self, waiter: NonNull<Waiter>) {
        // SAFETY: the caller's promise.
        unsafe { self.insert(waiter) };
        if self.tail.is_null() {
            self.tail = waiter.as_ptr();
        }
    }

    /// Puts `waiter` between the last and the first; the caller decides which
    /// of the two it becomes.
    ///
    /// # Safety
    ///
    /// As for `push_back`.
    #[inline]
    unsafe fn insert(&mut self, waiter: NonNull<Waiter>) {
        self.grow(ONE);
        let new = waiter.as_ptr().cast_const();
        // SAFETY: MEMBER for the linked ones, the caller's promise for the new one.
        unsafe {
            let (prev, next) = if self.tail.is_null() {
                (new, new)
            } else {
                (self.tail, links(self.tail, |l| (*l).next))
            };
            links(new, |l| *l = Links { next, prev });
            links(prev, |l| (*l).next = new);
            links(next, |l| (*l).prev = new);
        }
    }

    /// Links `waiter` right behind `other`.
    ///
    /// # Safety
    ///
    /// As for `push_back`; `other` is in this list.
    pub(super) unsafe fn insert_behind(&mut self, other: NonNull<Waiter>, waiter: NonNull<Waiter>) {
        let last = self.tail;
        // Between the last and the first is behind the last.
        self.tail = other.as_ptr();
        // SAFETY: the caller's promise.
        unsafe { self.insert(waiter) };
        self.tail = if last == other.as_ptr().cast_const() {
            waiter.as_ptr()
        } else {
            last
        };
    }

    /// Who stands right before `waiter`: the last, if that is the first.
    ///
    /// # Safety
    ///
    /// The waiter is in this list.
    pub(super) unsafe fn before(&self, waiter: NonNull<Waiter>) -> Option<NonNull<Waiter>> {
        // SAFETY: MEMBER: the waiter is linked here.
        NonNull::new(unsafe { links(waiter.as_ptr(), |l| (*l).prev) }.cast_mut())
    }

    /// Takes `waiter` out.
    ///
    /// # Safety
    ///
    /// The waiter is in this list.
    #[inline]
    pub(super) unsafe fn remove(&mut self, waiter: NonNull<Waiter>) {
        let old = waiter.as_ptr().cast_const();
        // SAFETY: MEMBER: the waiter and its neighbours are linked here.
        unsafe {
            let (prev, next) = links(old, |l| ((*l).prev, (*l).next));
            if next == old {
                self.tail = std::ptr::null();
                self.word &= !MIXED;
            } else {
                links(prev, |l| (*l).next = next);
                links(next, |l| (*l).prev = prev);
                if self.tail == old {
                    self.tail = prev;
                }
            }
        }
        self.word -= ONE;
    }

    /// Moves all of `others` behind all of this.
    ///
    /// # Safety
    ///
    /// The caller holds the locks of both, and those who keep MEMBER for the others know where
    /// they are from now on.
    pub(super) unsafe fn append(&mut self, others: &mut Self) {
        let (tail, last) = (self.tail, others.tail);
        if last.is_null() {
            return;
        }
        let moved = others.word & !(ONE - 1);
        self.grow(moved);
        others.word -= moved;
        // SAFETY: MEMBER: all four are linked, here or there, and both locks are held.
        unsafe {
            if !tail.is_null() {
                let (first, next) = (links(tail, |l| (*l).next), links(last, |l| (*l).next));
                links(tail, |l| (*l).next = next);
                links(next, |l| (*l).prev = tail);
                links(last, |l| (*l).next = first);
                links(first, |l| (*l).prev = last);
            }
        }
        self.tail = last;
        others.tail = std::ptr::null();
    }
}

/// # Safety
///
/// `waiter` is valid and its links are the caller's to touch (MEMBER).
#[inline]
unsafe fn links<R>(waiter: *const Waiter, f: impl FnOnce(*mut Links) -> R) -> R {
    // SAFETY: the caller's promise.
    unsafe { &*waiter }.links.with_mut(|links| f(links.cast()))
}
