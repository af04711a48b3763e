//! Why a value was not put into a cell.

use std::{error::Error, fmt};

/// The error of [`OnceCell::set`](crate::OnceCell::set), with the value that was not put in.
///
/// # Examples
///
/// ```
/// let cell = compio_sync::OnceCell::from("first");
/// let error = cell.set("second").unwrap_err();
/// assert_eq!(error.to_string(), "the cell is set already");
/// assert_eq!(error.into_inner(), "second");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SetError<T> {
    /// The cell is set.
    AlreadyInitializedError(T),
    /// Somebody is making a value, or has been given the turn to; that may yet fail.
    InitializingError(T),
}

impl<T> SetError<T> {
    /// The value that was not put in.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = compio_sync::OnceCell::from(1);
    /// assert_eq!(cell.set(2).unwrap_err().into_inner(), 2);
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Self::AlreadyInitializedError(value) | Self::InitializingError(value) => value,
        }
    }

    /// Whether the cell is set.
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = compio_sync::OnceCell::from(1);
    /// assert!(cell.set(2).unwrap_err().is_already_init_err());
    /// ```
    pub fn is_already_init_err(&self) -> bool {
        matches!(self, Self::AlreadyInitializedError(_))
    }

    /// Whether somebody is making a value.
    ///
    /// # Examples
    ///
    /// ```
    /// # compio_runtime::Runtime::new().unwrap().block_on(async {
    /// let cell = compio_sync::OnceCell::new();
    /// let set_within = async || {
    ///     assert!(cell.set(2).unwrap_err().is_initializing_err());
    ///     1
    /// };
    /// assert_eq!(*cell.get_or_init(set_within).await, 1);
    /// # })
    /// ```
    pub fn is_initializing_err(&self) -> bool {
        matches!(self, Self::InitializingError(_))
    }
}

impl<T> fmt::Debug for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyInitializedError(_) => "AlreadyInitializedError(..)",
            Self::InitializingError(_) => "InitializingError(..)",
        })
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyInitializedError(_) => "the cell is set already",
            Self::InitializingError(_) => "somebody is making a value for the cell",
        })
    }
}

impl<T> Error for SetError<T> {}
