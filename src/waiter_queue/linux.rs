//! The doorbell of a runtime on io_uring: a futex wait that is armed on its own ring.
//!
//! | state of the drain task | the word | a ring |
//! | --- | --- | --- |
//! | before it looks | any | is seen by the drain |
//! | has drained, not armed yet | as seen | changes it: the operation ends at once (`EAGAIN`) |
//! | armed | as seen | ends the operation |
//! | ended, not drained yet | any | does not come: the mailbox is awake |
//!
//! Should something else end it, such as a cancellation of all that is on the ring, it is armed
//! again. The operation is dropped before its end only with the drain task, and that only with
//! its runtime; `sys::futex` says what that means for a later wait at the same address.
//!
//! The runtime drains its mailbox where the completion is delivered, inside of its driver, as
//! far as the wakers are those of its tasks; the drain task does the rest and arms again.
//! Should the kernel refuse the operation after all, the drain task's waker takes over.
//!
//! Invariant `WORD`: the operation shares in the word, so it stays where it is until the driver
//! has let go of the operation: at its completion, or when the ring is gone.

use std::{io, sync::OnceLock, task::Waker};

use compio_driver::{Extra, IourOpCode, OpEntry};
use compio_runtime::Runtime;

use super::{Backend, Doorbell, drain, home::Home, runtime::Keeper, wakers::contain};
use crate::sys::{
    futex::{self, Word},
    sync::Arc,
};

#[derive(Default)]
struct Bell {
    word: Word,
    /// Set if the kernel has refused: the drain task's waker.
    refused: OnceLock<Waker>,
}

impl Doorbell for Arc<Bell> {
    fn backend(&self) -> Backend {
        if self.refused.get().is_some() {
            Backend::Generic
        } else {
            Backend::Futex
        }
    }

    fn ring(&self) {
        match self.refused.get() {
            None => self.word.change(),
            Some(waker) => contain(|| waker.wake_by_ref()),
        }
    }
}

/// The operation: waits until the bell is rung.
struct Wait {
    bell: Arc<Bell>,
    home: Arc<Home>,
    seen: u32,
}

// SAFETY: WORD: the entry points to the word, which `self.bell` keeps.
unsafe impl IourOpCode for Wait {
    type Control = ();

    fn create_entry(&mut self, (): &mut ()) -> OpEntry {
        self.bell.word.wait(self.seen).into()
    }

    /// Only if the driver finds the operation unsupported that we found supported.
    fn call_blocking(&mut self, (): &mut ()) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    unsafe fn set_result(&mut self, (): &mut (), result: &io::Result<usize>, _: &Extra) {
        if result.is_ok() {
            self.home.wake_tasks();
        }
    }
}

/// With its feature `polling` compio-driver decides at run time between io_uring and a poller,
/// and an operation has to be one of both; without it there is no such thing as `PollOpCode`.
/// We cannot see the features of a dependency. So the names are looked up in compio-driver
/// first, and found in a stand-in if it has none.
mod polling {
    const _: () = {
        #[allow(unused_imports)]
        use stand_in::{Decision, PollOpCode};
        const _: () = {
            #[allow(unused_imports)]
            use compio_driver::*;

            // SAFETY: it is never submitted to a poller, and would only fail.
            unsafe impl PollOpCode for super::Wait {
                type Control = ();

                fn pre_submit(&mut self, (): &mut ()) -> std::io::Result<Decision> {
                    Err(std::io::ErrorKind::Unsupported.into())
                }

                fn operate(&mut self, (): &mut ()) -> std::task::Poll<std::io::Result<usize>> {
                    std::task::Poll::Ready(Err(std::io::ErrorKind::Unsupported.into()))
                }
            }
        };
    };

    #[allow(dead_code)]
    mod stand_in {
        pub(super) enum Decision {}

        /// # Safety
        ///
        /// Nobody calls it.
        pub(super) unsafe trait PollOpCode {
            type Control;
            fn pre_submit(&mut self, control: &mut ()) -> std::io::Result<Decision>;
            fn operate(&mut self, control: &mut ()) -> std::task::Poll<std::io::Result<usize>>;
        }
    }
}

/// Gives the keeper back if this runtime does not run on an io_uring with futex operations.
pub(super) fn install(runtime: &Runtime, keeper: Keeper) -> Result<(), Keeper> {
    if !runtime.driver_type().is_iouring() || !futex::is_supported() {
        return Err(keeper);
    }
    #[cfg(not(test))]
    let bell = Arc::new(Bell::default());
    #[cfg(test)]
    let bell = tests::new_bell();
    keeper.home().hang(Box::new(Arc::clone(&bell)));
    runtime.spawn(answer(keeper, bell)).detach();
    Ok(())
}

async fn answer(keeper: Keeper, bell: Arc<Bell>) {
    keeper.home().set_running();
    let home = keeper.home();
    let wait = |seen| {
        let ended = compio_runtime::submit(Wait {
            bell: Arc::clone(&bell),
            home: Arc::clone(home),
            seen,
        });
        async {
            let end = ended.await.0;
            #[cfg(test)]
            tests::note_end(&end);
            match end {
                Ok(_) => true,
                Err(error) => futex::is_passing(&error),
            }
        }
    };
    drain::when_changed(home, || bell.word.look(), wait).await;
    drain::when_woken(home, &bell.refused).await;
}

#[cfg(test)]
mod tests;
