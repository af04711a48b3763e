//! Linux: a futex that a runtime's own io_uring waits on.
//!
//! Facts that this file relies on:
//!
//! - `IORING_OP_FUTEX_WAIT` takes futex2 flags: the size alone means a shared futex. A private
//!   one would miss wakes on Linux 6.17 and later, if the process starts its first thread
//!   after the wait was armed.
//! - The kernel compares the word when it arms the wait; if it differs the operation ends with
//!   `EAGAIN`. It does not read it later.
//! - A wait of a ring that is being torn down may linger on its address and take a wake. So
//!   every wake is for all who wait there.

use std::{
    io,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use io_uring::{IoUring, Probe, opcode, squeue};
use rustix::thread::futex;

/// `FUTEX2_SIZE_U32`, shared.
const FLAGS: u32 = 2;

/// Whether the kernel's io_uring can wait on a futex. Asked once: it is the same for every
/// ring of the process.
pub(crate) fn is_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| {
        let mut probe = Probe::new();
        IoUring::new(2)
            .and_then(|ring| ring.submitter().register_probe(&mut probe))
            .is_ok_and(|()| probe.is_supported(opcode::FutexWait::CODE))
    })
}

#[cfg(test)]
thread_local! {
    /// Whether this thread makes operations that the kernel refuses: of an 8-bit futex.
    pub(crate) static REFUSED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// A word to wait on.
#[derive(Debug, Default)]
pub(crate) struct Word(AtomicU32);

impl Word {
    /// What the word is now. A change from then on ends a wait for it.
    pub(crate) fn look(&self) -> u32 {
        // Acquire: pairs with the release in `change`.
        self.0.load(Ordering::Acquire)
    }

    /// Changes the word, and ends the waits on it.
    pub(crate) fn change(&self) {
        // Release: pairs with the acquire in `look`. The kernel compares after the call
        // that arms the wait, and we wake by another, so one of the two sees the other.
        self.0.fetch_add(1, Ordering::Release);
        // The only errors are of addresses that are not there.
        let _ = futex::wake(&self.0, futex::Flags::empty(), i32::MAX as u32);
    }

    /// The operation that waits until the word is not `seen`.
    ///
    /// The word has to stay where it is until the operation has ended.
    pub(crate) fn wait(&self, seen: u32) -> squeue::Entry {
        #[cfg(test)]
        let flags = if REFUSED.get() { 0 } else { FLAGS };
        #[cfg(not(test))]
        let flags = FLAGS;
        opcode::FutexWait::new(self.0.as_ptr(), u64::from(seen), u64::from(u32::MAX), flags).build()
    }
}

/// Whether an operation that ended so may be tried again.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::AGAIN | Errno::CANCELED | Errno::INTR)
    )
}
