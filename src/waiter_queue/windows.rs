//! The doorbell of a runtime on a completion port: a packet for an operation that is pending on
//! that very port.
//!
//! The drain task keeps one operation pending (`sys::slot` has its states). A ring takes it out
//! and posts it: one packet for all that lies in the mailbox, none while one is on its way. The
//! runtime drains where the packet is taken in, as far as the wakers are those of its tasks; the
//! drain task does the rest and enters the operation again.
//!
//! The packet may be late: compio 0.19 does not look at its port as long as in each of its rounds
//! some task wakes a task. And it may be refused, by a machine without memory. So each ring sets
//! an alarm, too. If the ring is not answered when it goes off, the drain task is woken through
//! its waker: by a thread of the system's, which may wait for compio to make room, as whoever
//! rings must not.
//!
//! When the runtime goes, compio 0.19 never frees what is pending on a port. The operation leaves
//! it nothing but itself: some hundred bytes for each runtime.
//!
//! Invariant `PORT`: the home holds the waker of the driver, which keeps the port open. Whoever
//! rings has a share of the home, and so has the drain task.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};

use compio_driver::{AsRawFd, Extra, OpCode, OpType};
use compio_runtime::Runtime;
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::{
    Backend, Doorbell, drain,
    home::{Home, Left},
    runtime::Keeper,
    wakers::contain,
};
use crate::sys::{
    alarm::{Alarm, Call},
    packet::Packets,
    sync::Arc,
};

struct Bell {
    packets: Packets,
    alarm: Alarm<Rings>,
}

impl Doorbell for Arc<Bell> {
    fn backend(&self) -> Backend {
        Backend::Iocp
    }

    fn ring(&self) {
        // Release: pairs with the acquire in `answer` and, through the alarm, in `call`.
        self.alarm.get().unanswered.store(true, Ordering::Release);
        // An error is for the alarm.
        let _ = self.packets.ring();
        self.alarm.set();
    }
}

#[derive(Default)]
struct Rings {
    unanswered: AtomicBool,
    /// The drain task's waker, since before the first ring.
    waker: OnceLock<Waker>,
    /// How often the alarm had to wake.
    #[cfg(test)]
    late: std::sync::atomic::AtomicUsize,
}

impl Rings {
    /// Before a drain. Returns whether there was a ring.
    fn answer(&self) -> bool {
        // Acquire: pairs with the release in `ring`.
        self.unanswered.swap(false, Ordering::Acquire)
    }
}

impl Call for Rings {
    fn call(&self) {
        // Acquire: pairs with the release in `ring`.
        if self.unanswered.load(Ordering::Acquire)
            && let Some(waker) = self.waker.get()
        {
            #[cfg(test)]
            self.late.fetch_add(1, Ordering::Relaxed);
            contain(|| waker.wake_by_ref());
        }
    }
}

/// The operation: waits until the bell is rung.
///
/// Empty once it is cancelled.
struct Wait(Option<(Arc<Bell>, Arc<Home>)>);

// SAFETY: an operation of type `Overlapped` that stays pending until its packet comes.
unsafe impl OpCode for Wait {
    type Control = ();

    fn op_type(&self, (): &()) -> OpType {
        OpType::Overlapped
    }

    unsafe fn operate(
        &mut self,
        (): &mut (),
        operation: *mut OVERLAPPED,
    ) -> Poll<io::Result<usize>> {
        match &self.0 {
            Some((bell, _)) if bell.packets.wait(operation) => Poll::Pending,
            _ => Poll::Ready(Ok(0)),
        }
    }

    fn cancel(&mut self, (): &mut (), _: *mut OVERLAPPED) -> io::Result<()> {
        self.0.take().map_or(Ok(()), |(bell, _)| bell.packets.end())
    }

    unsafe fn set_result(&mut self, (): &mut (), _: &io::Result<usize>, _: &Extra) {
        if let Some((_, home)) = &self.0 {
            home.wake_tasks();
        }
    }
}

/// Gives the keeper back if this runtime does not run on a completion port.
pub(super) fn install(runtime: &Runtime, keeper: Keeper) -> Result<(), Keeper> {
    if !runtime.driver_type().is_iocp() {
        return Err(keeper);
    }
    let Ok(alarm) = Alarm::new(Rings::default()) else {
        return Err(keeper);
    };
    let bell = Arc::new(Bell {
        // SAFETY: PORT.
        packets: unsafe { Packets::new(runtime.as_raw_fd() as _) },
        alarm,
    });
    #[cfg(test)]
    tests::HUNG.set(Some(Arc::clone(&bell)));
    keeper.home().hang(Box::new(Arc::clone(&bell)));
    runtime.spawn(answer(keeper, bell)).detach();
    Ok(())
}

