//! Wakers that allocate nothing, and tell which of them were called and which are alive.

use std::{
    cell::{Cell, RefCell},
    ptr::without_provenance,
    task::{Context, RawWaker, RawWakerVTable, Waker},
};

use super::{SLOTS, Verdict, ensure, same};

/// The waker of a future by one of its two tasks.
pub(super) type Id = usize;

pub(super) fn id(slot: usize, task: usize) -> Id {
    2 * slot + task
}

const IDS: usize = 2 * SLOTS;

struct Desk {
    called: RefCell<Vec<Id>>,
    live: [Cell<isize>; IDS],
}

thread_local! {
    static DESK: Desk = const {
        Desk {
            called: RefCell::new(Vec::new()),
            live: [const { Cell::new(0) }; IDS],
        }
    };
}

fn count(id: Id, more: isize) {
    DESK.with(|desk| desk.live[id].set(desk.live[id].get() + more));
}

fn call(id: Id) {
    DESK.with(|desk| desk.called.borrow_mut().push(id));
}

fn raw(id: Id) -> RawWaker {
    count(id, 1);
    RawWaker::new(without_provenance(id), &TABLE)
}

// The data is no pointer, so there is nothing that these could do wrong with it.
static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| raw(data.addr()),
    |data| {
        call(data.addr());
        count(data.addr(), -1);
    },
    |data| call(data.addr()),
    |data| count(data.addr(), -1),
);

/// Polls with the waker `id`.
pub(super) fn with<R>(id: Id, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
    // SAFETY: the functions of the table take any data, from any thread.
    let waker = unsafe { Waker::from_raw(raw(id)) };
    poll(&mut Context::from_waker(&waker))
}

/// Forgets what a program that failed has left behind.
pub(super) fn reset() {
    DESK.with(|desk| {
        desk.called.borrow_mut().clear();
        desk.live.iter().for_each(|live| live.set(0));
    });
}

/// Forgets the order in which wakers were called, where none is promised.
pub(super) fn sort() {
    DESK.with(|desk| desk.called.borrow_mut().sort_unstable());
}

/// Checks that since the last time those in `expected` have been called, in this order, and
/// that one of each is alive whose future waits, and no other.
pub(super) fn check(expected: &[Id], waits: impl Fn(Id) -> bool) -> Verdict {
    DESK.with(|desk| {
        let mut called = desk.called.borrow_mut();
        if *called != expected {
            same("wakers called", &**called, expected)?;
        }
        called.clear();
        for (id, live) in desk.live.iter().enumerate() {
            ensure(live.get() == isize::from(waits(id)), || {
                format!("{} wakers {id} are alive", live.get())
            })?;
        }
        Ok(())
    })
}
