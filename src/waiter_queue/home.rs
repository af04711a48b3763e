//! Home: the runtime that a waiter was last polled on, and its mailbox.
//!
//! A wake for another thread's runtime is posted: the waiter itself moves from
//! its queue into the mailbox of its home, so nothing is allocated, and the
//! home is rung at most once for all that lies there. The home then wakes its
//! own tasks on its own thread, where a wake is a push to a local list.
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

use std::{mem::ManuallyDrop, pin::Pin, ptr::NonNull, sync::OnceLock, task::Waker};

use super::{
    Doorbell,
    address::{Route, own},
    list::List,
    runtime::ThreadToken,
    shares::Shares,
    waiter::{Phase, Waiter},
};
use crate::sys::sync::{Arc, AtomicBool, AtomicUsize, Lock, LockGuard, Ordering, note, say};

/// How many wakers are called between two looks at a locked list.
#[cfg(not(loom))]
pub(super) const BATCH: usize = 32;
/// Small, so that the model sees more than one batch.
#[cfg(loom)]
pub(super) const BATCH: usize = 2;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Awake,
    Asleep,
    Closed,
}

struct Mail {
    list: List,
    status: Status,
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
    mail: Lock<Mail>,
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
            mail: Lock::new(Mail {
                list: List::new(0),
                status: Status::Awake,
            }),
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
        }
        drop(mail);
        // The owner has still to pass on what it was woken for.
        contain(|| drop(waker));
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

impl Mail {
    fn first_is_of_a_task(&self) -> bool {
        self.list.first().is_some_and(|waiter| {
            // SAFETY: MEMBER: linked here, under our lock; ADDRESS and SETTLED: posted.
            let route = unsafe { waiter.as_ref().address() }.route();
            route == Route::Task
        })
    }

    /// Takes the first waiter out and hands out its waker.
    fn pop(&mut self) -> Option<Option<Waker>> {
        // SAFETY: MEMBER, PHASE and SETTLED: posted here, under our lock.
        let waker = self
            .list
            .first()
            .map(|waiter| unsafe { waiter.as_ref().with_waker(Option::take) })?;
        self.release_first();
        Some(waker)
    }

    /// Takes the first waiter out; its waker, if it is still there, stays with its owner.
    fn release_first(&mut self) -> Option<()> {
        let waiter = self.list.first()?;
        say("the home delivers");
        // SAFETY: MEMBER: linked here, under our lock; PHASE: not touched after it is `Woken`.
        unsafe {
            self.list.remove(waiter);
            waiter.as_ref().set_phase(Phase::Woken);
        }
        Some(())
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

/// Wakers taken out under a lock, to be called after it.
pub(super) struct Wakers {
    wakers: [std::mem::MaybeUninit<Waker>; BATCH],
    len: usize,
}

impl Wakers {
    pub(super) fn new() -> Self {
        Self {
            wakers: [const { std::mem::MaybeUninit::uninit() }; BATCH],
            len: 0,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.len < BATCH
    }

    pub(super) fn extend(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.wakers[self.len].write(waker);
            self.len += 1;
        }
    }

    /// Calls them all. A panic of one is its own affair: the panic hook has
    /// reported it, and neither the others nor the notifier pay for it.
    #[inline]
    pub(super) fn wake(&mut self) {
        if self.len > 0 {
            self.wake_all();
        }
    }

    fn wake_all(&mut self) {
        let len = std::mem::take(&mut self.len);
        let mut next = 0;
        while next < len {
            contain(|| {
                while next < len {
                    // SAFETY: the first `len` were written, and each is read once.
                    let waker = unsafe { self.wakers[next].assume_init_read() };
                    next += 1;
                    waker.wake();
                }
            });
        }
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Runs what may be foreign code, and stops a panic of it here.
pub(super) fn contain(f: impl FnOnce()) {
    // A model fails by a panic, which is not to be stopped.
    #[cfg(loom)]
    return f();
    #[cfg(not(loom))]
    if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        // Its drop may panic again.
        std::mem::forget(payload);
    }
}
