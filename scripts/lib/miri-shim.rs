
/// What a compio runtime asks the system for and Miri doesn't have: added to the crate
/// by scripts/miri.sh. A poller without a timer uses the timeout of `epoll_wait`.
mod miri_shim {
    unsafe extern "C" {
        fn __errno_location() -> *mut i32;
    }

    #[unsafe(no_mangle)]
    extern "C" fn timerfd_create(_clock: i32, _flags: i32) -> i32 {
        const ENOSYS: i32 = 38;
        // SAFETY: it is this thread's.
        unsafe { *__errno_location() = ENOSYS };
        -1
    }
}
