//! Whether a runtime's thread sleeps.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Where the drivers of compio sleep: in a ring, or in the poller.
const SLEEPS: &[libc::c_long] = &[
    libc::SYS_io_uring_enter,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
];

/// Waits until a thread sleeps in its driver, where the kernel tells in which call a thread is;
/// elsewhere for a while.
pub(crate) fn wait_until_asleep(thread: libc::pid_t) {
    let call = format!("/proc/self/task/{thread}/syscall");
    let is_in_its_driver = |call: String| SLEEPS.iter().any(|s| call.starts_with(&format!("{s} ")));
    let deadline = Instant::now() + Duration::from_secs(60);
    while std::fs::read_to_string(&call).is_ok_and(|call| !is_in_its_driver(call))
        && Instant::now() < deadline
    {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(50));
}
