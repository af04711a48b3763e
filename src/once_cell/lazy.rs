//! A cell and the function that fills it.

use std::{fmt, future::Future, pin::Pin};

use super::OnceCell;
use crate::{sys::sync::const_fn, waiter_queue::block_on};

/// A value that an async function makes when it is first asked for.
///
/// As [`std::sync::LazyLock`], with a value that takes waiting to make: the first who asks runs
/// the function, and others wait for it. Afterwards to ask is one load of an atomic.
///
/// The function may be called more than once, since who runs it may be dropped on the way: the
/// next then begins anew, with a call of its own, on its own runtime. (To go on with the future
/// that was begun would poll it from another thread's runtime, where what it has open, such as
/// a file of compio's, may not be used.) A panic is no different: it reaches the one whose call
/// panicked, and the next tries. There is no poisoning.
///
/// # Fairness and cancel safety
///
/// Those of [`OnceCell`], whose [`get_or_init`](OnceCell::get_or_init) this calls.
///
/// # Examples
///
/// In a `static` the type of the function must have a name. That of an `async` block has none,
/// so if nothing else is said it is a function that returns a boxed future: one allocation for
/// each call.
///
/// ```
/// use compio_sync::Lazy;
///
/// static NUMBERS: Lazy<Vec<u32>> = Lazy::new(|| {
///     Box::pin(async {
///         // It may wait for something; this runs once.
///         vec![1, 2, 3]
///     })
/// });
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// assert_eq!(NUMBERS.try_get(), None);
/// assert_eq!(NUMBERS.get().await.len(), 3);
/// assert!(NUMBERS.try_get().is_some());
/// # })
/// ```
///
/// Elsewhere any async closure will do:
///
/// ```
/// use compio_sync::Lazy;
///
/// # compio_runtime::Runtime::new().unwrap().block_on(async {
/// let name = String::from("it");
/// let greeting = Lazy::new(async || format!("hello, {name}"));
/// assert_eq!(greeting.get().await, "hello, it");
/// # })
/// ```
pub struct Lazy<T, F = fn() -> Pin<Box<dyn Future<Output = T> + Send>>> {
    cell: OnceCell<T>,
    f: F,
}

impl<T, F> Lazy<T, F> {
    const_fn! {
        /// A value that `f` makes when it is first asked for.
        ///
        /// # Examples
        ///
        /// ```
        /// # compio_runtime::Runtime::new().unwrap().block_on(async {
        /// let lazy = compio_sync::Lazy::new(async || 1);
        /// assert_eq!(*lazy.get().await, 1);
        /// # })
        /// ```
        #[must_use]
        pub fn new(f: F) -> Self {
            Self { cell: OnceCell::new(), f }
        }
    }

    /// The value, if it has been made. Never waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let lazy = compio_sync::Lazy::new(async || 1);
    /// assert_eq!(lazy.try_get(), None);
    /// lazy.get().await;
    /// assert_eq!(lazy.try_get(), Some(&1));
    /// # })
    /// ```
    #[inline]
    pub fn try_get(&self) -> Option<&T> {
        self.cell.get()
    }

    /// The value, to be changed, if it has been made.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let mut lazy = compio_sync::Lazy::new(async || 1);
    /// assert_eq!(lazy.get_mut(), None);
    /// lazy.get().await;
    /// assert_eq!(lazy.get_mut(), Some(&mut 1));
    /// # })
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.cell.get_mut()
    }

    /// Takes it apart and returns the value, if it has been made.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(compio_sync::Lazy::<u8>::new(|| Box::pin(async { 1 })).into_inner(), None);
    /// ```
    pub fn into_inner(self) -> Option<T> {
        self.cell.into_inner()
    }

    /// How many wait in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(compio_sync::Lazy::<u8>::new(|| Box::pin(async { 1 })).waiter_count(), 0);
    /// ```
    #[must_use]
    pub fn waiter_count(&self) -> usize {
        self.cell.waiter_count()
    }
}

impl<T, F: AsyncFn() -> T> Lazy<T, F> {
    /// The value; makes it if nobody else has or is about to.
    ///
    /// Its future has no name, as that of an async function has none; it is `Send` if the data,
    /// the function and the future of that are.
    ///
    /// Cancel safe, see [the type](Self#fairness-and-cancel-safety).
    ///
    /// A function that asks for its own value waits for itself, for ever.
    ///
    /// # Panics
    ///
    /// If the function does. The next who asks calls it again.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let lazy = compio_sync::Lazy::new(async || 1);
    /// assert_eq!(*lazy.get().await, 1);
    /// # })
    /// ```
    pub async fn get(&self) -> &T {
        self.cell.get_or_init(|| (self.f)()).await
    }

    /// The value, from a plain thread, which is blocked until it is made, and makes it itself
    /// if it is its turn.
    ///
    /// The function then runs on this thread, which has no compio runtime: one that uses
    /// compio's files, sockets or timers panics. Ask for its value on a runtime first.
    ///
    /// # Panics
    ///
    /// If the function does, and inside of a compio runtime, whose tasks it would all stop.
    ///
    /// # Examples
    ///
    /// ```
    /// let lazy = compio_sync::Lazy::new(async || 1);
    /// assert_eq!(*lazy.blocking_get(), 1);
    /// ```
    #[track_caller]
    pub fn blocking_get(&self) -> &T {
        block_on(self.get())
    }
}

impl<T: fmt::Debug, F> fmt::Debug for Lazy<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Lazy");
        match self.try_get() {
            Some(value) => f.field("value", value),
            None => f.field("value", &format_args!("<not made>")),
        };
        f.field("waiter_count", &self.waiter_count()).finish()
    }
}
