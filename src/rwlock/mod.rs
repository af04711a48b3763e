//! A read-write lock around data.

mod acquire;
mod forms;
mod guard;
mod mapped;
mod owned;
mod owned_mapped;
mod owned_upgradable;
mod raw;
mod request;
mod upgradable;
mod upgrade;

use std::{cell::UnsafeCell, fmt};

use self::raw::{Access, RawRwLock};
pub use self::{
    acquire::{
        RwLockRead, RwLockReadOwned, RwLockUpgradableRead, RwLockUpgradableReadOwned, RwLockWrite,
        RwLockWriteOwned,
    },
    guard::{RwLockReadGuard, RwLockWriteGuard},
    mapped::{MappedRwLockReadGuard, MappedRwLockWriteGuard},
    owned::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard},
    owned_mapped::{OwnedMappedRwLockReadGuard, OwnedMappedRwLockWriteGuard},
    owned_upgradable::OwnedRwLockUpgradableReadGuard,
    upgradable::RwLockUpgradableReadGuard,
    upgrade::{RwLockUpgrade, RwLockUpgradeOwned},
};
use crate::sys::sync::const_fn;

/// Protects data that tasks and threads share, and lets many read it or one write it.
///
/// | who has it | beside it may be |
/// | --- | --- |
/// | a reader ([`read`](Self::read)) | other readers, one upgradable reader |
/// | an upgradable reader ([`upgradable_read`](Self::upgradable_read)) | readers |
/// | a writer ([`write`](Self::write)) | nobody |
///
/// An upgradable reader may become the writer without letting anybody else write in between
/// ([`upgrade`](RwLockUpgradableReadGuard::upgrade)). A writer may become either kind of reader,
/// and an upgradable reader a plain one, at once.
///
/// It may be held across an `.await`. There is no poisoning: a panic while it is held unlocks
/// it. Readers count up to 2^60 on 64-bit platforms and 2^28 on 32-bit ones: who comes then,
/// which takes that many leaked guards, waits.
///
/// # Fairness
///
/// Strictly first come, first served: nobody overtakes one that waits. So a reader waits behind
/// a writer that waits, although others read: neither readers nor writers starve. When the lock
/// is free for readers, all that stand first in the queue are let in together. The one exception
/// is an upgrade: it goes before all that wait, since writers and upgradable readers wait for it
/// in any case.
///
/// # Recursion
///
/// A task that asks again for what it has already, or lets another do so and waits for that,
/// may wait for ever. For writing that is so at once. For reading it happens when a writer, or
/// a second upgradable reader, has come to wait in between: it waits for the first guard, the
/// second request waits behind it. Clone what was read, or hand on the guard.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time; it loses its place and nothing else:
///
/// - dropped before it was first polled: nothing has happened;
/// - dropped while it waits: the others move up, and whoever it alone kept out is let in;
/// - dropped after it was given the lock, but before it was polled again: it unlocks.
///
/// An upgrade also gives up the upgradable lock that it had, see
/// [`upgrade`](RwLockUpgradableReadGuard::upgrade).
///
/// A wait is to be polled or dropped, not kept aside: it keeps its place, and the lock when it
/// is its turn.
///
/// # Examples
///
/// ```
/// use compio_sync::RwLock;
/// use std::sync::Arc;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let limits = Arc::new(RwLock::new(vec![10]));
/// let readers: Vec<_> = (0..3)
///     .map(|_| {
///         let limits = limits.clone();
///         compio_runtime::spawn(async move { limits.read().await[0] })
///     })
///     .collect();
/// limits.write().await.push(20);
/// for reader in readers {
///     assert_eq!(reader.await.unwrap(), 10);
/// }
/// assert_eq!(limits.read().await.len(), 2);
/// # })
/// ```
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    data: UnsafeCell<T>,
}

