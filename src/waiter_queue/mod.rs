//! Who waits, in which order, and how a wake-up travels.
//!
//! [`WaiterQueue`] alone decides the order; it is the same code everywhere. A
//! wake-up then travels one of two ways: on the waiter's own thread, or for no
//! runtime at all, its waker is called; for another thread's runtime the waiter
//! is posted to its [`Home`](home::Home), whose [`Doorbell`] is rung if need be.
//!
//! Invariants carry the unsafe code of this layer, and its comments cite them: `MEMBER` (see
//! [`list`]), `FIRST` (see [`classes`]), `PHASE`, `ADDRESS` and `LEVEL` (see [`waiter`]), `EPOCH` (see
//! [`send`]), `SHARE` (see [`address`]), `COUNT` (see [`shares`]), `HERE` (see [`runtime`]), `OUTBOX`
//! (see [`mail`]).

mod address;
mod batch;
mod blocking;
mod classes;
#[cfg(any(not(loom), all(test, not(shuttle))))]
mod drain;
#[cfg(all(test, loom, not(shuttle)))]
mod futex_loom;
#[cfg(not(loom))]
mod generic;
mod home;
#[cfg(all(target_os = "linux", feature = "linux-futex", not(loom)))]
mod linux;
mod list;
mod mail;
mod queue;
#[cfg_attr(loom, path = "runtime_loom.rs")]
mod runtime;
mod send;
mod shares;
mod waiter;
mod wakers;
#[cfg(all(windows, feature = "windows-iocp", not(loom)))]
mod windows;

#[cfg(all(test, loom, not(shuttle)))]
pub(crate) use self::futex_loom::Futex;
#[cfg(not(loom))]
pub use self::runtime::force_generic_doorbell;
#[cfg(all(test, loom))]
#[cfg_attr(shuttle, allow(unused_imports))]
pub(crate) use self::runtime::{Kind, Runtime, status};
pub use self::runtime::{backend, try_backend};
#[cfg(all(test, loom))]
#[cfg_attr(shuttle, allow(unused_imports))]
pub(crate) use self::shares::Shares;
pub(crate) use self::{
    address::Place,
    blocking::block_on,
    classes::{Classes, LockedClasses},
    queue::{Locked, WaiterQueue},
    waiter::{Phase, Waiter},
};

/// How wake-ups from other threads reach a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// A futex wait armed on the runtime's own io_uring is completed.
    Futex,
    /// A packet is posted to the runtime's own completion port.
    Iocp,
    /// A task of the runtime is woken through compio's own waker.
    Generic,
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Futex => "futex",
            Self::Iocp => "iocp",
            Self::Generic => "generic",
        })
    }
}

/// What the mailbox of a runtime asks of the platform.
///
/// - `install` makes the doorbell and the task that answers it, and returns at
///   once. The task holds the `Keeper`: when the runtime drops its tasks, the
///   home is closed.
/// - The task drains the mailbox once without being rung. After each drain that
///   found the mailbox empty, a ring that begins later leads to another drain, on
///   the runtime's thread, as soon as the runtime looks for events.
/// - `ring` is called from any thread, without locks, at most once between two
///   drains. It does not wait for the runtime's thread (`generic` says when it
///   cannot keep that), does nothing once the runtime is gone, and never panics.
trait Doorbell: Send + Sync {
    fn backend(&self) -> Backend;
    fn ring(&self);
}

/// Picks the doorbell of a runtime: the best that this very runtime supports.
#[cfg(not(loom))]
fn install(runtime: &compio_runtime::Runtime, keeper: runtime::Keeper) {
    if runtime::is_generic_forced() {
        return generic::install(runtime, keeper);
    }
    #[cfg(all(target_os = "linux", feature = "linux-futex"))]
    let keeper = match linux::install(runtime, keeper) {
        Ok(()) => return,
        Err(keeper) => keeper,
    };
    #[cfg(all(windows, feature = "windows-iocp"))]
    let keeper = match windows::install(runtime, keeper) {
        Ok(()) => return,
        Err(keeper) => keeper,
    };
    generic::install(runtime, keeper);
}
