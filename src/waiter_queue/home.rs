//! Home: the runtime that a waiter was last polled on, and its mailbox.
//!
//! A wake for another thread's runtime is posted: the waiter itself moves from
//! its queue into the mailbox of its home, so nothing is allocated, and the
//! home is rung at most once for all that lies there. The home then wakes its
//! own tasks on its own thread, where a wake is a push to a local list.

use std::{pin::Pin, ptr::NonNull, sync::OnceLock, task::Waker};

use super::{
    Doorbell,
    address::Route,
    mail::{Mail, Status},
    runtime::ThreadToken,
    shares::Shares,
    waiter::{Phase, Waiter},
    wakers::{Wakers, contain},
};
use crate::sys::sync::{Arc, AtomicBool, AtomicUsize, Lock, Ordering, note, say};

/// By which tables of functions wakers of a runtime are known: addresses of them.
pub(super) struct Tables {
    /// Of the waker of a future in `Runtime::block_on`.
    pub(super) driver: usize,
    /// Of a task's waker, and of its clones.
    pub(super) task: [usize; 2],
}

/// What a drain leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// More mail.
    More,
    /// None, but it found some: the mailbox is still awake, to be drained once more.
    Nothing,
    /// None, and the mailbox is asleep.
    Asleep,
}

/// One runtime, as those see it who wake its tasks.
pub(super) struct Home {
    /// Its thread: a runtime never leaves the one it was made on.
    thread: ThreadToken,
    /// The descriptor or handle of its driver. No other that lives has the same.
    id: usize,
    tables: Tables,
    /// The addresses that point here.
    shares: Shares,
    pub(super) mail: Lock<Mail>,
    running: AtomicBool,
    /// Waiters in phase `Counted`, and those that lapsed.
    counted: AtomicUsize,
    /// Tasks' waiters that were counted and dropped unpolled: the calls of their wakers may
    /// still take up room, until there is a sign that the runtime turns. One that ends gives
    /// none: it drops its tasks and makes no room, and two that waited for each other's would
    /// do so for ever.
    lapsed: AtomicUsize,
    bell: OnceLock<Box<dyn Doorbell>>,
}

impl Home {
    pub(super) fn new(thread: ThreadToken, id: usize, tables: Tables) -> Arc<Self> {
        let home = Arc::new(Self {
            thread,
            id,
            tables,
            shares: Shares::new(),
            mail: Lock::new(Mail::new()),
            running: AtomicBool::new(false),
            counted: AtomicUsize::new(0),
            lapsed: AtomicUsize::new(0),
            bell: OnceLock::new(),
        });
        // What the shares own together; see `let_go`.
        let _theirs = Arc::into_raw(Arc::clone(&home));
        home
    }

    pub(super) fn shares(&self) -> &Shares {
        &self.shares
    }

    /// Hangs up the doorbell, once, before anybody can have been told to ring.
    pub(super) fn hang(&self, bell: Box<dyn Doorbell>) {
        assert!(self.bell.set(bell).is_ok(), "a home has one doorbell");
    }

    pub(super) fn bell(&self) -> Option<&dyn Doorbell> {
        self.bell.get().map(AsRef::as_ref)
    }

    #[allow(dead_code)] // Not asked by the models.
    pub(super) fn id(&self) -> usize {
        self.id
    }

    #[inline]
    pub(super) fn is_here(&self) -> bool {
        self.thread == ThreadToken::here()
    }

    #[inline]
    pub(super) fn route(&self, waker: &Waker) -> Route {
        let table = std::ptr::from_ref(waker.vtable()).addr();
        if self.tables.task.contains(&table) {
            if self.is_running() || !super::runtime::has_several() {
                Route::Task
            } else {
                Route::Foreign
            }
        } else if table == self.tables.driver {
            Route::Driver
        } else {
            Route::Foreign
        }
    }

    /// Whether the drain task has ever run. A runtime that was only entered, by a task of
    /// another on the same thread, may never run one.
    fn is_running(&self) -> bool {
        // Relaxed: told by this thread to itself.
        self.running.load(Ordering::Relaxed)
    }

    /// By the drain task.
    pub(super) fn set_running(&self) {
        // Relaxed: as above.
        self.running.store(true, Ordering::Relaxed);
    }

