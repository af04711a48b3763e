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
use rustix::{io::Errno, thread::futex};

/// `FUTEX2_SIZE_U32`, shared.
const FLAGS: u32 = 2;

/// Whether the kernel's io_uring can wait on a futex. It is the same for every ring of the
/// process, so an answer is kept. A question that could not be put, for want of a descriptor or
/// of memory, is put again.
pub(crate) fn is_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    if let Some(known) = SUPPORTED.get() {
        return *known;
    }
    match ask() {
        Ok(answer) => *SUPPORTED.get_or_init(|| answer),
        Err(error) if is_final(&error) => *SUPPORTED.get_or_init(|| false),
        Err(_) => false,
    }
}

fn ask() -> io::Result<bool> {
    let mut probe = Probe::new();
    IoUring::new(2)?.submitter().register_probe(&mut probe)?;
    Ok(probe.is_supported(opcode::FutexWait::CODE))
}

/// Whether asking once more would end the same: io_uring is denied, not there, or too old for
/// the question.
fn is_final(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::PERM | Errno::NOSYS | Errno::INVAL)
    )
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
        let (seen, flags) = tests::spoil(seen);
        #[cfg(not(test))]
        let flags = FLAGS;
        opcode::FutexWait::new(self.0.as_ptr(), u64::from(seen), u64::from(u32::MAX), flags).build()
    }
}

/// Whether an operation that ended so may be tried again.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::AGAIN | Errno::CANCELED | Errno::INTR)
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use io_uring::types::{SubmitArgs, Timespec};

    use super::*;

    /// What is wrong with the waits that a thread makes.
    #[derive(Clone, Copy)]
    pub(crate) enum Spoiled {
        Not,
        /// They are of an 8-bit futex: the kernel refuses them.
        Refused,
        /// The next so many are for a word that has changed since it was looked at.
        Stale(usize),
    }

    thread_local! {
        pub(crate) static SPOILED: Cell<Spoiled> = const { Cell::new(Spoiled::Not) };
    }

    pub(super) fn spoil(seen: u32) -> (u32, u32) {
        match SPOILED.get() {
            Spoiled::Not | Spoiled::Stale(0) => (seen, FLAGS),
            Spoiled::Refused => (seen, 0),
            Spoiled::Stale(more) => {
                SPOILED.set(Spoiled::Stale(more - 1));
                (seen.wrapping_sub(1), FLAGS)
            }
        }
    }

    /// A ring that waits until the word is not `seen`.
    fn armed(word: &'static Word, seen: u32) -> IoUring {
        let mut ring = IoUring::new(2).unwrap();
        // SAFETY: WORD (see `waiter_queue::linux`): it is there for ever.
        unsafe { ring.submission().push(&word.wait(seen)) }.unwrap();
        ring.submit().unwrap();
        ring
    }

    /// How the wait of a ring has ended; an error if it does not.
    fn end(mut ring: IoUring) -> io::Result<i32> {
        let limit = Timespec::new().sec(60);
        ring.submitter()
            .submit_with_args(1, &SubmitArgs::new().timespec(&limit))?;
        Ok(ring.completion().next().expect("it has ended").result())
    }

    /// The wait of a ring that is being torn down may still be there, before that of another.
    #[test]
    fn a_change_ends_every_wait_on_the_word() {
        if !is_supported() {
            return;
        }
        static WORD: Word = Word(AtomicU32::new(0));
        let mut rings = [(); 4].map(|()| armed(&WORD, WORD.look()));
        assert!(rings.iter_mut().all(|ring| ring.completion().is_empty()));
        WORD.change();
        for ring in rings {
            assert_eq!(end(ring).unwrap(), 0);
        }
    }

    #[test]
    fn a_wait_that_comes_late_ends_at_once_and_that_passes() {
        if !is_supported() {
            return;
        }
        static WORD: Word = Word(AtomicU32::new(0));
        let seen = WORD.look();
        WORD.change();
        let end = end(armed(&WORD, seen)).unwrap();
        assert_eq!(end, -libc::EAGAIN);
        assert!(is_passing(&io::Error::from_raw_os_error(-end)));
    }

    #[test]
    fn which_errors_answer_the_question() {
        for answer in [libc::EPERM, libc::ENOSYS, libc::EINVAL] {
            assert!(is_final(&io::Error::from_raw_os_error(answer)));
        }
        for none in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN] {
            assert!(!is_final(&io::Error::from_raw_os_error(none)));
        }
    }

    #[test]
    fn what_passes_and_what_does_not() {
        for passing in [libc::EAGAIN, libc::ECANCELED, libc::EINTR] {
            assert!(is_passing(&io::Error::from_raw_os_error(passing)));
        }
        for lasting in [libc::EINVAL, libc::ENOSYS, libc::EPERM, libc::EOPNOTSUPP] {
            assert!(!is_passing(&io::Error::from_raw_os_error(lasting)));
        }
        assert!(!is_passing(&io::ErrorKind::Unsupported.into()));
    }
}
