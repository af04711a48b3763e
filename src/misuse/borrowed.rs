//! What is borrowed from a primitive lives no longer and gives no more than it should.

/// A guard does not outlive its lock, nor does what it was mapped to; an owned one may.
///
/// ```
/// let kept;
/// {
///     let lock = std::sync::Arc::new(compio_sync::RwLock::new((1, 2)));
///     let guard = lock.try_read_owned().unwrap();
///     kept = compio_sync::OwnedRwLockReadGuard::map(guard, |both| &both.0);
/// }
/// assert_eq!(*kept, 1);
/// ```
///
/// ```compile_fail,E0597
/// let kept;
/// {
///     let lock = compio_sync::RwLock::new((1, 2));
///     kept = lock.try_read();
/// }
/// drop(kept);
/// ```
///
/// ```compile_fail,E0597
/// let kept;
/// {
///     let lock = compio_sync::RwLock::new((1, 2));
///     let guard = lock.try_write().unwrap();
///     kept = compio_sync::RwLockWriteGuard::map(guard, |both| &mut both.0);
/// }
/// drop(kept);
/// ```
///
/// ```compile_fail,E0597
/// let kept;
/// {
///     let mutex = compio_sync::Mutex::new((1, 2));
///     let guard = mutex.try_lock().unwrap();
///     kept = compio_sync::MutexGuard::map(guard, |both| &mut both.0);
/// }
/// drop(kept);
/// ```
pub struct MappedGuardOutlivesLock;

/// A guard that reads is sent only if what it reads may be shared, one that was mapped only if
/// the part may be.
///
/// ```
/// fn send<T: Send>(_: T) {}
/// let lock = compio_sync::RwLock::new(1);
/// send(lock.try_read());
/// ```
///
/// ```compile_fail,E0277
/// fn send<T: Send>(_: T) {}
/// let lock = compio_sync::RwLock::new(std::cell::Cell::new(1));
/// send(lock.try_read());
/// ```
///
/// ```compile_fail,E0277
/// use std::{cell::Cell, sync::Mutex};
/// fn send<T: Send>(_: T) {}
/// let cell: &'static Cell<i32> = Box::leak(Box::new(Cell::new(1)));
/// let lock = compio_sync::RwLock::new(1);
/// let guard = lock.try_read().unwrap();
/// send(compio_sync::RwLockReadGuard::map(guard, |_| cell));
/// ```
///
/// ```compile_fail,E0277
/// use std::cell::Cell;
/// fn send<T: Send>(_: T) {}
/// let lock = compio_sync::RwLock::new(std::rc::Rc::new(1));
/// send(lock.try_write());
/// ```
pub struct ReadGuardOfWhatIsNotSync;

/// What was mapped to read is not written.
///
/// ```
/// use compio_sync::{RwLock, RwLockWriteGuard};
/// let lock = RwLock::new((1, 2));
/// *RwLockWriteGuard::map(lock.try_write().unwrap(), |both| &mut both.0) += 1;
/// ```
///
/// ```compile_fail,E0594
/// use compio_sync::{RwLock, RwLockReadGuard};
/// let lock = RwLock::new((1, 2));
/// *RwLockReadGuard::map(lock.try_read().unwrap(), |both| &both.0) += 1;
/// ```
///
/// ```compile_fail
/// use compio_sync::{RwLock, RwLockReadGuard};
/// let lock = RwLock::new((1, 2));
/// let guard = RwLockReadGuard::map(lock.try_read().unwrap(), |both| &mut both.0);
/// ```
pub struct MappedReaderThatWrites;

/// A future does not outlive what it waits for.
///
/// ```
/// let token = compio_sync::CancellationToken::new();
/// let wait = token.cancelled_owned();
/// drop(wait);
/// ```
///
/// ```compile_fail,E0505
/// let token = compio_sync::CancellationToken::new();
/// let wait = token.cancelled();
/// drop(token);
/// drop(wait);
/// ```
///
/// ```compile_fail,E0505
/// let barrier = compio_sync::Barrier::new(2);
/// let wait = barrier.wait();
/// drop(barrier);
/// drop(wait);
/// ```
///
/// ```compile_fail,E0505
/// let latch = compio_sync::Latch::new(2);
/// let wait = latch.wait();
/// drop(latch);
/// drop(wait);
/// ```
///
/// ```compile_fail,E0505
/// let group = compio_sync::WaitGroup::new();
/// let guard = group.add();
/// drop(group);
/// drop(guard);
/// ```
///
/// ```compile_fail,E0505
/// let lazy = compio_sync::Lazy::new(async || 1);
/// let value = lazy.get();
/// drop(lazy);
/// drop(value);
/// ```
pub struct FutureOutlivesWhatItWaitsFor;

/// What is dropped at once does nothing: a future that is not awaited, a guard that is not kept.
///
/// ```
/// #![deny(unused_must_use)]
/// let lock = compio_sync::RwLock::new(1);
/// let group = compio_sync::WaitGroup::new();
/// let (reader, guard) = (lock.read(), group.add());
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// compio_sync::RwLock::new(1).read();
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// compio_sync::WaitGroup::new().add();
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// compio_sync::CancellationToken::new().drop_guard();
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// compio_sync::Barrier::new(2).wait();
/// ```
pub struct DroppedAtOnce;
