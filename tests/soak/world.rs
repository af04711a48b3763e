//! What the tasks share, and what has to be true of it when they are gone.

use std::{
    fmt::Debug,
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use super::{common::stall, patient::Patience};
use compio_sync::{
    Barrier, CancellationToken, Condvar, Event, Latch, Mutex, Notify, OnceCell, RwLock, Semaphore,
    WaitGroup,
};

const LATCH: usize = 100;
pub(crate) const PERMITS: usize = 5;
/// What the cell is filled with.
pub(crate) const VALUE: u64 = 7;

/// What one round is about.
pub(crate) struct World {
    pub(crate) semaphore: Semaphore,
    pub(crate) mutex: Mutex<(u64, u64)>,
    pub(crate) changed: Condvar,
    pub(crate) turns: Mutex<u64>,
    pub(crate) notify: Notify,
    pub(crate) event: Event,
    pub(crate) lock: RwLock<(u64, u64)>,
    pub(crate) barrier: Barrier,
    pub(crate) cell: OnceCell<u64>,
    pub(crate) root: CancellationToken,
    /// A child of the root, until somebody cancels it and puts another here.
    child: StdMutex<CancellationToken>,
    pub(crate) group: WaitGroup,
    pub(crate) latch: Latch,
    /// What a herd waits for, one after the other.
    pub(crate) go: Event,
    pub(crate) stop: CancellationToken,
    pub(crate) patience: Patience,
}

impl World {
    pub(crate) fn new(rounds: usize) -> Self {
        let root = CancellationToken::new();
        Self {
            semaphore: Semaphore::new(PERMITS),
            mutex: Mutex::new((0, 0)),
            changed: Condvar::new(),
            turns: Mutex::new(0),
            notify: Notify::new(),
            event: Event::new(),
            lock: RwLock::new((0, 0)),
            barrier: Barrier::new(3),
            cell: OnceCell::new(),
            child: StdMutex::new(root.child_token()),
            stop: root.child_token(),
            root,
            group: WaitGroup::new(),
            latch: Latch::new(LATCH),
            go: Event::new(),
            patience: Patience::new(rounds),
        }
    }

    pub(crate) fn child(&self) -> CancellationToken {
        self.child
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts another in its place, and returns the old one.
    pub(crate) fn change_child(&self) -> CancellationToken {
        let child = self.root.child_token();
        let mut place = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut place, child)
    }

    fn parts(&self) -> Vec<&dyn Debug> {
        let mut all: Vec<&dyn Debug> = vec![
            &self.semaphore,
            &self.mutex,
            &self.changed,
            &self.turns,
            &self.notify,
            &self.event,
            &self.lock,
            &self.barrier,
            &self.cell,
            &self.root,
            &self.child,
            &self.group,
            &self.latch,
            &self.go,
            &self.stop,
        ];
        all.extend(self.patience.parts());
        all
    }

    pub(crate) fn print_and_abort(self: &Arc<Self>) -> ! {
        stall::print_and_abort((0..self.parts().len()).map(|n| {
            let world = Arc::clone(self);
            move || format!("{:?}", world.parts()[n])
        }))
    }

    /// All tasks are gone.
    pub(crate) fn check(&self) {
        let waiters = [
            self.semaphore.waiter_count(),
            self.mutex.waiter_count(),
            self.changed.waiter_count(),
            self.turns.waiter_count(),
            self.notify.waiter_count(),
            self.event.waiter_count(),
            self.lock.waiter_count(),
            self.barrier.waiter_count(),
            self.cell.waiter_count(),
            self.root.waiter_count(),
            self.child().waiter_count(),
            self.group.waiter_count(),
            self.latch.waiter_count(),
            self.go.waiter_count(),
            self.stop.waiter_count(),
        ];
        assert_eq!(waiters, [0; 15], "somebody still waits");
        assert!(self.group.is_empty(), "somebody is still counted");
        assert!(!self.child().is_cancelled());
        if let Some(value) = self.cell.get() {
            assert_eq!(*value, VALUE);
        }
        assert_eq!(self.semaphore.available_permits(), PERMITS);
        let data = self.mutex.try_lock().expect("a mutex is still locked");
        assert_eq!(data.0, data.1);
        assert!(self.turns.try_lock().is_some(), "a mutex is still locked");
        let data = self.lock.try_write().expect("a lock is still held");
        assert_eq!(data.0, data.1);
        self.patience.check();
    }
}

/// What has happened so far, for the watchdog and for the last line.
#[derive(Default)]
pub(crate) struct Tally {
    /// Waits that were pending, were woken and came to an end.
    pub(crate) woken: AtomicU64,
    /// Waits that were pending and were dropped.
    pub(crate) dropped: AtomicU64,
    pub(crate) runtimes: AtomicU64,
    /// Waits of those who do not give up that came to an end.
    pub(crate) ended: AtomicU64,
}

impl Tally {
    /// Without what the impatient do: that goes on when nobody is woken any more.
    pub(crate) fn steps(&self) -> u64 {
        self.ended.load(SeqCst) + self.runtimes.load(SeqCst)
    }
}