// SAFETY: HELD: the data moves with the lock, and is reached through it alone.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: HELD: many read the data at once, so it is shared; a writer may be on any thread, and
// alone, so it is sent.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    const_fn! {
        /// A lock around `data`, unlocked.
        ///
        /// # Examples
        ///
        /// ```
        /// use compio_sync::RwLock;
        ///
        /// static NAMES: RwLock<Vec<String>> = RwLock::new(Vec::new());
        /// assert!(NAMES.try_read().unwrap().is_empty());
        /// ```
        #[must_use]
        pub fn new(data: T) -> Self {
            Self { raw: RawRwLock::new(), data: UnsafeCell::new(data) }
        }
    }

    /// Takes the lock apart and returns the data.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(compio_sync::RwLock::new(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks to read, and waits until no writer has the lock and all who came before have got
    /// it.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety). Not to be called by who has the lock,
    /// see [recursion](Self#recursion).
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let lock = compio_sync::RwLock::new(1);
    /// let (one, other) = (lock.read().await, lock.read().await);
    /// assert_eq!(*one + *other, 2);
    /// # })
    /// ```
    pub fn read(&self) -> RwLockRead<'_, T> {
        RwLockRead::new(self)
    }

    /// Locks to read, if no writer has the lock and nobody waits. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = compio_sync::RwLock::new(1);
    /// let reader = lock.try_read();
    /// assert!(reader.is_some());
    /// assert!(lock.try_read().is_some());
    /// assert!(lock.try_write().is_none());
    /// ```
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.raw
            .try_acquire(Access::Read)
            .then(|| RwLockReadGuard::new(self))
    }

    /// Locks to write, and waits until nobody has the lock and all who came before have got it.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety). Not to be called by who has the lock,
    /// see [recursion](Self#recursion).
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let lock = compio_sync::RwLock::new(1);
    /// *lock.write().await += 1;
    /// assert_eq!(*lock.read().await, 2);
    /// # })
    /// ```
    pub fn write(&self) -> RwLockWrite<'_, T> {
        RwLockWrite::new(self)
    }

    /// Locks to write, if nobody has the lock. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = compio_sync::RwLock::new(1);
    /// let writer = lock.try_write();
    /// assert!(writer.is_some());
    /// assert!(lock.try_read().is_none());
    /// ```
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.raw
            .try_acquire(Access::Write)
            .then(|| RwLockWriteGuard::new(self))
    }

    /// Locks to read with the right to [`upgrade`](RwLockUpgradableReadGuard::upgrade), and waits
    /// until no writer and no other upgradable reader has the lock and all who came before have
    /// got it.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety). Not to be called by who has the lock,
    /// see [recursion](Self#recursion).
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let lock = RwLock::new(1);
    /// let guard = lock.upgradable_read().await;
    /// assert_eq!(*lock.read().await, *guard);
    /// *RwLockUpgradableReadGuard::upgrade(guard).await += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// # })
    /// ```
    pub fn upgradable_read(&self) -> RwLockUpgradableRead<'_, T> {
        RwLockUpgradableRead::new(self)
    }

    /// Locks to read with the right to upgrade, if no writer and no other upgradable reader has
    /// the lock and nobody waits. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = compio_sync::RwLock::new(1);
    /// let guard = lock.try_upgradable_read();
    /// assert!(guard.is_some());
    /// assert!(lock.try_upgradable_read().is_none());
    /// assert!(lock.try_read().is_some());
    /// ```
    #[inline]
    pub fn try_upgradable_read(&self) -> Option<RwLockUpgradableReadGuard<'_, T>> {
        self.raw
            .try_acquire(Access::Upgradable)
            .then(|| RwLockUpgradableReadGuard::new(self))
    }

    /// The data, without locking: `&mut self` shows that nobody else is there.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut lock = compio_sync::RwLock::new(1);
    /// *lock.get_mut() = 2;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Whether somebody has the lock now, in whatever way, or has been given it and has not come
    /// yet. May be old by the time it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = compio_sync::RwLock::new(());
    /// let reader = lock.try_read();
    /// assert!(lock.is_locked());
    /// drop(reader);
    /// assert!(!lock.is_locked());
    /// ```
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// How many wait in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = compio_sync::RwLock::new(());
    /// assert_eq!(lock.waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.raw.waiter_count()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(data: T) -> Self {
        Self::new(data)
    }
}

/// Shows the data if it may be read at once, and how many wait.
impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("RwLock");
        match self.try_read() {
            Some(data) => f.field("data", &&*data),
            None => f.field("data", &format_args!("<locked>")),
        };
        f.field("waiter_count", &self.waiter_count()).finish()
    }
}
