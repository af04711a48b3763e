//! What must not compile; each beside what does, so that it fails for no other reason. Only
//! there when the documentation is tested.

pub mod borrowed;

/// A guard is not sent to another thread if its data may not be.
///
/// ```
/// fn send<T: Send>(_: T) {}
/// let mutex = compio_sync::Mutex::new(std::cell::Cell::new(1));
/// send(mutex.try_lock());
/// ```
///
/// ```compile_fail,E0277
/// fn send<T: Send>(_: T) {}
/// let mutex = compio_sync::Mutex::new(std::rc::Rc::new(1));
/// send(mutex.try_lock());
/// ```
pub struct GuardOfWhatIsNotSend;

/// A guard is not shared if its data may not be.
///
/// ```
/// fn share<T: Sync>(_: &T) {}
/// let mutex = compio_sync::Mutex::new(1);
/// share(&mutex.try_lock().unwrap());
/// ```
///
/// ```compile_fail,E0277
/// fn share<T: Sync>(_: &T) {}
/// let mutex = compio_sync::Mutex::new(std::cell::Cell::new(1));
/// share(&mutex.try_lock().unwrap());
/// ```
pub struct GuardOfWhatIsNotSync;

/// A mutex shares what may be sent, and nothing else.
///
/// ```
/// fn share<T: Sync>(_: &T) {}
/// share(&compio_sync::Mutex::new(std::cell::Cell::new(1)));
/// ```
///
/// ```compile_fail,E0277
/// fn share<T: Sync>(_: &T) {}
/// share(&compio_sync::Mutex::new(std::rc::Rc::new(1)));
/// ```
pub struct MutexOfWhatIsNotSend;

/// The future of a lock goes to another thread only if the data may.
///
/// ```
/// fn send<T: Send>(_: T) {}
/// let mutex = compio_sync::Mutex::new(1);
/// send(mutex.lock());
/// ```
///
/// ```compile_fail,E0277
/// fn send<T: Send>(_: T) {}
/// let mutex = compio_sync::Mutex::new(std::rc::Rc::new(1));
/// send(mutex.lock());
/// ```
pub struct LockOfWhatIsNotSend;

/// A guard does not outlive its mutex.
///
/// ```
/// let mutex = compio_sync::Mutex::new(1);
/// let guard = mutex.try_lock();
/// drop(guard);
/// ```
///
/// ```compile_fail,E0597
/// let guard;
/// {
///     let mutex = compio_sync::Mutex::new(1);
///     guard = mutex.try_lock();
/// }
/// drop(guard);
/// ```
pub struct GuardOutlivesMutex;

/// What a guard gives out does not outlive the guard.
///
/// ```compile_fail,E0505
/// let mutex = compio_sync::Mutex::new(vec![1]);
/// let mut guard = mutex.try_lock().unwrap();
/// let first = &mut guard[0];
/// drop(guard);
/// *first = 2;
/// ```
///
/// Nor does a part leave through the closure that chooses it.
///
/// ```compile_fail
/// let mutex = compio_sync::Mutex::new(vec![1]);
/// let mut kept = None;
/// let guard = compio_sync::MutexGuard::map(mutex.try_lock().unwrap(), |list| {
///     kept = Some(&mut list[0]);
///     &mut list[0]
/// });
/// ```
///
/// ```
/// let mutex = compio_sync::Mutex::new(vec![1]);
/// let mut kept = None;
/// let guard = compio_sync::MutexGuard::map(mutex.try_lock().unwrap(), |list| {
///     kept = Some(list[0]);
///     &mut list[0]
/// });
/// ```
pub struct DataOutlivesGuard;

/// A guard is invariant: nobody puts short-lived data into it.
///
/// ```compile_fail
/// fn shorten<'a, 'b>(
///     guard: compio_sync::MutexGuard<'a, &'static str>,
/// ) -> compio_sync::MutexGuard<'a, &'b str> {
///     guard
/// }
/// ```
///
/// ```
/// fn keep<'a>(
///     guard: compio_sync::MutexGuard<'a, &'static str>,
/// ) -> compio_sync::MutexGuard<'a, &'static str> {
///     guard
/// }
/// ```
pub struct GuardIsInvariant;

