//! A mailbox: waiters that were posted or sent to their home, and are to be woken there.
//!
//! # Status of a mailbox
//!
//! | status | meaning | goes to |
//! | --- | --- | --- |
//! | `Awake` | the runtime will look without being rung | `Asleep` when it leaves nothing; `Closed` |
//! | `Asleep` | whoever posts next rings | `Awake` by that poster; `Closed` |
//! | `Closed` | the runtime is gone or going; nothing is posted any more | nothing |
//!
//! All of it happens under the mailbox's lock, which is only ever held for a few
//! pointer writes and under which no waker is called, cloned or dropped.
//! Locks nest in one direction: a queue's, then a mailbox's.

use std::{mem::ManuallyDrop, ptr::NonNull, task::Waker};

use super::{
    address::{Route, own},
    home::Home,
    list::List,
    waiter::{Phase, Waiter},
};
use crate::sys::sync::{Arc, LockGuard, Ordering, say, under_way};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Awake,
    Asleep,
    Closed,
}

pub(super) struct Mail {
    pub(super) list: List,
    /// How many times all of a queue were sent here, since the list was last empty.
    sent: usize,
    pub(super) status: Status,
}

impl Mail {
    pub(super) fn new() -> Self {
        Self {
            list: List::new(0),
            sent: 0,
            status: Status::Awake,
        }
    }

    pub(super) fn first_is_of_a_task(&self) -> bool {
        self.list.first().is_some_and(|waiter| {
            // SAFETY: MEMBER: linked here, under our lock; ADDRESS and SETTLED: posted.
            let route = unsafe { waiter.as_ref().address() }.route();
            route == Route::Task
        })
    }

    /// Takes the first waiter out and hands out its waker.
    pub(super) fn pop(&mut self) -> Option<Option<Waker>> {
        // SAFETY: MEMBER, PHASE and SETTLED: posted here, under our lock.
        let waker = self
            .list
            .first()
            .map(|waiter| unsafe { waiter.as_ref().with_waker(Option::take) })?;
        self.release_first();
        Some(waker)
    }

    /// Takes the first waiter out; its waker, if it is still there, stays with its owner.
    pub(super) fn release_first(&mut self) -> Option<()> {
        let waiter = self.list.first()?;
        say("the home delivers");
        // SAFETY: MEMBER: linked here, under our lock; PHASE: not touched after it is `Woken`.
        unsafe {
            self.list.remove(waiter);
            waiter.as_ref().set_phase(Phase::Woken);
        }
        self.settle();
        Some(())
    }

    /// After a waiter was taken out and is woken. If it was the last, all that was sent here is.
    pub(super) fn settle(&mut self) {
        if self.sent > 0 && self.list.is_empty() {
            // Release: pairs with the acquire in `begin_epochs_anew`.
            under_way().fetch_sub(std::mem::take(&mut self.sent), Ordering::Release);
        }
    }
}

/// A mailbox held open by a notifier, so that a run of waiters with the same home
/// costs one lock.
///
/// Invariant `OUTBOX`: the guard never outlives the home it was got from.
pub(super) struct Outbox {
    /// Dropped before `home`, in `send`. Borrows from `home`, which does not move.
    mail: ManuallyDrop<LockGuard<'static, Mail>>,
    home: Arc<Home>,
    posted: bool,
}

impl Outbox {
    /// # Safety
    ///
    /// SHARE: the pointer is an address's that is not let go of meanwhile.
    pub(super) unsafe fn open(home: NonNull<Home>) -> Self {
        // SAFETY: the caller's promise.
        let home = unsafe { own(home) };
        let mail = home.mail.lock();
        // SAFETY: OUTBOX: the lock lives in `home`, which we own a share of and
        // which is let go of after the guard.
        let mail =
            unsafe { std::mem::transmute::<LockGuard<'_, Mail>, LockGuard<'static, Mail>>(mail) };
        Self {
            mail: ManuallyDrop::new(mail),
            home,
            posted: false,
        }
    }

    pub(super) fn is_for(&self, home: NonNull<Home>) -> bool {
        std::ptr::eq(&*self.home, home.as_ptr())
    }

    /// Posts `waiter`, unless the home is closed.
    ///
    /// # Safety
    ///
    /// PHASE: the waiter has just left a queue whose lock the caller holds, and its
    /// home is the one of this outbox.
    pub(super) unsafe fn post(&mut self, waiter: NonNull<Waiter>) -> bool {
        if self.mail.status == Status::Closed {
            return false;
        }
        // SAFETY: it left its queue, so it is in no list; its owner takes it out
        // under the mailbox's lock before it lets go of it (MEMBER).
        unsafe {
            self.mail.list.push_back(waiter);
            waiter.as_ref().set_phase(Phase::Posted);
        }
        self.posted = true;
        true
    }

    /// Posts all waiters of a queue, unless the home is closed.
    ///
    /// # Safety
    ///
    /// The caller holds the queue's lock, the home of all waiters is the one of this outbox, and the
    /// caller tells their owners (EPOCH).
    pub(super) unsafe fn post_all(&mut self, queue: &mut List) -> bool {
        if self.mail.status == Status::Closed {
            return false;
        }
        // SAFETY: both locks are held; their owners take them out under the mailbox's lock before
        // they let go of them (MEMBER).
        unsafe { self.mail.list.append(queue) };
        self.mail.sent += 1;
        // Relaxed: the queue's lock orders it before whoever asks; undone by `settle`.
        under_way().fetch_add(1, Ordering::Relaxed);
        self.posted = true;
        true
    }

    /// Closes the outbox, and returns the home and whether it has to be rung: both to be dealt
    /// with when no lock is held.
    #[must_use]
    pub(super) fn send(mut self) -> (Arc<Home>, bool) {
        let ring = self.posted && self.mail.status == Status::Asleep;
        if ring {
            self.mail.status = Status::Awake;
        }
        // SAFETY: OUTBOX: dropped once, here, before the home.
        unsafe { ManuallyDrop::drop(&mut self.mail) };
        (self.home, ring)
    }
}
