//! Spinning: to look again for a moment, instead of waiting at once.
//!
//! What a task of another runtime holds is often free again long before this runtime could be
//! sent to sleep and woken. What a task of this one holds is not, however long one looks: it
//! runs here. So a thread looks again only at what it has met another thread at:
//!
//! | this thread | looks again when it next finds the same taken |
//! | --- | --- |
//! | was woken for it straight from another thread, not through the mailbox | yes |
//! | looked again, and got it | yes |
//! | looked again in vain | no |
//!
//! So there is at most one look in vain for each wake from another thread, which takes longer
//! than it. (Who spins for no longer than waiting would take never loses more than half:
//! Karlin, Li, Manasse and Owicki, SOSP 1991.)

use std::{cell::Cell, hint::spin_loop};

/// How often: half as often as std's mutex, but mostly twice. 1.5 us where a pause takes 30 ns.
#[cfg(not(loom))]
const LOOKS: usize = 50;
/// In a model one finds what many would: the other threads run before it as long as they like.
#[cfg(loom)]
const LOOKS: usize = 1;

#[cfg(not(loom))]
use std::thread_local;

#[cfg(loom)]
use super::loom::checker::thread_local;

thread_local! {
    // The models' threads know no constants.
    #[allow(clippy::missing_const_for_thread_local)]
    /// The address of what this thread last met another at. Only compared: something else
    /// that has come to be there is looked at in vain once.
    static MET: Cell<usize> = Cell::new(0);
}

/// This thread was woken by another one, for this.
pub(crate) fn has_met_another_at<T>(what: &T) {
    MET.with(|met| met.set(std::ptr::from_ref(what).addr()));
}

/// Whether it is worthwhile to look again at this.
pub(crate) fn is_worthwhile<T>(what: &T) -> bool {
    MET.with(Cell::get) == std::ptr::from_ref(what).addr()
}

/// Looks until `look` says that it got it, or has been in vain often enough.
pub(crate) fn look_again(mut look: impl FnMut() -> bool) -> bool {
    (0..LOOKS).any(|_| {
        spin_loop();
        look()
    })
}

/// All looks were in vain.
pub(crate) fn was_in_vain() {
    MET.with(|met| met.set(0));
}
