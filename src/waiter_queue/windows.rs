//! The doorbell of a runtime on a completion port: a packet for an operation that is pending on
//! that very port.
//!
//! The drain task keeps one operation pending (`sys::packet` has its states). A ring takes it out
//! and posts it: one packet for all that lies in the mailbox, none while one is on its way. The
//! runtime drains where the packet is taken in, as far as the wakers are those of its tasks; the
//! drain task does the rest and enters the operation again. Should a packet be refused, which
//! takes a machine without memory, the drain task's waker takes over.
//!
//! Invariant `PORT`: the home holds the waker of the driver, which keeps the port open. Whoever
//! rings has a share of the home, and so has the drain task.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};

use compio_driver::{AsRawFd, Extra, OpCode, OpType};
use compio_runtime::Runtime;
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::{
    Backend, Doorbell, drain,
    home::{Home, contain},
    runtime::Keeper,
};
use crate::sys::{packet::Slot, sync::Arc};

struct Bell {
    slot: Slot,
    /// The drain task's waker.
    waker: OnceLock<Waker>,
    refused: AtomicBool,
}

impl Doorbell for Arc<Bell> {
    fn backend(&self) -> Backend {
        // Relaxed: may be old when it is read.
        if self.refused.load(Ordering::Relaxed) {
            Backend::Generic
        } else {
            Backend::Iocp
        }
    }

    fn ring(&self) {
        // Acquire: pairs with the release below; the task that set it drains when woken.
        let refused = self.refused.load(Ordering::Acquire);
        if (refused || self.slot.ring().is_err())
            && let Some(waker) = self.waker.get()
        {
            // Release: pairs with the acquire in `answer`.
            self.refused.store(true, Ordering::Release);
            contain(|| waker.wake_by_ref());
        }
    }
}

/// The operation: waits until the bell is rung.
struct Wait {
    bell: Arc<Bell>,
    /// Gone once it is cancelled: should the runtime go without taking the packet in, compio never
    /// frees the operation, and the home must not stay with it.
    home: Option<Arc<Home>>,
}

// SAFETY: an operation of type `Overlapped` that stays pending until its packet comes.
unsafe impl OpCode for Wait {
    type Control = ();

    fn op_type(&self, (): &()) -> OpType {
        OpType::Overlapped
    }

    unsafe fn operate(
        &mut self,
        (): &mut (),
        operation: *mut OVERLAPPED,
    ) -> Poll<io::Result<usize>> {
        if self.bell.slot.wait(operation) {
            Poll::Pending
        } else {
            Poll::Ready(Ok(0))
        }
    }

    fn cancel(&mut self, (): &mut (), _: *mut OVERLAPPED) -> io::Result<()> {
        self.home = None;
        self.bell.slot.end()
    }

    unsafe fn set_result(&mut self, (): &mut (), _: &io::Result<usize>, _: &Extra) {
        if let Some(home) = &self.home {
            home.wake_tasks();
        }
    }
}

/// Gives the keeper back if this runtime does not run on a completion port.
pub(super) fn install(runtime: &Runtime, keeper: Keeper) -> Result<(), Keeper> {
    if !runtime.driver_type().is_iocp() {
        return Err(keeper);
    }
    let bell = Arc::new(Bell {
        // SAFETY: PORT.
        slot: unsafe { Slot::new(runtime.as_raw_fd() as _) },
        waker: OnceLock::new(),
        refused: AtomicBool::new(false),
    });
    keeper.home().hang(Box::new(Arc::clone(&bell)));
    runtime.spawn(answer(keeper, bell)).detach();
    Ok(())
}

async fn answer(keeper: Keeper, bell: Arc<Bell>) {
    keeper.home().set_running();
    let home = keeper.home();
    // Acquire: pairs with the release in `ring`.
    while !bell.refused.load(Ordering::Acquire) {
        poll_fn(|cx| {
            bell.waker.get_or_init(|| cx.waker().clone());
            Poll::Ready(())
        })
        .await;
        if home.drain() {
            drain::pass().await;
            continue;
        }
        let mut wait = pin!(compio_runtime::submit(Wait {
            bell: Arc::clone(&bell),
            home: Some(Arc::clone(home)),
        }));
        poll_fn(|cx| {
            // An error ends the wait as a packet does: the mailbox is looked at again.
            if bell.refused.load(Ordering::Acquire) || wait.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
    drain::when_woken(home, &bell.waker).await;
}
