//! Windows: an operation that waits for a packet on the completion port of its own runtime.
//!
//! Facts that this file relies on:
//!
//! - compio ends an operation that is pending when a packet with its `OVERLAPPED` comes out of the
//!   runtime's port, whoever put it there. It keeps the operation's memory until then.
//! - `PostQueuedCompletionStatus` does not look at the `OVERLAPPED`; it only passes the pointer.
//!
//! Which operation waits, and whether it is rung for, is in a [`Slot`], which says with the
//! invariant `PACKET` when it is posted.

use std::io;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};

use windows_sys::Win32::{
    Foundation::HANDLE,
    System::IO::{OVERLAPPED, PostQueuedCompletionStatus},
};

use super::slot::Slot;

#[cfg(test)]
thread_local! {
    /// Whether the packets of this thread are refused.
    pub(crate) static REFUSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The way to the operation that waits on a port, if one does.
pub(crate) struct Packets {
    /// Kept open by whoever has this.
    port: HANDLE,
    slot: Slot,
    /// Packets that were posted.
    #[cfg(test)]
    pub(crate) posted: AtomicUsize,
}

// SAFETY: a handle may be used by every thread; the slot is atomic.
unsafe impl Send for Packets {}
// SAFETY: as above.
unsafe impl Sync for Packets {}

impl Packets {
    /// # Safety
    ///
    /// `port` is a completion port of compio's, and stays open as long as this is used.
    pub(crate) unsafe fn new(port: HANDLE) -> Self {
        Self {
            port,
            slot: Slot::new(),
            #[cfg(test)]
            posted: AtomicUsize::new(0),
        }
    }

    /// Enters an operation. Returns false if it was rung for already and is to end at once.
    pub(crate) fn wait(&self, operation: *mut OVERLAPPED) -> bool {
        self.slot.wait(operation.expose_provenance())
    }

    /// Ends the operation that waits, or the next one. After an error it waits on.
    pub(crate) fn ring(&self) -> io::Result<()> {
        // SAFETY: PACKET; the port is open, by `new`.
        self.slot.ring(|operation| unsafe { self.post(operation) })
    }

    /// Ends the operation that waits, if one does.
    pub(crate) fn end(&self) -> io::Result<()> {
        // SAFETY: as in `ring`.
        self.slot.end(|operation| unsafe { self.post(operation) })
    }

    /// # Safety
    ///
    /// PACKET; and the port is open.
    unsafe fn post(&self, operation: usize) -> io::Result<()> {
        #[cfg(test)]
        if REFUSED.get() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let operation = std::ptr::with_exposed_provenance::<OVERLAPPED>(operation);
        // SAFETY: the caller's promise.
        if unsafe { PostQueuedCompletionStatus(self.port, 0, 0, operation) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // Relaxed: only counts.
        #[cfg(test)]
        self.posted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
