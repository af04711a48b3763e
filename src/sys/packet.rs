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
//! | `FREE` | nothing waits, or the packet is on its way | the pointer | `RUNG` | `FREE` |
//! | `RUNG` | rung while `FREE` | `FREE`; ends at once | `RUNG` | `RUNG` |
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

#[cfg(test)]
thread_local! {
    /// Whether the packets of this thread are refused.
    pub(crate) static REFUSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The way to the operation that waits, if one does.
pub(crate) struct Slot {
    /// Kept open by whoever has the slot.
    port: HANDLE,
    state: AtomicUsize,
    /// Packets that were posted.
    #[cfg(test)]
    pub(crate) posted: AtomicUsize,
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
            #[cfg(test)]
            posted: AtomicUsize::new(0),
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

    /// Ends the operation that waits, or the next one. After an error it waits on.
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
        unsafe { self.post(operation) }.inspect_err(|_| {
            // It waits on, so that nobody else can have entered one. Who rang meanwhile is
            // not heard, no more than we are.
            // Release: as in `wait`.
            self.state.store(before, Ordering::Release);
        })
    }

    /// # Safety
    ///
    /// PACKET; and the port is open.
    unsafe fn post(&self, operation: *const OVERLAPPED) -> io::Result<()> {
        #[cfg(test)]
        if REFUSED.get() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // SAFETY: the caller's promise.
        if unsafe { PostQueuedCompletionStatus(self.port, 0, 0, operation) } == 0 {
            return Err(io::Error::last_os_error());
        }
        #[cfg(test)]
        self.posted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
