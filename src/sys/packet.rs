//! Windows: an operation that waits for a packet on the completion port of its own runtime.
//!
//! Facts that this file relies on:
//!
//! - compio ends an operation that is pending when a packet with its `OVERLAPPED` comes out of the
//!   runtime's port, whoever put it there. It keeps the operation's memory until then.
//! - `PostQueuedCompletionStatus` does not look at the `OVERLAPPED`; it only passes the pointer.
//!
//! | state | meaning | `wait` | `ring` | `end` |
//! | --- | --- | --- | --- | --- |
//! | `FREE` | nothing waits | the pointer | `RUNG` | `FREE` |
//! | `RUNG` | rung while nothing waited | `FREE`; ends at once | `RUNG` | `RUNG` |
//! | a pointer | that operation waits | does not happen | `FREE`; posts it | `FREE`; posts it |
//!
//! Invariant `PACKET`: a pointer is posted by the one that took it out of the state. So it is
//! posted once for each operation that waits, and never after the operation has ended.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use windows_sys::Win32::{
    Foundation::HANDLE,
    System::IO::{OVERLAPPED, PostQueuedCompletionStatus},
};

const FREE: usize = 0;
/// No operation is at this address.
const RUNG: usize = 1;

/// The way to the operation that waits, if one does.
pub(crate) struct Slot {
    /// Kept open by whoever has the slot.
    port: HANDLE,
    state: AtomicUsize,
}

// SAFETY: a handle may be used by every thread; the state is atomic.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

impl Slot {
    /// # Safety
    ///
    /// `port` is a completion port of compio's, and stays open as long as the slot is used.
    pub(crate) unsafe fn new(port: HANDLE) -> Self {
        Self {
            port,
            state: AtomicUsize::new(FREE),
        }
    }

    /// Enters an operation. Returns false if it was rung for already and is to end at once.
    pub(crate) fn wait(&self, operation: *mut OVERLAPPED) -> bool {
        // Acquire: pairs with the release in `ring`, for a ring that came before. Release: so
        // that who takes the pointer out finds the operation made.
        self.state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
                Some(if state == RUNG {
                    FREE
                } else {
                    operation.expose_provenance()
                })
            })
            .is_ok_and(|before| before != RUNG)
    }

    /// Ends the operation that waits, or the next one.
    pub(crate) fn ring(&self) -> io::Result<()> {
        self.take(RUNG)
    }

    /// Ends the operation that waits, if one does.
    pub(crate) fn end(&self) -> io::Result<()> {
        self.take(FREE)
    }

    fn take(&self, if_nothing_waits: usize) -> io::Result<()> {
        // Release: pairs with the acquire in `wait`; and acquire, with its release.
        let before = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
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
        let operation = std::ptr::with_exposed_provenance::<OVERLAPPED>(before);
        // SAFETY: PACKET: we took the pointer out; the port is open, by `new`.
        if unsafe { PostQueuedCompletionStatus(self.port, 0, 0, operation) } != 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // Not posted: it waits on. Nobody else can have entered one.
        // Release: as in `wait`.
        self.state.store(before, Ordering::Release);
        Err(error)
    }
}
