//! What reaches all that wait.

use asyncband::event::ManualResetEvent;

use super::Notifier;

impl Notifier for compio_sync::Notify {
    fn new() -> Self {
        Self::new()
    }
    fn notified(&self) -> impl Future {
        self.notified()
    }
    fn notify_all(&self) {
        self.notify_waiters();
    }
}

impl Notifier for tokio::sync::Notify {
    fn new() -> Self {
        Self::new()
    }
    fn notified(&self) -> impl Future {
        self.notified()
    }
    fn notify_all(&self) {
        self.notify_waiters();
    }
}

/// An event that stays set.
pub(crate) struct Asyncband(ManualResetEvent);

impl Notifier for Asyncband {
    fn new() -> Self {
        Self(ManualResetEvent::new())
    }
    fn notified(&self) -> impl Future {
        self.0.wait()
    }
    fn notify_all(&self) {
        self.0.set();
    }
}

impl Notifier for saa::Gate {
    fn new() -> Self {
        Self::new()
    }
    fn notified(&self) -> impl Future {
        self.enter_async()
    }
    fn notify_all(&self) {
        // Fails only if it is open or sealed, which it never is.
        let _ = self.permit();
    }
}

impl Notifier for maitake_sync::WaitQueue {
    fn new() -> Self {
        Self::new()
    }
    fn notified(&self) -> impl Future {
        self.wait()
    }
    fn notify_all(&self) {
        self.wake_all();
    }
}