    /// Whether one more waker may be called directly from another thread, if that makes
    /// no more than `limit`. If so its waiter becomes `Counted`.
    ///
    /// A no counts only under the mailbox's lock, which is then not let go of before
    /// the waiter lies in the mailbox: each of the foreign ones that fill the limit will take
    /// that lock after it is uncounted, and so finds it (see `collect`).
    pub(super) fn admit_direct(&self, limit: usize) -> bool {
        // Relaxed: a bound, which guards no data. In one step, so that a no means that
        // there really are so many. Undone by `uncount`.
        self.counted
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |counted| {
                (counted < limit).then_some(counted + 1)
            })
            .is_ok()
    }

    fn uncount(&self) {
        // Relaxed: as in `admit_direct`.
        self.counted.fetch_sub(1, Ordering::Relaxed);
    }

    /// By the runtime, when it turns: what has lapsed takes up no room any more.
    fn forget_lapsed(&self) {
        // Relaxed: as in `admit_direct`; mostly there is nothing to write.
        if self.lapsed.load(Ordering::Relaxed) > 0 {
            let lapsed = self.lapsed.swap(0, Ordering::Relaxed);
            self.counted.fetch_sub(lapsed, Ordering::Relaxed);
        }
    }

    /// By the owner of a waiter that is posted here or counted: takes it out of
    /// the mailbox, or tells that the directly called waker has done its work. `polled` says
    /// that the owner is polled, and not dropped.
    pub(super) fn collect(&self, waiter: Pin<&mut Waiter>, polled: bool) {
        if waiter.phase() == Phase::Counted {
            // SAFETY: ADDRESS: the owner is its only writer. SETTLED: it has been queued.
            let route = unsafe { waiter.address() }.route();
            if route == Route::Task && !polled {
                // Relaxed: as in `admit_direct`.
                self.lapsed.fetch_add(1, Ordering::Relaxed);
            } else {
                self.uncount();
            }
            if polled && self.is_here() {
                self.forget_lapsed();
            }
            // If another executor blocks this thread, the drain task does not
            // run: what did not fit into the limit waits for us. After `uncount`;
            // see `admit_direct`.
            if route == Route::Foreign && self.is_here() {
                self.empty_once();
            }
            return;
        }
        let mut mail = self.mail.lock();
        let mut waker = None;
        if waiter.phase() == Phase::Posted {
            say("the owner takes its mail");
            // SAFETY: `Posted` under the mailbox's lock: linked here (MEMBER), and
            // the waker is ours (PHASE, SETTLED).
            unsafe {
                mail.list.remove(NonNull::from(&*waiter));
                waker = waiter.with_waker(Option::take);
            }
            waiter.set_phase(Phase::Woken);
            mail.settle();
        }
        drop(mail);
        // The owner has still to pass on what it was woken for.
        contain(|| drop(waker));
    }

    /// The same for a waiter that was sent here (EPOCH); its waker stays with its owner.
    pub(super) fn collect_sent(&self, waiter: &Waiter) {
        let mut mail = self.mail.lock();
        if waiter.phase() == Phase::Queued {
            say("the owner takes what was sent");
            // SAFETY: sent, and not yet woken under the mailbox's lock: linked here (MEMBER).
            unsafe { mail.list.remove(NonNull::from(waiter)) };
            waiter.set_phase(Phase::Woken);
            mail.settle();
        }
    }

    /// Wakes some of what lies in the mailbox, on this runtime's thread. If it leaves nothing and
    /// `may_sleep`, the next poster rings.
    ///
    /// A few at a time: between two turns compio looks for events without sleeping only if
    /// there have been wakes since the last look (measured: a herd of 1000 woken in one turn took
    /// more than twice as long to run).
    pub(super) fn drain(&self, may_sleep: bool) -> Left {
        self.forget_lapsed();
        let mut wakers = Wakers::new();
        let mut mail = self.mail.lock();
        let found = !mail.list.is_empty();
        while wakers.has_room()
            && let Some(waker) = mail.pop()
        {
            wakers.extend(waker);
        }
        let left = if !mail.list.is_empty() {
            Left::More
        } else if found && !may_sleep {
            Left::Nothing
        } else {
            if mail.status == Status::Awake {
                mail.status = Status::Asleep;
            }
            Left::Asleep
        };
        drop(mail);
        wakers.wake();
        left
    }

    /// Wakes some of what lies in the mailbox as far as it is the wakers of this runtime's own
    /// tasks, which may be called even inside of its driver. Leaves the status alone.
    #[allow(dead_code)] // For the doorbells of the kernels.
    pub(super) fn wake_tasks(&self) {
        let mut wakers = Wakers::new();
        let mut mail = self.mail.lock();
        while wakers.has_room() && mail.first_is_of_a_task() {
            wakers.extend(mail.pop().flatten());
        }
        drop(mail);
        wakers.wake();
    }

    /// Wakes what lies in the mailbox now, and leaves the status alone.
    fn empty_once(&self) {
        self.take_out(|mail| mail.pop());
    }

    /// The runtime drops its tasks. Nothing is posted from now on. What still lies here is woken
    /// on the spot, but for the tasks of this runtime, none of which runs again.
    pub(super) fn close(&self) {
        {
            let mut mail = self.mail.lock();
            note("Status", mail.status as usize, Status::Closed as usize);
            mail.status = Status::Closed;
        }
        self.take_out(|mail| {
            if mail.first_is_of_a_task() {
                mail.release_first().map(|_| None)
            } else {
                mail.pop()
            }
        });
    }

    /// Takes out as many as lie in the mailbox now, one by one by `take`, and calls the wakers.
    fn take_out(&self, take: impl Fn(&mut Mail) -> Option<Option<Waker>>) {
        let mut left = self.mail.lock().list.len();
        while left > 0 {
            let mut wakers = Wakers::new();
            let mut mail = self.mail.lock();
            while left > 0 && wakers.has_room() {
                left -= 1;
                wakers.extend(take(&mut mail).flatten());
            }
            drop(mail);
            wakers.wake();
        }
    }

    /// Rings, after `Outbox::send` has said that it is needed.
    pub(super) fn ring(&self) {
        if let Some(bell) = self.bell() {
            bell.ring();
        }
    }
}

impl std::fmt::Debug for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mail = self.mail.lock();
        f.debug_struct("Home")
            .field("status", &mail.status)
            .field("posted", &mail.list.len())
            .finish_non_exhaustive()
    }
}