/// A read-write lock shares what may be sent and shared, and nothing else.
///
/// ```
/// fn share<T: Sync>(_: &T) {}
/// share(&compio_sync::RwLock::new(1));
/// ```
///
/// ```compile_fail,E0277
/// fn share<T: Sync>(_: &T) {}
/// share(&compio_sync::RwLock::new(std::cell::Cell::new(1)));
/// ```
pub struct RwLockOfWhatIsNotSync;

/// A reader does not write.
///
/// ```
/// let lock = compio_sync::RwLock::new(1);
/// *lock.try_write().unwrap() += 1;
/// ```
///
/// ```compile_fail,E0594
/// let lock = compio_sync::RwLock::new(1);
/// *lock.try_read().unwrap() += 1;
/// ```
///
/// ```compile_fail,E0594
/// let lock = compio_sync::RwLock::new(1);
/// *lock.try_upgradable_read().unwrap() += 1;
/// ```
pub struct ReaderThatWrites;

/// A guard is used up by the step to another kind of guard.
///
/// ```
/// use compio_sync::{RwLock, RwLockWriteGuard};
/// let lock = RwLock::new(1);
/// let mut guard = lock.try_write().unwrap();
/// *guard = 2;
/// let reader = RwLockWriteGuard::downgrade(guard);
/// ```
///
/// ```compile_fail,E0382
/// use compio_sync::{RwLock, RwLockWriteGuard};
/// let lock = RwLock::new(1);
/// let mut guard = lock.try_write().unwrap();
/// let reader = RwLockWriteGuard::downgrade(guard);
/// *guard = 2;
/// ```
///
/// ```compile_fail,E0382
/// use compio_sync::{RwLock, RwLockUpgradableReadGuard};
/// let lock = RwLock::new(1);
/// let guard = lock.try_upgradable_read().unwrap();
/// let upgrade = RwLockUpgradableReadGuard::upgrade(guard);
/// assert_eq!(*guard, 1);
/// ```
pub struct GuardUsedAfterItsStep;

/// A part does not outlive the lock, nor leave through the closure that chooses it.
///
/// ```compile_fail
/// use compio_sync::{RwLock, RwLockReadGuard};
/// let lock = RwLock::new(vec![1]);
/// let mut kept = None;
/// let guard = RwLockReadGuard::map(lock.try_read().unwrap(), |list| {
///     kept = Some(&list[0]);
///     &list[0]
/// });
/// ```
///
/// ```
/// use compio_sync::{RwLock, RwLockReadGuard};
/// let lock = RwLock::new(vec![1]);
/// let mut kept = None;
/// let guard = RwLockReadGuard::map(lock.try_read().unwrap(), |list| {
///     kept = Some(list[0]);
///     &list[0]
/// });
/// ```
pub struct PartLeavesThroughTheClosure;

/// A permit does not outlive its semaphore; an owned one keeps it alive.
///
/// ```
/// let permit;
/// {
///     let semaphore = std::sync::Arc::new(compio_sync::Semaphore::new(1));
///     permit = semaphore.try_acquire_owned();
/// }
/// drop(permit);
/// ```
///
/// ```compile_fail,E0597
/// let permit;
/// {
///     let semaphore = compio_sync::Semaphore::new(1);
///     permit = semaphore.try_acquire();
/// }
/// drop(permit);
/// ```
pub struct PermitOutlivesSemaphore;

