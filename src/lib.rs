// Of two definitions of a link the first counts: in the documentation the links of the README
// lead elsewhere than in the repository.
//! [`Semaphore`]: Semaphore
//! [`Mutex`]: Mutex
//! [`RwLock`]: RwLock
//! [`Condvar`]: Condvar
//! [`Notify`]: Notify
//! [`Event`]: Event
//! [`Barrier`]: Barrier
//! [`OnceCell`]: OnceCell
//! [`Lazy`]: Lazy
//! [`CancellationToken`]: CancellationToken
//! [`Latch`]: Latch
//! [`WaitGroup`]: WaitGroup
//! [`Backend`]: Backend
//! [`backend`]: backend()
//! [The example]: https://docs.rs/crate/compio-sync/latest/source/examples/tokio_hang.rs
//! [Architecture]: https://docs.rs/crate/compio-sync/latest/source/docs/ARCHITECTURE.md
//! [Cancellation]: https://docs.rs/crate/compio-sync/latest/source/docs/CANCELLATION.md
//! [Migration]: https://docs.rs/crate/compio-sync/latest/source/docs/MIGRATION.md
//! [Platforms]: https://docs.rs/crate/compio-sync/latest/source/docs/PLATFORMS.md
//! [Research]: https://docs.rs/crate/compio-sync/latest/source/docs/RESEARCH.md
//!
#![doc = include_str!("../README.md")]

mod barrier;
mod cancellation_token;
mod condvar;
mod event;
mod gate;
mod latch;
#[cfg(doctest)]
pub mod misuse;
#[cfg(all(test, loom))]
#[cfg_attr(shuttle, path = "models/shuttle.rs")]
mod models;
mod mutex;
mod notify;
mod once_cell;
mod permits;
mod rwlock;
mod semaphore;
pub(crate) mod sys;
mod wait_group;
mod waiter_queue;
pub use barrier::{Barrier, BarrierWait, BarrierWaitResult};
pub use cancellation_token::{
    CancellationToken, Cancelled, CancelledOwned, DropGuard, RunUntilCancelled,
    RunUntilCancelledOwned,
};
pub use condvar::{Condvar, CondvarWait, CondvarWaitWhile};
pub use event::{Event, EventWait};
pub use latch::{Latch, LatchGuard, LatchWait, OwnedLatchGuard};
pub use mutex::{
    Lock, LockOwned, MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard,
};
pub use notify::{Notified, Notify, OwnedNotified};
pub use once_cell::{GetOrInit, GetOrTryInit, Lazy, OnceCell, OnceCellWait, SetError};
pub use rwlock::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, OwnedMappedRwLockReadGuard,
    OwnedMappedRwLockWriteGuard, OwnedRwLockReadGuard, OwnedRwLockUpgradableReadGuard,
    OwnedRwLockWriteGuard, RwLock, RwLockRead, RwLockReadGuard, RwLockReadOwned,
    RwLockUpgradableRead, RwLockUpgradableReadGuard, RwLockUpgradableReadOwned, RwLockUpgrade,
    RwLockUpgradeOwned, RwLockWrite, RwLockWriteGuard, RwLockWriteOwned,
};
pub use semaphore::{Acquire, AcquireOwned, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
pub use wait_group::{OwnedWaitGroupGuard, WaitGroup, WaitGroupGuard, WaitGroupWait};
// For this crate's own tests and benchmarks; no part of the interface.
#[cfg(not(loom))]
#[doc(hidden)]
pub use waiter_queue::force_generic_doorbell;
pub use waiter_queue::{Backend, backend, try_backend};

/// Their examples are tested as well.
#[cfg(doctest)]
mod documents {
    #![doc = include_str!("../docs/CANCELLATION.md")]
    #![doc = include_str!("../docs/MIGRATION.md")]
}
