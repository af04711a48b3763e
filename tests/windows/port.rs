//! The completion port of a runtime, in the hands of a test.

use std::{
    os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle},
    ptr,
    time::Duration,
};

use compio_driver::AsRawFd;
use compio_runtime::Runtime;
use windows_sys::Win32::System::IO::{
    GetQueuedCompletionStatusEx, OVERLAPPED_ENTRY, PostQueuedCompletionStatus,
};

/// Whether this build has the doorbell that these tests are about.
pub(crate) fn is_expected() -> bool {
    cfg!(feature = "windows-iocp")
}

/// A port, after and besides its runtime.
pub(crate) struct Rest(OwnedHandle);

impl Rest {
    /// Takes out what lies there.
    pub(crate) fn take(&self) -> Vec<OVERLAPPED_ENTRY> {
        // SAFETY: these are plain numbers.
        let mut entries: [OVERLAPPED_ENTRY; 64] = unsafe { std::mem::zeroed() };
        let mut n = 0;
        // SAFETY: as many places as we say; the port is open.
        let done = unsafe {
            GetQueuedCompletionStatusEx(
                self.0.as_raw_handle(),
                entries.as_mut_ptr(),
                64,
                &mut n,
                0,
                0,
            )
        };
        if done == 0 {
            Vec::new()
        } else {
            entries[..n as usize].to_vec()
        }
    }
}

/// A runtime that is run by hand, and its port.
pub(crate) struct Port<'a> {
    runtime: &'a Runtime,
    rest: Rest,
    /// What compio's own waker posts.
    compios: *const (),
}

impl<'a> Port<'a> {
    pub(crate) fn of(runtime: &'a Runtime) -> Self {
        let mut port = Self {
            runtime,
            rest: Self::open(runtime),
            compios: ptr::null(),
        };
        runtime.flush();
        runtime.waker().wake();
        let packets = port.take();
        assert_eq!(packets.len(), 1, "compio's waker posts a packet");
        port.compios = packets[0].lpOverlapped.cast();
        port
    }

    fn open(runtime: &Runtime) -> Rest {
        // SAFETY: the runtime's port is open.
        let handle = unsafe { BorrowedHandle::borrow_raw(runtime.as_raw_fd() as _) };
        Rest(handle.try_clone_to_owned().unwrap())
    }

    /// Another handle, which keeps the port open.
    pub(crate) fn stays_open(&self) -> Rest {
        Self::open(self.runtime)
    }

    /// How many of these are not from compio's own waker.
    pub(crate) fn ours(&self, packets: &[OVERLAPPED_ENTRY]) -> usize {
        packets
            .iter()
            .filter(|packet| !ptr::eq(packet.lpOverlapped.cast(), self.compios))
            .count()
    }

    /// Runs the runtime until nothing is to be done.
    pub(crate) fn quiesce(&mut self) {
        let mut quiet = 0;
        while quiet < 3 {
            quiet += 1;
            if self.runtime.enter(|| self.runtime.run()) {
                quiet = 0;
            }
            self.runtime
                .enter(|| self.runtime.poll_with(Some(Duration::ZERO)));
        }
        // From now on, compio's waker would post.
        self.runtime.flush();
    }

    /// Takes out what lies in the port.
    pub(crate) fn take(&mut self) -> Vec<OVERLAPPED_ENTRY> {
        self.rest.take()
    }

    /// Puts packets back.
    pub(crate) fn put(&mut self, packets: Vec<OVERLAPPED_ENTRY>) {
        for packet in packets {
            // SAFETY: it was posted before, and was taken out.
            let done = unsafe {
                PostQueuedCompletionStatus(
                    self.rest.0.as_raw_handle(),
                    packet.dwNumberOfBytesTransferred,
                    packet.lpCompletionKey,
                    packet.lpOverlapped,
                )
            };
            assert_ne!(done, 0);
        }
    }
}
