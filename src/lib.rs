#![doc = "x"]
mod condvar;
mod event;
#[cfg(all(test, loom))]
mod models;
mod mutex;
mod notify;
mod permits;
mod semaphore;
pub(crate) mod sys;
mod waiter_queue;
pub use condvar::{Condvar, CondvarWait, CondvarWaitWhile};
pub use event::{Event, EventWait};
pub use mutex::{
    Lock, LockOwned, MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard,
};
pub use notify::{Notified, Notify, OwnedNotified};
pub use semaphore::{Acquire, AcquireOwned, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
#[cfg(not(loom))]
#[doc(hidden)]
pub use waiter_queue::force_generic_doorbell;
pub use waiter_queue::{Backend, backend, try_backend};
