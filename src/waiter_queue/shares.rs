//! How many addresses point to a home.
//!
//! Almost all of them come and go on the thread of the home, which counts them in a plain
//! number. Those that go on another thread are counted down in an atomic, which starts high
//! enough never to come to nothing; when the runtime ends, the one is added to the other.
//! (Biased reference counting: Choi, Shull and Torrellas, PACT 2018.)
//!
//! | the runtime | an address comes | goes here | goes elsewhere | was it the last? |
//! | --- | --- | --- | --- | --- |
//! | is there | `here` + 1 | `here` - 1 | `rest` - 1 | not asked |
//! | ends | | | | if `here` + `rest` = `OPEN` |
//! | has ended: `rest` is both, less `OPEN` | never | `rest` - 1 | `rest` - 1 | if `rest` was 1 |
//!
//! Invariant `COUNT`: exactly one call says that it was the last, after the runtime has ended,
//! and none comes after it.

use crate::sys::sync::{AtomicUsize, Ordering, UnsafeCell};

/// More than there can ever be.
const OPEN: usize = usize::MAX / 2 + 1;

struct Here {
    count: usize,
    settled: bool,
}

pub(crate) struct Shares {
    /// Touched by the home's own thread alone.
    here: UnsafeCell<Here>,
    rest: AtomicUsize,
}

// SAFETY: `here` is touched by one thread alone, which the functions that do so demand.
unsafe impl Send for Shares {}
// SAFETY: as above.
unsafe impl Sync for Shares {}

impl Shares {
    pub(crate) fn new() -> Self {
        Self {
            here: UnsafeCell::new(Here {
                count: 0,
                settled: false,
            }),
            rest: AtomicUsize::new(OPEN),
        }
    }

    /// # Safety
    ///
    /// HERE: on the home's own thread, while its runtime has not ended.
    #[inline]
    pub(crate) unsafe fn add(&self) {
        // SAFETY: the caller's promise.
        self.here.with_mut(|here| unsafe { (*here).count += 1 });
    }

    /// Whether it was the last.
    ///
    /// # Safety
    ///
    /// HERE: on the home's own thread.
    #[inline]
    pub(crate) unsafe fn remove_here(&self) -> bool {
        // SAFETY: the caller's promise.
        let settled = self.here.with_mut(|here| unsafe {
            if !(*here).settled {
                (*here).count -= 1;
            }
            (*here).settled
        });
        settled && self.remove_elsewhere()
    }

    /// Whether it was the last.
    #[inline]
    pub(crate) fn remove_elsewhere(&self) -> bool {
        // Release and acquire: pairs with itself and with `settle`. The last one lets go of the
        // home after all have done with it.
        self.rest.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The runtime ends. Whether there are none left already.
    ///
    /// # Safety
    ///
    /// HERE: on the home's own thread, once.
    pub(crate) unsafe fn settle(&self) -> bool {
        // SAFETY: the caller's promise.
        let count = self.here.with_mut(|here| unsafe {
            (*here).settled = true;
            (*here).count
        });
        let less = OPEN - count;
        // As in `remove_elsewhere`.
        self.rest.fetch_sub(less, Ordering::AcqRel) == less
    }
}
