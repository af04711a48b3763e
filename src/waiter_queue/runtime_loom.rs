//! Which home the current thread is at, when the model checker runs: a thread is a
//! runtime while it has a [`Runtime`].
//!
//! It checks what the rest promises to runtimes: a doorbell is rung at most once between
//! two drains, and no more of its tasks are woken straight from other threads, between two
//! turns or ever after its end, than there is always room for.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    mem::ManuallyDrop,
    pin::pin,
    ptr::NonNull,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};

use super::{
    Backend, Doorbell,
    batch::TASK_LIMIT,
    home::{Home, Left, Tables},
};
use crate::sys::{
    loom::{
        checker::{self, thread::ThreadId},
        note,
    },
    sync,
};

/// The status of a mailbox, in the order of `mail::Status`.
pub(crate) mod status {
    pub(crate) const AWAKE: usize = 0;
    pub(crate) const ASLEEP: usize = 1;
    pub(crate) const CLOSED: usize = 2;
    /// A task that is no more was woken.
    pub(crate) const IN_VAIN: usize = 3;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadToken(ThreadId);

impl ThreadToken {
    pub(super) fn here() -> Self {
        Self(checker::thread::current().id())
    }
}

checker::thread_local! {
    static HOME: RefCell<Option<Arc<Home>>> = RefCell::new(None);
}

pub(super) fn current() -> Option<NonNull<Home>> {
    HOME.with(|home| home.borrow().as_ref().map(pointer))
}

fn pointer(home: &Arc<Home>) -> NonNull<Home> {
    // SAFETY: an `Arc` points to something.
    unsafe { NonNull::new_unchecked(Arc::as_ptr(home).cast_mut()) }
}

/// Whether the runtime that is running now is the one of `home`.
pub(super) fn is_running(home: &Home) -> bool {
    current().is_some_and(|here| std::ptr::eq(here.as_ptr(), home))
}

pub(crate) fn is_inside() -> bool {
    current().is_some()
}

/// The doorbell of the current runtime.
#[must_use]
pub fn try_backend() -> Option<Backend> {
    // SAFETY: HERE: it has just been found.
    current().and_then(|home| unsafe { home.as_ref() }.bell().map(Doorbell::backend))
}

/// The doorbell of the current runtime.
#[must_use]
pub fn backend() -> Backend {
    try_backend().expect("not in a runtime")
}

/// What a waker is, to the home of the thread that polls with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Driver,
    Task,
    Foreign,
}

/// What wakers and doorbell share with the runtime. std's atomics, which loom does
/// not see: they order nothing, the call of `inner` does.
pub(super) struct Desk {
    thread: ThreadToken,
    /// Seen by the checker: a drain comes before a ring or after it.
    rung: sync::AtomicBool,
    woken: AtomicBool,
    closed: AtomicBool,
    /// Counts how often the runtime has made room.
    turn: AtomicUsize,
    /// How many tasks other threads have woken directly since then.
    crowd: AtomicUsize,
    /// Wakes the thread, when it is in `block_on`.
    inner: OnceLock<Waker>,
}

impl Desk {
    fn call(&self) {
        if let Some(inner) = self.inner.get() {
            inner.wake_by_ref();
        }
    }
}

struct Bell(Arc<Desk>);

impl Doorbell for Bell {
    fn backend(&self) -> Backend {
        Backend::Generic
    }

    fn ring(&self) {
        let rung = self.0.rung.swap(true, Ordering::Relaxed);
        assert!(!rung, "a doorbell is rung twice between two drains");
        note("Status", status::ASLEEP, status::AWAKE);
        self.0.call();
    }
}

struct Hand {
    kind: Kind,
    /// The turn in which another thread woke it last.
    woken_in: AtomicUsize,
    desk: Arc<Desk>,
}

impl Hand {
    fn waker(kind: Kind, desk: &Arc<Desk>) -> Waker {
        let desk = Arc::clone(desk);
        // SAFETY: the functions of the table expect such a pointer.
        unsafe {
            Waker::from_raw(raw(Arc::new(Self {
                kind,
                woken_in: AtomicUsize::new(0),
                desk,
            })))
        }
    }

    fn wake(&self) {
        let desk = &*self.desk;
        if self.kind == Kind::Task && ThreadToken::here() != desk.thread {
            if desk.closed.load(Ordering::SeqCst) {
                note("Status", status::CLOSED, status::IN_VAIN);
            }
            let turn = desk.turn.load(Ordering::SeqCst);
            if self.woken_in.swap(turn, Ordering::SeqCst) != turn {
                let crowd = desk.crowd.fetch_add(1, Ordering::SeqCst) + 1;
                assert!(crowd <= TASK_LIMIT, "a runtime's room for wakes is overrun");
            }
        }
        desk.woken.store(true, Ordering::SeqCst);
        desk.call();
    }
}

