//! Wakers that allocate nothing, and tell which of them were called and which are alive.

use std::{
    array,
    cell::Cell,
    sync::{
        Mutex,
        atomic::{AtomicIsize, Ordering::Relaxed},
    },
    task::{Context, RawWaker, RawWakerVTable, Waker},
};

use super::{SLOTS, Verdict, ensure, same};
use crate::common::keep;

/// The waker of a future by one of its two tasks.
pub(super) type Id = usize;

pub(super) fn id(slot: usize, task: usize) -> Id {
    2 * slot + task
}

const IDS: usize = 2 * SLOTS;

/// What became of the wakers of one thread's programs, wherever they have been.
pub(super) struct Desk {
    called: &'static Mutex<Vec<Id>>,
    wakers: [Kind; IDS],
}

/// All wakers that are the same.
struct Kind {
    id: Id,
    live: AtomicIsize,
    called: &'static Mutex<Vec<Id>>,
}

thread_local! {
    static DESK: Cell<Option<&'static Desk>> = const { Cell::new(None) };
}

/// This thread's.
pub(super) fn desk() -> &'static Desk {
    DESK.get().unwrap_or_else(|| {
        let called = keep(Mutex::default());
        let wakers = array::from_fn(|id| Kind {
            id,
            live: AtomicIsize::new(0),
            called,
        });
        let desk = keep(Desk { called, wakers });
        sit_at(desk);
        desk
    })
}

/// From now on this thread works for the programs of another.
pub(super) fn sit_at(desk: &'static Desk) {
    DESK.set(Some(desk));
}

impl Kind {
    fn count(&self, more: isize) {
        self.live.fetch_add(more, Relaxed);
    }

    fn call(&self) {
        self.called.lock().unwrap().push(self.id);
    }

    fn raw(&'static self) -> RawWaker {
        self.count(1);
        RawWaker::new((&raw const *self).cast(), &TABLE)
    }
}

/// For the functions of the table alone, which are called with what `Kind::raw` has put there.
fn kind(data: *const ()) -> &'static Kind {
    // SAFETY: as said; a desk is never freed.
    unsafe { &*data.cast() }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| kind(data).raw(),
    |data| {
        kind(data).call();
        kind(data).count(-1);
    },
    |data| kind(data).call(),
    |data| kind(data).count(-1),
);

/// Polls with the waker `id`.
pub(super) fn with<R>(id: Id, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
    let raw = desk().wakers[id].raw();
    // SAFETY: the functions of the table are for its data, from any thread.
    let waker = unsafe { Waker::from_raw(raw) };
    poll(&mut Context::from_waker(&waker))
}

/// Forgets what a program that failed has left behind.
pub(super) fn reset() {
    let desk = desk();
    desk.called.lock().unwrap().clear();
    desk.wakers
        .iter()
        .for_each(|kind| kind.live.store(0, Relaxed));
}

/// Forgets the order in which wakers were called, where none is promised.
pub(super) fn sort() {
    desk().called.lock().unwrap().sort_unstable();
}

/// Checks that since the last time those in `expected` have been called, in this order, and
/// that one of each is alive whose future waits, and no other.
pub(super) fn check(expected: &[Id], waits: impl Fn(Id) -> bool) -> Verdict {
    let desk = desk();
    let mut called = desk.called.lock().unwrap();
    if *called != expected {
        same("wakers called", &**called, expected)?;
    }
    called.clear();
    for Kind { id, live, .. } in &desk.wakers {
        let live = live.load(Relaxed);
        ensure(live == isize::from(waits(*id)), || {
            format!("{live} wakers {id} are alive")
        })?;
    }
    Ok(())
}
