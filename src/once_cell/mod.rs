//! A value that is made once, by whoever comes first, asynchronously.
//!
//! Invariant `TURN`: a cell's value is written by who has the [`Turn`](turn::Turn), of which
//! there is one at a time, before the cell is set; and nobody reads it before. Once it is set,
//! there are no more turns, and the value is only read until `&mut` or the value of the cell
//! shows that nobody else has it.

mod error;
mod init;
mod lazy;
mod turn;
mod wait;

use std::{
    cell::UnsafeCell,
    convert::Infallible,
    fmt,
    future::Future,
    panic::{RefUnwindSafe, UnwindSafe},
};

use self::turn::{RawOnce, Taken, Turn};
pub use self::{
    error::SetError,
    init::{GetOrInit, GetOrTryInit},
    lazy::Lazy,
    wait::OnceCellWait,
};
use crate::{sys::sync::const_fn, waiter_queue::block_on};

/// A value that is set once, and is then read without locks; others wait for it.
///
/// It may be made by an async function, which one at a time runs
/// ([`get_or_init`](Self::get_or_init)). If that one fails, panics or is dropped, the next in
/// line tries, with its own. To read a value that is there is one load of an atomic.
///
/// [`Lazy`] is a cell together with its function.
///
/// # Fairness
///
/// Those who would make the value are served first come, first served: one of them runs, and
/// if it ends without a value, the turn goes to the next one alone. Once the cell is set, all
/// are woken.
///
/// So a wait is to be polled or dropped, not kept aside: who has been given the turn and is not
/// polled keeps all others waiting.
///
/// # Cancel safety
///
/// Every wait may be dropped at any time:
///
/// - dropped before it was first polled: nothing has happened;
/// - dropped while it waits: it loses its place;
/// - dropped while its function runs: that one's future is dropped, and then the next has the
///   turn;
/// - dropped after it was given the turn, but before it was polled again: the next has the turn.
///
/// # Examples
///
/// ```
/// use compio_sync::OnceCell;
///
/// static GREETING: OnceCell<String> = OnceCell::new();
///
/// async fn greeting() -> &'static str {
///     GREETING
///         .get_or_init(async || {
///             // It may wait for something; this runs once.
///             "hello".to_owned()
///         })
///         .await
/// }
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// assert!(!GREETING.is_initialized());
/// let other = compio_runtime::spawn(greeting());
/// assert_eq!(greeting().await, "hello");
/// assert_eq!(other.await.unwrap(), "hello");
/// # })
/// ```
pub struct OnceCell<T> {
    raw: RawOnce,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: TURN: one thread at a time writes the value, so it must be Send; afterwards all read
// it, so it must be Sync.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

// A panic in between leaves it without a value, not with half of one.
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceCell<T> {}

impl<T> OnceCell<T> {
    const_fn! {
        /// A cell without a value.
        ///
        /// # Examples
        ///
        /// ```
        /// static NAME: compio_sync::OnceCell<String> = compio_sync::OnceCell::new();
        /// assert!(NAME.get().is_none());
        /// ```
        #[must_use]
        pub fn new() -> Self {
            Self { raw: RawOnce::new(false), value: UnsafeCell::new(None) }
        }
    }

    const_fn! {
        /// A cell that is set already, if there is a value.
        ///
        /// # Examples
        ///
        /// ```
        /// static NAME: compio_sync::OnceCell<&str> = compio_sync::OnceCell::new_with(Some("it"));
        /// assert_eq!(NAME.get(), Some(&"it"));
        /// ```
        #[must_use]
        pub fn new_with(value: Option<T>) -> Self {
            Self { raw: RawOnce::new(value.is_some()), value: UnsafeCell::new(value) }
        }
    }

    /// The value, if the cell is set. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = compio_sync::OnceCell::new();
    /// assert_eq!(cell.get(), None);
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    #[inline]
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        if !self.raw.is_set() {
            return None;
        }
        // SAFETY: TURN: it is set, so nobody writes.
        let value = unsafe { &*self.value.get() }.as_ref();
        // SAFETY: TURN: it was there before the cell was set.
        Some(unsafe { value.unwrap_unchecked() })
    }