/// A future that has been pinned, and so may be in a queue, is not moved.
///
/// ```
/// let semaphore = compio_sync::Semaphore::new(1);
/// let future = semaphore.acquire();
/// let moved = Box::pin(future);
/// ```
///
/// ```compile_fail,E0277
/// fn unpin<T: Unpin>(_: T) {}
/// let semaphore = compio_sync::Semaphore::new(1);
/// unpin(semaphore.acquire());
/// ```
///
/// ```compile_fail,E0382
/// let semaphore = compio_sync::Semaphore::new(1);
/// let future = semaphore.acquire();
/// let pinned = std::pin::pin!(future);
/// let moved = future;
/// ```
pub struct FutureMovedAfterItWasPinned;

/// A guard is used up by the wait that it is given to.
///
/// ```
/// let (mutex, condvar) = (compio_sync::Mutex::new(1), compio_sync::Condvar::new());
/// let guard = mutex.try_lock().unwrap();
/// assert_eq!(*guard, 1);
/// drop(condvar.wait(guard));
/// ```
///
/// ```compile_fail,E0382
/// let (mutex, condvar) = (compio_sync::Mutex::new(1), compio_sync::Condvar::new());
/// let guard = mutex.try_lock().unwrap();
/// drop(condvar.wait(guard));
/// assert_eq!(*guard, 1);
/// ```
pub struct GuardGivenToAWait;

/// More permits than there can be, in a constant.
///
/// ```
/// static SLOTS: compio_sync::Semaphore =
///     compio_sync::Semaphore::new(compio_sync::Semaphore::MAX_PERMITS);
/// ```
///
/// ```compile_fail,E0080
/// static SLOTS: compio_sync::Semaphore =
///     compio_sync::Semaphore::new(compio_sync::Semaphore::MAX_PERMITS + 1);
/// ```
pub struct TooManyPermits;

/// A cell is shared only if its value may be sent and shared.
///
/// ```
/// fn share<T: Sync>(_: &T) {}
/// share(&compio_sync::OnceCell::from(1));
/// ```
///
/// ```compile_fail,E0277
/// fn share<T: Sync>(_: &T) {}
/// share(&compio_sync::OnceCell::from(std::cell::Cell::new(1)));
/// ```
///
/// Nor if it is only shared by its thread: setting the cell sends the value to another.
///
/// ```compile_fail,E0277
/// fn share<T: Sync>(_: &T) {}
/// let mutex = std::sync::Mutex::new(1);
/// share(&compio_sync::OnceCell::from(mutex.lock().unwrap()));
/// ```
pub struct CellOfWhatIsNotSync;

/// The value does not outlive its cell, nor stay when it is taken out.
///
/// ```
/// let mut cell = compio_sync::OnceCell::from(1);
/// let value = cell.take();
/// assert_eq!(value, Some(1));
/// ```
///
/// ```compile_fail,E0502
/// let mut cell = compio_sync::OnceCell::from(1);
/// let value = cell.get();
/// drop(cell.take());
/// assert_eq!(value, Some(&1));
/// ```
///
/// ```compile_fail,E0502
/// let mut cell = compio_sync::OnceCell::new();
/// let init = cell.get_or_init(async || 1);
/// drop(cell.take());
/// drop(init);
/// ```
pub struct ValueTakenWhileItIsUsed;

/// A cell is invariant: nobody puts short-lived data into it.
///
/// ```compile_fail
/// fn shorten<'a, 'b>(
///     cell: &'a compio_sync::OnceCell<&'static str>,
/// ) -> &'a compio_sync::OnceCell<&'b str> {
///     cell
/// }
/// ```
///
/// ```
/// fn keep<'a>(
///     cell: &'a compio_sync::OnceCell<&'static str>,
/// ) -> &'a compio_sync::OnceCell<&'static str> {
///     cell
/// }
/// ```
pub struct CellIsInvariant;

/// What could not be put in is not lost unseen: the result of `set` is to be looked at.
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// compio_sync::OnceCell::from(1).set(2);
/// ```
///
/// ```
/// #![deny(unused_must_use)]
/// compio_sync::OnceCell::from(1).set(2).unwrap_err();
/// ```
pub struct ResultOfSetIsIgnored;