/// The wakers of each kind have a table of their own, by which they are known.
static TABLES: [RawWakerVTable; 3] = [const {
    RawWakerVTable::new(
        // SAFETY: here and below: a table is only used with what `raw` made, which is a
        // share of the `Hand`.
        |data| unsafe {
            let hand = ManuallyDrop::new(Arc::from_raw(data.cast::<Hand>()));
            raw(Arc::clone(&hand))
        },
        // SAFETY: as above; the share is used up.
        |data| unsafe { Arc::from_raw(data.cast::<Hand>()).wake() },
        // SAFETY: as above.
        |data| unsafe { (*data.cast::<Hand>()).wake() },
        // SAFETY: as above; the share is used up.
        |data| unsafe { drop(Arc::from_raw(data.cast::<Hand>())) },
    )
}; 3];

fn raw(hand: Arc<Hand>) -> RawWaker {
    let table = &TABLES[hand.kind as usize];
    RawWaker::new(Arc::into_raw(hand).cast(), table)
}

pub(super) fn has_several() -> bool {
    false
}

/// While it lives, its thread is a runtime.
pub(crate) struct Runtime {
    home: Arc<Home>,
    desk: Arc<Desk>,
}

impl Runtime {
    pub(crate) fn new() -> Self {
        Self::with_bell(|desk| Box::new(Bell(Arc::clone(desk))))
    }

    /// With a doorbell that is answered by another than `block_on`.
    pub(super) fn with_bell(bell: impl FnOnce(&Arc<Desk>) -> Box<dyn Doorbell>) -> Self {
        let desk = Arc::new(Desk {
            thread: ThreadToken::here(),
            // The first drain comes without being rung.
            rung: sync::AtomicBool::new(true),
            woken: AtomicBool::new(true),
            closed: AtomicBool::new(false),
            turn: AtomicUsize::new(1),
            crowd: AtomicUsize::new(0),
            inner: OnceLock::new(),
        });
        let table = |kind| (&raw const TABLES[kind as usize]).addr();
        let tables = Tables {
            driver: table(Kind::Driver),
            task: [table(Kind::Task); 2],
        };
        let id = Arc::as_ptr(&desk).addr();
        let home = Home::new(desk.thread, id, tables);
        home.hang(bell(&desk));
        home.set_running();
        HOME.with(|here| {
            let before = here.replace(Some(Arc::clone(&home)));
            assert!(before.is_none(), "a thread is two runtimes");
        });
        Self { home, desk }
    }

    #[cfg_attr(shuttle, allow(dead_code))]
    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    /// Runs `future` as a task, beside `drain`, which answers the doorbell and may be polled at
    /// any time.
    #[cfg_attr(shuttle, allow(dead_code))]
    pub(super) fn block_on_beside<F: Future>(
        &self,
        drain: impl Future<Output = std::convert::Infallible>,
        future: F,
    ) -> F::Output {
        let waker = self.waker(Kind::Task);
        let (mut drain, mut future) = (pin!(drain), pin!(future));
        checker::future::block_on(poll_fn(|cx| {
            self.desk.inner.get_or_init(|| cx.waker().clone());
            // First, so that there is something to be woken when the doorbell is armed.
            if self.was_woken()
                && let ready @ Poll::Ready(_) =
                    future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return ready;
            }
            assert!(drain.as_mut().poll(cx).is_pending());
            Poll::Pending
        }))
    }

    /// For polling by hand.
    pub(crate) fn waker(&self, kind: Kind) -> Waker {
        Hand::waker(kind, &self.desk)
    }

    /// Begins a turn. Whether a waker was called since the last one.
    pub(crate) fn was_woken(&self) -> bool {
        self.desk.turn.fetch_add(1, Ordering::SeqCst);
        self.desk.crowd.store(0, Ordering::SeqCst);
        self.desk.woken.swap(false, Ordering::SeqCst)
    }

    /// What the drain task does when it runs: nothing, unless it was woken.
    pub(crate) fn drain_if_rung(&self) -> bool {
        let rung = self.desk.rung.swap(false, Ordering::Relaxed);
        // More has come: the task has woken itself, so this counts as a ring.
        if rung && self.home.drain(true) == Left::More {
            self.desk.rung.store(true, Ordering::Relaxed);
            note("Status", status::AWAKE, status::AWAKE);
        } else if rung {
            note("Status", status::AWAKE, status::ASLEEP);
        }
        rung
    }

    /// Runs `future` as a task or whatever `kind` says, and drains the mailbox
    /// besides. A foreign executor does not: it blocks the thread.
    pub(crate) fn block_on<F: Future>(&self, kind: Kind, future: F) -> F::Output {
        let waker = self.waker(kind);
        let mut future = pin!(future);
        checker::future::block_on(poll_fn(|cx| {
            self.desk.inner.get_or_init(|| cx.waker().clone());
            loop {
                let drained = kind != Kind::Foreign && self.drain_if_rung();
                let woken = self.was_woken();
                if woken
                    && let ready @ Poll::Ready(_) =
                        future.as_mut().poll(&mut Context::from_waker(&waker))
                {
                    return ready;
                }
                if !drained && !woken {
                    return Poll::Pending;
                }
            }
        }))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        HOME.with(|here| here.take());
        self.desk.closed.store(true, Ordering::SeqCst);
        self.home.close();
        // SAFETY: HERE: of this thread, and dropped once.
        unsafe { Home::settle(pointer(&self.home)) };
    }
}
