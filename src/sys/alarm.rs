//! Windows: a call from one of the system's own threads, a moment after it was asked for.
//!
//! Facts that this file relies on:
//!
//! - Setting a thread pool's timer that is set already only moves it, and cannot fail.
//! - After `WaitForThreadpoolTimerCallbacks` on a timer that is not set, no call of it runs.

use std::{
    ffi::c_void,
    io, ptr,
    sync::atomic::{AtomicBool, Ordering},
};

use windows_sys::Win32::{
    Foundation::FILETIME,
    System::Threading::{
        CloseThreadpoolTimer, CreateThreadpoolTimer, PTP_CALLBACK_INSTANCE, PTP_TIMER,
        SetThreadpoolTimer, WaitForThreadpoolTimerCallbacks,
    },
};

/// A millisecond from now, in units of 100 ns; negative because it is not a date.
const A_MOMENT: i64 = -10_000;

/// What is called. Must not panic, nor drop the alarm.
pub(crate) trait Call: Send + Sync {
    fn call(&self);
}

#[cfg(test)]
thread_local! {
    /// Whether alarms that this thread sets never go off.
    pub(crate) static OFF: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

struct Context<C> {
    is_set: AtomicBool,
    call: C,
}

/// Invariant `ALARM`: the context is freed after the timer's last call, and moves for nobody.
pub(crate) struct Alarm<C: Call> {
    timer: PTP_TIMER,
    context: *const Context<C>,
}

// SAFETY: a timer may be used by every thread; of the context there are only shared references,
// to a `Call`, which may be used and dropped by every thread.
unsafe impl<C: Call> Send for Alarm<C> {}
// SAFETY: as above.
unsafe impl<C: Call> Sync for Alarm<C> {}

impl<C: Call> Alarm<C> {
    pub(crate) fn new(call: C) -> io::Result<Self> {
        let context = Box::into_raw(Box::new(Context {
            is_set: AtomicBool::new(false),
            call,
        }));
        // SAFETY: ALARM.
        let timer =
            unsafe { CreateThreadpoolTimer(Some(go_off::<C>), context.cast(), ptr::null()) };
        if timer == 0 {
            let error = io::Error::last_os_error();
            // SAFETY: ALARM: there is no timer.
            drop(unsafe { Box::from_raw(context) });
            return Err(error);
        }
        Ok(Self { timer, context })
    }

    pub(crate) fn get(&self) -> &C {
        // SAFETY: ALARM.
        unsafe { &(*self.context).call }
    }

    /// Sees to it that a call begins after this, and soon.
    pub(crate) fn set(&self) {
        #[cfg(test)]
        if OFF.get() {
            return;
        }
        // SAFETY: ALARM.
        let context = unsafe { &*self.context };
        // Release: pairs with the acquire in `go_off`; it sees what was done before this.
        if context.is_set.swap(true, Ordering::AcqRel) {
            return;
        }
        let due = FILETIME {
            dwLowDateTime: A_MOMENT as u32,
            dwHighDateTime: (A_MOMENT >> 32) as u32,
        };
        // SAFETY: the timer is there as long as we are.
        unsafe { SetThreadpoolTimer(self.timer, &due, 0, 0) };
    }
}

impl<C: Call> Drop for Alarm<C> {
    fn drop(&mut self) {
        // SAFETY: ALARM: nobody sets it any more, so after the wait there is no call.
        unsafe {
            SetThreadpoolTimer(self.timer, ptr::null(), 0, 0);
            WaitForThreadpoolTimerCallbacks(self.timer, 1);
            CloseThreadpoolTimer(self.timer);
            drop(Box::from_raw(self.context.cast_mut()));
        }
    }
}

unsafe extern "system" fn go_off<C: Call>(
    _: PTP_CALLBACK_INSTANCE,
    context: *mut c_void,
    _: PTP_TIMER,
) {
    // SAFETY: ALARM.
    let context = unsafe { &*context.cast::<Context<C>>() };
    // Before the call: who sets it from now on gets another. Acquire: pairs with the release
    // in `set`, whose caller got none of its own.
    context.is_set.swap(false, Ordering::AcqRel);
    context.call.call();
}
