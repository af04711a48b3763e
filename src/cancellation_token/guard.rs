//! Cancels when it is dropped.

use std::fmt;

use super::CancellationToken;

/// Cancels a [`CancellationToken`] when it is dropped; made by
/// [`CancellationToken::drop_guard`].
#[must_use = "it cancels when it is dropped, which would be at once"]
pub struct DropGuard {
    /// There until it is disarmed.
    pub(super) token: Option<CancellationToken>,
}

impl DropGuard {
    /// Gives the token back, and cancels nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// let token = compio_sync::CancellationToken::new().drop_guard().disarm();
    /// assert!(!token.is_cancelled());
    /// ```
    pub fn disarm(mut self) -> CancellationToken {
        self.token.take().expect("it is disarmed once")
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel();
        }
    }
}

impl fmt::Debug for DropGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DropGuard")
            .field("token", &self.token)
            .finish()
    }
}
