//! Whether a runtime's thread sleeps.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Waits until a thread sleeps in its ring, where the kernel tells in which call a thread is;
/// elsewhere for a while.
pub(crate) fn wait_until_asleep(thread: libc::pid_t) {
    let call = format!("/proc/self/task/{thread}/syscall");
    let in_its_ring = format!("{} ", libc::SYS_io_uring_enter);
    let deadline = Instant::now() + Duration::from_secs(60);
    while std::fs::read_to_string(&call).is_ok_and(|call| !call.starts_with(&in_its_ring))
        && Instant::now() < deadline
    {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(50));
}
