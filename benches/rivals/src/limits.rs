//! What nobody can be faster than: the same work by the least that can do it on one thread, and
//! the bare atomic operations and system calls.

use std::{
    cell::{Cell, UnsafeCell},
    hint::black_box,
    marker::PhantomPinned,
    pin::Pin,
    ptr::{self, NonNull},
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    time::Instant,
};

use io_uring::{IoUring, opcode};

use crate::{
    contestants::{Notifier, Semaphore},
    workloads::repeat,
};

/// A word is taken by one exchange and given back by an addition.
pub(crate) fn atomic_pair(n: u64) -> Vec<f64> {
    let word = AtomicUsize::new(1);
    let word = black_box(&word);
    let start = Instant::now();
    for _ in 0..n {
        let free = word.load(Ordering::Relaxed);
        let taken =
            word.compare_exchange_weak(free, free - 1, Ordering::Acquire, Ordering::Relaxed);
        if black_box(taken).is_ok() {
            word.fetch_add(1, Ordering::Release);
        }
    }
    vec![start.elapsed().as_nanos() as f64 / n as f64]
}

/// The same for a lock: an exchange to take it, and one to give it back.
pub(crate) fn atomic_lock(n: u64) -> Vec<f64> {
    let word = AtomicU32::new(0);
    let word = black_box(&word);
    let start = Instant::now();
    for _ in 0..n {
        let taken = word.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed);
        if black_box(taken).is_ok() {
            word.swap(0, Ordering::Release);
        }
    }
    vec![start.elapsed().as_nanos() as f64 / n as f64]
}

/// A look.
pub(crate) fn atomic_load(n: u64) -> Vec<f64> {
    repeat(n, &AtomicUsize::new(1), |word| word.load(Ordering::Acquire))
}

/// A wait by a ring of this thread: the operation armed, its futex woken, its completion
/// reaped. `None` where the kernel has no such operation.
pub(crate) fn ring_round_trip(n: u64) -> Option<Vec<f64>> {
    // For futexes of 32 bits that are shared.
    const FLAGS: u32 = 2;
    let mut ring = IoUring::new(8).ok()?;
    let word = AtomicU32::new(0);
    let start = Instant::now();
    for _ in 0..n {
        let wait = opcode::FutexWait::new(word.as_ptr(), 0, u64::from(u32::MAX), FLAGS).build();
        // SAFETY: the word outlives the operation, which has ended when the round is over.
        unsafe { ring.submission().push(&wait) }.ok()?;
        ring.submit().ok()?;
        // SAFETY: a futex call on a word that lives.
        let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
        ring.submit_and_wait(1).ok()?;
        let result = ring.completion().next()?.result();
        if woken != 1 || result != 0 {
            return None;
        }
    }
    Some(vec![start.elapsed().as_nanos() as f64 / n as f64])
}

/// A fair semaphore of one thread: a number and a list through the futures that wait, without a
/// lock and without an atomic operation but those of the wakers.
pub(crate) struct Bare {
    free: Cell<usize>,
    first: Cell<*const Node>,
    last: Cell<*const Node>,
}

struct Node {
    before: Cell<*const Node>,
    behind: Cell<*const Node>,
    waker: UnsafeCell<Option<Waker>>,
    state: Cell<State>,
    _pin: PhantomPinned,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Queued,
    Given,
    Done,
}

pub(crate) struct BareWait<'a> {
    semaphore: &'a Bare,
    node: Node,
}

pub(crate) struct BarePermit<'a>(&'a Bare);

impl Bare {
    fn push(&self, node: &Node) {
        node.before.set(self.last.get());
        node.behind.set(ptr::null());
        match NonNull::new(self.last.get().cast_mut()) {
            // SAFETY: NODE: what is linked lives, and is shared by this thread alone.
            Some(last) => unsafe { last.as_ref() }.behind.set(node),
            None => self.first.set(node),
        }
        self.last.set(node);
    }

    fn unlink(&self, node: &Node) {
        let (before, behind) = (node.before.get(), node.behind.get());
        match NonNull::new(before.cast_mut()) {
            // SAFETY: NODE, as above.
            Some(before) => unsafe { before.as_ref() }.behind.set(behind),
            None => self.first.set(behind),
        }
        match NonNull::new(behind.cast_mut()) {
            // SAFETY: NODE, as above.
            Some(behind) => unsafe { behind.as_ref() }.before.set(before),
            None => self.last.set(before),
        }
    }

    /// Whether more wait.
    pub(crate) fn give_some(&self, most: usize) -> bool {
        for _ in 0..most {
            if self.first.get().is_null() {
                break;
            }
            self.give();
        }
        !self.first.get().is_null()
    }

    fn give(&self) {
        let Some(first) = NonNull::new(self.first.get().cast_mut()) else {
            self.free.set(self.free.get() + 1);
            return;
        };
        // SAFETY: NODE, as above.
        let node = unsafe { first.as_ref() };
        self.unlink(node);
        node.state.set(State::Given);
        // SAFETY: this thread alone, and no other reference to the cell's inside is alive.
        let waker = unsafe { &mut *node.waker.get() }.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Semaphore for Bare {
    type Permit<'a> = BarePermit<'a>;

    fn new(permits: usize) -> Self {
        Self {
            free: Cell::new(permits),
            first: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
        }
    }
    fn acquire(&self) -> impl Future<Output = BarePermit<'_>> {
        BareWait {
            semaphore: self,
            node: Node {
                before: Cell::new(ptr::null()),
                behind: Cell::new(ptr::null()),
                waker: UnsafeCell::new(None),
                state: Cell::new(State::New),
                _pin: PhantomPinned,
            },
        }
    }
    fn try_acquire(&self) -> Option<BarePermit<'_>> {
        let free = self.free.get().checked_sub(1)?;
        self.free.set(free);
        Some(BarePermit(self))
    }
    fn add(&self) {
        self.give();
    }
    fn forget(permit: BarePermit<'_>) {
        std::mem::forget(permit);
    }
}

/// Whoever waits for it is given a permit that is not given back.
impl Notifier for Bare {
    fn new() -> Self {
        Semaphore::new(0)
    }
    fn notified(&self) -> impl Future {
        async { Self::forget(self.acquire().await) }
    }
    fn notify_all(&self) {
        self.give_some(usize::MAX);
    }
}

impl Drop for BarePermit<'_> {
    fn drop(&mut self) {
        self.0.give();
    }
}

impl<'a> Future for BareWait<'a> {
    type Output = BarePermit<'a>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BarePermit<'a>> {
        // NODE: pinned, and taken out of the list when it is dropped.
        let this = self.into_ref().get_ref();
        match this.node.state.get() {
            State::New => {
                if let Some(permit) = this.semaphore.try_acquire() {
                    this.node.state.set(State::Done);
                    return Poll::Ready(permit);
                }
                // SAFETY: this thread alone, and no other reference to the cell's inside.
                unsafe { *this.node.waker.get() = Some(cx.waker().clone()) };
                this.semaphore.push(&this.node);
                this.node.state.set(State::Queued);
                Poll::Pending
            }
            State::Queued => Poll::Pending,
            State::Given => {
                this.node.state.set(State::Done);
                Poll::Ready(BarePermit(this.semaphore))
            }
            State::Done => panic!("polled after it was ready"),
        }
    }
}

impl Drop for BareWait<'_> {
    fn drop(&mut self) {
        match self.node.state.get() {
            State::Queued => self.semaphore.unlink(&self.node),
            State::Given => self.semaphore.give(),
            State::New | State::Done => {}
        }
    }
}
