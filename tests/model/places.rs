//! Where an operation is done: its futures move from one runtime of the thread to another, to
//! another thread, or to nowhere, which must make no difference to what they do.

use std::{cell::RefCell, thread};

use super::wakers;
use crate::common::{Runtime, keep, runtime, settle};

/// In no runtime.
pub(super) const NOWHERE: Place = 0;
/// On another thread, without a runtime.
const ELSEWHERE: Place = 3;

/// One of those, or a runtime of this thread: 1 or 2.
pub(super) type Place = u8;

thread_local! {
    /// For all programs, since they take longer to make than these do.
    static RUNTIMES: [&'static Runtime; 2] = [(); 2].map(|()| {
        let runtime = keep(runtime());
        runtime.block_on(settle());
        runtime
    });

    /// For each operation of the program that runs; nowhere if there is none.
    static PLACES: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

/// Out of the bits of an operation's kind that do not say what it does.
pub(super) fn of_kind(kind: u8) -> Place {
    kind >> 6
}

pub(super) fn plan(places: Vec<Place>) {
    PLACES.set(places);
}

/// Does the operation of that number where it is to be done.
pub(super) fn at<R>(number: usize, work: impl FnOnce() -> R) -> R {
    let place = PLACES.with_borrow(|places| places.get(number).copied());
    match place.unwrap_or(NOWHERE) {
        NOWHERE => work(),
        ELSEWHERE => on_another_thread(work),
        runtime => RUNTIMES.with(|all| all[usize::from(runtime) - 1].enter(work)),
    }
}

/// While this one waits, so that what is not for two threads at a time is at no time seen by two.
fn on_another_thread<R>(work: impl FnOnce() -> R) -> R {
    struct Lent<T>(T);
    // SAFETY: this thread does nothing with it until the other has ended, and what the programs
    // work on has nothing to do with a thread: the primitives are for all, wakers know their desk.
    unsafe impl<T> Send for Lent<T> {}
    let desk = wakers::desk();
    let work = Lent(work);
    thread::scope(|scope| {
        let other = scope.spawn(move || {
            let work = work;
            wakers::sit_at(desk);
            Lent((work.0)())
        });
        other
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            .0
    })
}
