//! The way to an operation that waits until it is rung for, by its address; without what posts it,
//! so that the models can run it.
//!
//! | state | meaning | `wait` | `ring` | `end` |
//! | --- | --- | --- | --- | --- |
//! | `FREE` | nothing waits, or the packet is on its way | the address | `RUNG` | `FREE` |
//! | `RUNG` | rung while `FREE` | `FREE`; ends at once | `RUNG` | `RUNG` |
//! | an address | that operation waits | does not happen | `FREE`; posts it | `FREE`; posts it |
//!
//! If it cannot be posted its address is put back, whatever the state is then.
//!
//! Invariant `PACKET`: an operation is posted by the one that took its address out of the state. So
//! it is posted once each time that it waits, and never after it has ended.

use super::sync::{AtomicUsize, Ordering, say};

const FREE: usize = 0;
/// No operation is at this address.
const RUNG: usize = 1;

pub(crate) struct Slot(AtomicUsize);

impl Slot {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(FREE))
    }

    /// Enters an operation, when none waits. Returns false if it was rung for already and is to
    /// end at once.
    #[inline]
    pub(crate) fn wait(&self, operation: usize) -> bool {
        // Acquire: pairs with the release in `take`, for a ring that came before. Release: so
        // that who takes the address out finds the operation made. Relaxed: it cannot fail.
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
                debug_assert!(state <= RUNG, "two operations wait");
                Some(if state == RUNG { FREE } else { operation })
            })
            .is_ok_and(|before| before != RUNG)
    }

    /// Ends the operation that waits, by `post`, or the next one. After an error it waits on.
    #[inline]
    pub(crate) fn ring<E>(&self, post: impl FnOnce(usize) -> Result<(), E>) -> Result<(), E> {
        self.take(RUNG, post)
    }

    /// Ends the operation that waits, if one does.
    #[inline]
    pub(crate) fn end<E>(&self, post: impl FnOnce(usize) -> Result<(), E>) -> Result<(), E> {
        self.take(FREE, post)
    }

    fn take<E>(
        &self,
        if_nothing_waits: usize,
        post: impl FnOnce(usize) -> Result<(), E>,
    ) -> Result<(), E> {
        // Release: pairs with the acquire in `wait`; and acquire, with its release. Relaxed: it
        // cannot fail.
        let before = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
                Some(match state {
                    FREE => if_nothing_waits,
                    RUNG => RUNG,
                    _ => FREE,
                })
            })
            .unwrap_or_else(|state| state);
        if before == FREE || before == RUNG {
            return Ok(());
        }
        // PACKET: we took it out.
        post(before).inspect_err(|_| {
            say("the packet is refused");
            // It waits on, so that nobody else can have entered one. Who rang meanwhile is
            // not heard, no more than we are.
            // Relaxed: a read-modify-write passes on the release in `wait` before it to who takes
            // the address out next. A store would not.
            self.0.swap(before, Ordering::Relaxed);
        })
    }
}
