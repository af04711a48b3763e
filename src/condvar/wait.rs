//! Waiting for a notification, and then for the mutex.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{Condvar, ONE};
use crate::{
    mutex::{Mutex, MutexGuard},
    sys::sync::say,
    waiter_queue::{Place, Waiter},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Waiting,
    /// Notified in that way, and on its way to the mutex.
    Locking(usize),
    Done,
}

pin_project_lite::pin_project! {
    /// Waits for a notification; made by [`Condvar::wait`].
    ///
    /// | stage | waiter | dropping |
    /// | --- | --- | --- |
    /// | `New` | idle | unlocks |
    /// | `Waiting` | queued in the condition variable | leaves it |
    /// | `Waiting` | notified: posted, woken, counted | if `ONE`, notifies another |
    /// | `Locking` | any that waits for the mutex | leaves the mutex; if `ONE`, notifies another |
    /// | `Done` | idle | does nothing |
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct CondvarWait<'a, T: ?Sized> {
        condvar: &'a Condvar,
        mutex: &'a Mutex<T>,
        // Only while it is new.
        guard: Option<MutexGuard<'a, T>>,
        stage: Stage,
        #[pin]
        waiter: Waiter,
    }

    impl<T: ?Sized> PinnedDrop for CondvarWait<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let (condvar, raw) = (*this.condvar, this.mutex.raw());
            match *this.stage {
                Stage::New | Stage::Done => {}
                Stage::Waiting => {
                    if condvar.leave(this.waiter.as_mut()) {
                        say("leaves the condition variable");
                    } else if this.waiter.give_up_wake() == Some(ONE) {
                        say("goes notified");
                        condvar.notify_one();
                    } else {
                        say("goes notified with all");
                    }
                }
                Stage::Locking(note) => {
                    raw.abandon(this.waiter);
                    if note == ONE {
                        say("goes from the mutex notified");
                        condvar.notify_one();
                    } else {
                        say("goes from the mutex");
                    }
                }
            }
        }
    }
}

impl<'a, T: ?Sized> CondvarWait<'a, T> {
    pub(super) fn new(condvar: &'a Condvar, guard: MutexGuard<'a, T>) -> Self {
        Self {
            condvar,
            mutex: MutexGuard::mutex(&guard),
            guard: Some(guard),
            stage: Stage::New,
            waiter: Waiter::new(),
        }
    }

    /// Makes a future that is done new again.
    fn again(self: Pin<&mut Self>, guard: MutexGuard<'a, T>) {
        let this = self.project();
        *this.guard = Some(guard);
        *this.stage = Stage::New;
    }
}

impl<'a, T: ?Sized> Future for CondvarWait<'a, T> {
    type Output = MutexGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (condvar, raw) = (*this.condvar, this.mutex.raw());
        let locked = match *this.stage {
            Stage::Done => panic!("a future was polled after it was ready"),
            Stage::New => {
                this.waiter.as_mut().settle(Place::of(cx.waker()));
                condvar.enter(this.waiter.as_mut(), raw);
                *this.stage = Stage::Waiting;
                // Unlocks.
                drop(this.guard.take());
                return Poll::Pending;
            }
            Stage::Waiting => {
                let note = ready!(condvar.queue.poll(this.waiter.as_mut(), cx.waker()));
                *this.stage = Stage::Locking(note);
                if raw.try_lock() {
                    Poll::Ready(())
                } else {
                    raw.poll_lock(this.waiter, cx.waker())
                }
            }
            Stage::Locking(_) => raw.poll_lock(this.waiter, cx.waker()),
        };
        ready!(locked);
        *this.stage = Stage::Done;
        Poll::Ready(MutexGuard::new(this.mutex))
    }
}

impl<T: ?Sized> fmt::Debug for CondvarWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarWait")
            .field(
                "waiting",
                &(self.stage == Stage::Waiting && self.waiter.is_linked()),
            )
            .field("done", &(self.stage == Stage::Done))
            .finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// Waits until a condition is false; made by [`Condvar::wait_while`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct CondvarWaitWhile<'a, T: ?Sized, F> {
        condition: F,
        #[pin]
        wait: CondvarWait<'a, T>,
    }
}

impl<'a, T: ?Sized, F> CondvarWaitWhile<'a, T, F> {
    pub(super) fn new(wait: CondvarWait<'a, T>, condition: F) -> Self {
        Self { condition, wait }
    }
}

impl<'a, T: ?Sized, F> Future for CondvarWaitWhile<'a, T, F>
where
    F: FnMut(&mut T) -> bool,
{
    type Output = MutexGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            // With a guard, the wait has not begun.
            let wait = this.wait.as_mut().project();
            if let Some(guard) = wait.guard
                && !(this.condition)(guard)
            {
                *wait.stage = Stage::Done;
                return wait.guard.take().map_or(Poll::Pending, Poll::Ready);
            }
            let guard = ready!(this.wait.as_mut().poll(cx));
            this.wait.as_mut().again(guard);
        }
    }
}

impl<T: ?Sized, F> fmt::Debug for CondvarWaitWhile<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondvarWaitWhile")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