async fn answer(keeper: Keeper, bell: Arc<Bell>) {
    keeper.home().set_running();
    let (home, rings) = (keeper.home(), bell.alarm.get());
    poll_fn(|cx| {
        rings.waker.get_or_init(|| cx.waker().clone());
        Poll::Ready(())
    })
    .await;
    loop {
        rings.answer();
        if home.drain(false) != Left::Asleep {
            drain::pass().await;
            continue;
        }
        let wait = Wait(Some((Arc::clone(&bell), Arc::clone(home))));
        let mut wait = pin!(compio_runtime::submit(wait));
        poll_fn(|cx| {
            // An error ends the wait as a packet does: the mailbox is looked at again.
            if wait.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            // Woken by the alarm; the packet is still to come.
            if rings.answer() && home.drain(true) == Left::More {
                // Relaxed: for ourselves.
                rings.unanswered.store(true, Ordering::Relaxed);
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        sync::mpsc::{self, RecvTimeoutError},
        thread,
        time::Duration,
    };

    use super::*;
    use crate::{
        Notify,
        sys::{alarm::OFF, packet::REFUSED},
    };

    thread_local! {
        /// The bell that was hung last on this thread.
        pub(super) static HUNG: RefCell<Option<Arc<Bell>>> = const { RefCell::new(None) };
    }

    /// Ends the process if the test that holds it hangs.
    fn watchdog() -> mpsc::Sender<()> {
        let (alive, dog) = mpsc::channel();
        thread::spawn(move || {
            if dog.recv_timeout(Duration::from_secs(300)) == Err(RecvTimeoutError::Timeout) {
                eprintln!("a test of the doorbell hangs");
                std::process::abort();
            }
        });
        alive
    }

    /// Wakes a herd of another thread's runtime `rounds` times, each as one batch. Returns the
    /// numbers of packets and of late wakes of each half.
    fn wake_herds(rounds: usize, before: impl Fn(usize)) -> [(usize, usize); 2] {
        const HERD: usize = 100;
        let notify = Arc::new(Notify::new());
        let (ended, is_ended) = mpsc::channel();
        let target = thread::spawn({
            let notify = Arc::clone(&notify);
            move || {
                Runtime::new().unwrap().block_on(async {
                    let mut counts = [(0, 0); 2];
                    for round in 0..rounds {
                        let herd: Vec<_> = (0..HERD)
                            .map(|_| {
                                let notify = Arc::clone(&notify);
                                compio_runtime::spawn(async move { notify.notified().await })
                            })
                            .collect();
                        for one in herd {
                            one.await.unwrap();
                        }
                        assert_eq!(crate::backend(), Backend::Iocp);
                        let bell = HUNG.with_borrow(|bell| bell.clone()).unwrap();
                        // Relaxed: only counts.
                        counts[2 * round / rounds] = (
                            bell.packets.posted.load(Ordering::Relaxed),
                            bell.alarm.get().late.load(Ordering::Relaxed),
                        );
                        ended.send(()).unwrap();
                    }
                    counts
                })
            }
        });
        for round in 0..rounds {
            while notify.waiter_count() < HERD {
                thread::yield_now();
            }
            before(round);
            notify.notify_waiters();
            is_ended.recv().unwrap();
        }
        let [first, both] = target.join().unwrap();
        [first, (both.0 - first.0, both.1 - first.1)]
    }

    #[test]
    fn each_batch_is_one_packet_and_nothing_else_wakes() {
        let _dog = watchdog();
        OFF.set(true);
        let [first, second] = wake_herds(50, |_| {});
        assert_eq!(first.1 + second.1, 0, "late wakes");
        let packets = first.0 + second.0;
        // Fewer only if the runtime had not yet gone to sleep.
        assert!((1..=50).contains(&packets), "{packets} packets");
    }

    #[test]
    fn a_refused_packet_only_makes_the_wake_up_late() {
        let _dog = watchdog();
        let [first, second] = wake_herds(20, |round| REFUSED.set(round < 10));
        assert_eq!(first.0, 0, "packets");
        assert!(first.1 > 0, "woken by something else");
        assert!((1..=10).contains(&second.0), "{} packets", second.0);
    }
}