    /// The value, to be changed, if the cell is set: `&mut self` shows that nobody else is
    /// there.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut cell = compio_sync::OnceCell::from(1);
    /// *cell.get_mut().unwrap() += 1;
    /// assert_eq!(cell.get(), Some(&2));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// Whether the cell is set. A no may be old by the time it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = compio_sync::OnceCell::new();
    /// assert!(!cell.is_initialized());
    /// cell.set(1).unwrap();
    /// assert!(cell.is_initialized());
    /// ```
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.raw.is_set()
    }

    /// Sets the cell, and lets all through who wait. Never waits.
    ///
    /// # Errors
    ///
    /// With the value, if the cell is set already, or if somebody is making a value or has been
    /// given the turn to: it is not overtaken, nor waited for.
    ///
    /// # Examples
    ///
    /// ```
    /// use compio_sync::{OnceCell, SetError};
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(SetError::AlreadyInitializedError(2)));
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.raw.try_begin() {
            Ok(turn) => {
                self.fill(turn, value);
                Ok(())
            }
            Err(Taken::Set) => Err(SetError::AlreadyInitializedError(value)),
            Err(Taken::Running) => Err(SetError::InitializingError(value)),
        }
    }

    /// Uses up the turn at this cell.
    fn fill(&self, turn: Turn<'_>, value: T) -> &T {
        assert!(turn.is_of(&self.raw), "a turn belongs to one cell");
        // SAFETY: TURN: we have it, and nobody reads before the cell is set.
        unsafe { *self.value.get() = Some(value) };
        turn.finish();
        self.expect_set()
    }

    /// Takes the value out; the cell is without one then.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut cell = compio_sync::OnceCell::from(1);
    /// assert_eq!(cell.take(), Some(1));
    /// assert_eq!(cell.take(), None);
    /// cell.set(2).unwrap();
    /// ```
    #[must_use = "it is gone from the cell"]
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// Takes the cell apart and returns the value, if it is set.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(compio_sync::OnceCell::from(1).into_inner(), Some(1));
    /// ```
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// The value; if the cell is not set, and nobody else is about to, sets it to what `f`
    /// makes.
    ///
    /// While another makes the value, this waits for it; and should that one fail, its turn
    /// comes in the order of first polls.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety). `f` and its future are dropped with
    /// this one, unless they have done their work.
    ///
    /// A function that asks for the value of its own cell waits for itself, for ever. (It may
    /// [`get`](Self::get) it, in vain.)
    ///
    /// # Panics
    ///
    /// If `f` or its future panics: the cell is not set then, and the next has the turn. And
    /// when it is polled after it was ready, or has panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let cell = compio_sync::OnceCell::new();
    /// assert_eq!(*cell.get_or_init(async || 1).await, 1);
    /// assert_eq!(*cell.get_or_init(async || 2).await, 1);
    /// # })
    /// ```
    pub fn get_or_init<F, Fut>(&self, f: F) -> GetOrInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit::new(self, f)
    }

    /// Like [`get_or_init`](Self::get_or_init), with an `f` that may fail.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Errors
    ///
    /// That of `f`. The cell is not set then, and the next in line tries, with its own
    /// function.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let cell = compio_sync::OnceCell::new();
    /// let failed = cell.get_or_try_init(async || "one".parse::<u32>()).await;
    /// assert!(failed.is_err() && !cell.is_initialized());
    /// let value = cell.get_or_try_init(async || "1".parse::<u32>()).await;
    /// assert_eq!(value, Ok(&1));
    /// # })
    /// ```
    pub fn get_or_try_init<E, F, Fut>(&self, f: F) -> GetOrTryInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInit::new(self, f)
    }

    /// Waits until somebody has set the cell, without trying to.
    ///
    /// If who makes the value fails, this goes on waiting.
    ///
    /// Cancel safe, see [the type](Self#cancel-safety).
    ///
    /// # Panics
    ///
    /// The future panics when it is polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let cell = Arc::new(compio_sync::OnceCell::new());
    /// let waiting = compio_runtime::spawn({
    ///     let cell = cell.clone();
    ///     async move { *cell.wait().await }
    /// });
    /// cell.set(1).unwrap();
    /// assert_eq!(waiting.await.unwrap(), 1);
    /// # })
    /// ```
    pub fn wait(&self) -> OnceCellWait<'_, T> {
        OnceCellWait::new(self)
    }

    /// Like [`get_or_init`](Self::get_or_init), from a plain thread, which is blocked while
    /// another makes the value, and runs `f` if it is its turn.
    ///
    /// # Panics
    ///
    /// If `f` does, and inside of a compio runtime, whose tasks it would all stop.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = compio_sync::OnceCell::new();
    /// assert_eq!(*cell.blocking_get_or_init(|| 1), 1);
    /// assert_eq!(*cell.blocking_get_or_init(|| 2), 1);
    /// ```
    #[track_caller]
    pub fn blocking_get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        match self.blocking_get_or_try_init(|| Ok::<_, Infallible>(f())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Like [`get_or_try_init`](Self::get_or_try_init), from a plain thread; see
    /// [`blocking_get_or_init`](Self::blocking_get_or_init).
    ///
    /// # Errors
    ///
    /// That of `f`.
    ///
    /// # Panics
    ///
    /// If `f` does, and inside of a compio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = compio_sync::OnceCell::new();
    /// assert!(cell.blocking_get_or_try_init(|| "one".parse::<u32>()).is_err());
    /// assert_eq!(cell.blocking_get_or_try_init(|| "1".parse::<u32>()), Ok(&1));
    /// ```
    #[track_caller]
    pub fn blocking_get_or_try_init<E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        block_on(self.get_or_try_init(async || f()))
    }

    /// Waits until somebody has set the cell from a plain thread, which is blocked meanwhile.
    ///
    /// # Panics
    ///
    /// Inside of a compio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    ///
    /// let cell = compio_sync::OnceCell::new();
    /// thread::scope(|scope| {
    ///     scope.spawn(|| assert_eq!(*cell.blocking_wait(), 1));
    ///     cell.set(1).unwrap();
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_wait(&self) -> &T {
        block_on(self.wait())
    }

    /// How many wait in the queue: for the value, or for their turn to make it.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = compio_sync::OnceCell::<u8>::new();
    /// assert_eq!(cell.waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.raw.waiter_count()
    }

    /// The value of a cell that is known to be set.
    fn expect_set(&self) -> &T {
        self.get().expect("who is woken for it finds the cell set")
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::new_with(Some(value))
    }
}

/// Another cell, with a clone of the value if this one is set.
impl<T: Clone> Clone for OnceCell<T> {
    fn clone(&self) -> Self {
        Self::new_with(self.get().cloned())
    }
}

/// Equal if both are not set, or both are, to equal values.
impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("OnceCell");
        match self.get() {
            Some(value) => f.field("value", value),
            None => f.field("value", &format_args!("<not set>")),
        };
        f.field("waiter_count", &self.waiter_count()).finish()
    }
}
