//! Which thread runs when, on Linux.

use std::mem::{size_of, zeroed};

/// Lets this thread run on the first processor alone.
pub fn pin_to_one_processor() {
    // SAFETY: the set is plain data, which is all zeros when empty, and is only read.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::CPU_SET(0, &mut set);
        // Without the right to it nothing changes.
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// Gives this thread a real-time priority. False without the right to one.
pub fn raise() -> bool {
    let priority = libc::sched_param { sched_priority: 50 };
    // SAFETY: plain data, which is only read.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) == 0 }
}
