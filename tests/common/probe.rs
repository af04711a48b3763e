//! Wakers that count what is done to them, and futures that are polled by hand.

use std::{
    fmt::Debug,
    mem::ManuallyDrop,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
};

/// What is being done to a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Clone,
    Wake,
    Drop,
}

type Hook = Box<dyn Fn(Act) + Send + Sync>;

/// Counts what is done to the wakers made of it, and may do something of its own then.
#[derive(Default)]
pub(crate) struct Probe {
    wakes: AtomicUsize,
    clones: AtomicUsize,
    drops: AtomicUsize,
    hook: Option<Hook>,
}

impl Probe {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A probe that calls `hook` whenever something is done to one of its wakers.
    pub(crate) fn with_hook(hook: impl Fn(Act) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            hook: Some(Box::new(hook)),
            ..Self::default()
        })
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        // SAFETY: the table keeps the contract of wakers over an `Arc<Probe>`.
        unsafe { Waker::from_raw(RawWaker::new(Arc::into_raw(self.clone()).cast(), &TABLE)) }
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(SeqCst)
    }

    /// How many wakers of this probe are alive.
    pub(crate) fn live(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }

    pub(crate) fn clones(&self) -> usize {
        self.clones.load(SeqCst)
    }

    pub(crate) fn drops(&self) -> usize {
        self.drops.load(SeqCst)
    }

    fn note(&self, act: Act) {
        let count = match act {
            Act::Clone => &self.clones,
            Act::Wake => &self.wakes,
            Act::Drop => &self.drops,
        };
        count.fetch_add(1, SeqCst);
        if let Some(hook) = &self.hook {
            hook(act);
        }
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// SAFETY: `data` comes from `Arc::into_raw`, and its share is the waker's.
unsafe fn borrow(data: *const ()) -> ManuallyDrop<Arc<Probe>> {
    // SAFETY: the promise above; `ManuallyDrop` leaves the share to the waker.
    ManuallyDrop::new(unsafe { Arc::from_raw(data.cast()) })
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: called with the data of a waker of ours.
    let probe = unsafe { borrow(data) };
    probe.note(Act::Clone);
    RawWaker::new(Arc::into_raw(Arc::clone(&probe)).cast(), &TABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: as in `clone`; the share is ours now.
    let probe = ManuallyDrop::into_inner(unsafe { borrow(data) });
    probe.note(Act::Wake);
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: as in `clone`.
    unsafe { borrow(data) }.note(Act::Wake);
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: as in `wake`.
    let probe = ManuallyDrop::into_inner(unsafe { borrow(data) });
    probe.note(Act::Drop);
}

/// A future in a test's hand, polled when the test says so.
pub(crate) struct Hand<F> {
    future: Pin<Box<F>>,
    waker: Waker,
    probe: Arc<Probe>,
}

impl<F: Future> Hand<F> {
    /// With a waker that counts.
    pub(crate) fn new(future: F) -> Self {
        Self::with_probe(future, Probe::new())
    }

    pub(crate) fn with_probe(future: F, probe: Arc<Probe>) -> Self {
        Self {
            future: Box::pin(future),
            waker: probe.waker(),
            probe,
        }
    }

    /// With a waker of somebody else, whose wakes are not counted.
    pub(crate) fn with_waker(future: F, waker: Waker) -> Self {
        Self {
            waker,
            ..Self::new(future)
        }
    }

    /// Polled once already, and pending.
    #[track_caller]
    pub(crate) fn waiting(future: F) -> Self
    where
        F::Output: Debug,
    {
        let mut this = Self::new(future);
        this.expect_pending();
        this
    }

    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        self.future
            .as_mut()
            .poll(&mut Context::from_waker(&self.waker))
    }

    #[track_caller]
    pub(crate) fn expect_pending(&mut self)
    where
        F::Output: Debug,
    {
        if let Poll::Ready(output) = self.poll() {
            panic!("ready, with {output:?}, where it should wait");
        }
    }

    #[track_caller]
    pub(crate) fn expect_ready(&mut self) -> F::Output {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("pending, where it should be ready"),
        }
    }

    pub(crate) fn wakes(&self) -> usize {
        self.probe.wakes()
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.wakes() > 0
    }

    pub(crate) fn probe(&self) -> &Arc<Probe> {
        &self.probe
    }

    pub(crate) fn set_waker(&mut self, waker: Waker) {
        self.waker = waker;
    }

    pub(crate) fn as_mut(&mut self) -> Pin<&mut F> {
        self.future.as_mut()
    }

    pub(crate) fn as_ref(&self) -> &F {
        &self.future
    }
}

/// Which of them have been woken.
pub(crate) fn woken<F: Future>(hands: &[Hand<F>]) -> Vec<usize> {
    (0..hands.len()).filter(|&i| hands[i].is_woken()).collect()
}
