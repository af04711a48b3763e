//! Sending: all that wait in a queue go to their runtime's mailbox in one step.
//!
//! To wake a thousand tasks of another runtime, a notifier would touch a thousand waiters that lie in
//! the other processor's cache. If all that wait are tasks of one runtime, it need not: it ties the
//! whole list to the mailbox's, which writes four links. The runtime then finds its own tasks in its
//! own cache.
//!
//! So nobody tells the waiters. They still say that they are queued, and their owners find out:
//!
//! Invariant `EPOCH`: a waiter carries the epoch of its queue in which it came, and each sending ends
//! an epoch, since it empties the queue. So a waiter that says that it is queued is in its queue if
//! its epoch is the queue's, and has been sent if it is not. It went to the mailbox of its home, which
//! it keeps from then on (ADDRESS), and is there until it is woken.
//!
//! There are `LAST` epochs, and then the first comes again: a waiter of the last time around must have
//! been woken by then. So in the last epoch nothing is sent: waiters are woken one by one, as those
//! of several runtimes are, until one of these times the queue is left empty while nothing at all that
//! was sent anywhere is still under way. A runtime that never turns again keeps that from coming, for all
//! queues: they then do without, each when its epochs are used up.
//!
//! | epoch | all are woken, and | next epoch |
//! | --- | --- | --- |
//! | before the last | are tasks of one other runtime | one more: they are sent |
//! | before the last | are not, or fewer than two, or that runtime is gone | the same |
//! | the last | the queue is empty then, and nothing is under way | 0 |
//! | the last | otherwise | the last |

use std::ptr::NonNull;

use super::{
    address::{Address, Route},
    queue::Locked,
    waiter::Waiter,
};
use crate::sys::sync::{Ordering, say, under_way};

const LAST: u16 = if cfg!(loom) { 1 } else { u16::MAX };

impl Locked<'_> {
    /// Notes if a waiter with this address, which is about to be linked, is not of one with the
    /// others.
    #[inline]
    pub(super) fn compare(&mut self, address: &Address) {
        // SAFETY: MEMBER and ADDRESS: queued here, under the lock. SETTLED: so it was settled.
        let is_other = |last: NonNull<Waiter>| unsafe { last.as_ref().address() } != address;
        if self.list.last().is_some_and(is_other) {
            self.list.set_mixed();
        }
    }

    /// Sends all that wait, if they are tasks of one other runtime, and more than one: a single wake
    /// may go directly. Returns whether it did.
    pub(super) fn send_all(&mut self) -> bool {
        if self.list.is_mixed() || self.list.len() < 2 || self.list.stamp.epoch() == LAST {
            return false;
        }
        // SAFETY: MEMBER and ADDRESS: queued here, under the lock. SETTLED: so it was settled.
        let home = self.list.first().and_then(|first| unsafe {
            let address = first.as_ref().address();
            let is_elsewhere = address.home().is_some_and(|home| !home.is_here());
            let is_task = address.route() == Route::Task;
            address.home_ptr().filter(|_| is_elsewhere && is_task)
        });
        // SAFETY: SHARE: the first waiter's address is not written to while we hold the lock. It is
        // that of all, and the queue's next epoch tells their owners (EPOCH).
        let sent = home.is_some_and(|home| unsafe { self.batch.send_all(home, &mut self.list) });
        if sent {
            say("all are sent");
            let stamp = self.list.stamp;
            self.list.stamp = stamp.with_epoch(stamp.epoch() + 1);
        }
        sent
    }

    /// After all were woken one by one.
    pub(super) fn begin_epochs_anew(&mut self) {
        if self.list.stamp.epoch() == LAST && self.list.is_empty() {
            // Acquire: pairs with the releases in `Mail::settle`. What was sent from this queue was
            // counted before we had its lock; so if the count is 0 all of it has been woken, and its
            // owners, who go by this lock, see that.
            if under_way().load(Ordering::Acquire) == 0 {
                say("the first epoch comes again");
                self.list.stamp = self.list.stamp.with_epoch(0);
            }
        }
    }
}
