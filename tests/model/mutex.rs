//! The mutex and its model: who has the lock, who has been woken for it, and who waits.
//!
//! Besides, the bound that is promised: the waiter in place k is overtaken by no more than
//! 65 × k.

use std::{collections::VecDeque, pin::Pin, sync::Arc, task::Poll};

use compio_sync::{
    Lock as LockFuture, LockOwned, MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard,
    OwnedMutexGuard,
};

use super::{
    Args, SLOTS, Verdict, World, bytes, ensure, fuzz, fuzz_in_a_runtime, fuzz_on_the_move, play,
    same, wakers,
};

/// How often a waiter that has been woken is overtaken at most.
const OVERTAKES: usize = 64;

/// How often one that comes in vain has been overtaken if it is served next.
const PATIENCE: usize = 3;

/// The model of the lock, without its data. Methods return whom they wake.
#[derive(Debug, Default)]
pub(super) struct Lock {
    pub(super) held: bool,
    /// Who was woken, and has not come yet.
    pub(super) heir: Option<usize>,
    /// For the heir.
    kept: bool,
    /// The heir or, if there is none, the first that waits.
    overtaken: usize,
    pub(super) queue: VecDeque<usize>,
}

impl Lock {
    pub(super) fn is_locked(&self) -> bool {
        self.held || self.kept
    }

    pub(super) fn try_lock(&mut self) -> bool {
        !self.is_locked() && {
            self.held = true;
            true
        }
    }

    #[must_use]
    pub(super) fn unlock(&mut self) -> Option<usize> {
        self.held = false;
        if self.heir.is_some() {
            self.overtaken += 1;
            self.kept = self.overtaken == OVERTAKES;
            return None;
        }
        self.kept = self.overtaken >= PATIENCE;
        self.name_heir()
    }

    fn name_heir(&mut self) -> Option<usize> {
        self.heir = self.queue.pop_front();
        self.heir
    }

    fn end_of_heir(&mut self) -> bool {
        self.heir = None;
        self.overtaken = 0;
        std::mem::take(&mut self.kept)
    }

    /// The heir comes; or is the first again.
    pub(super) fn arrive(&mut self) -> bool {
        let heir = self.heir.expect("it comes");
        if self.held {
            self.heir = None;
            self.overtaken += 1;
            self.queue.push_front(heir);
            return false;
        }
        self.end_of_heir();
        self.held = true;
        true
    }

    /// The heir does not come.
    #[must_use]
    pub(super) fn decline(&mut self) -> Option<usize> {
        if self.end_of_heir() {
            self.unlock()
        } else if !self.held {
            self.name_heir()
        } else {
            None
        }
    }

    pub(super) fn leave(&mut self, at: usize) {
        self.queue.retain(|waits| *waits != at);
        if self.queue.is_empty() && self.heir.is_none() {
            self.overtaken = 0;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Ask { slot: usize, owned: bool },
    Poll { slot: usize, task: usize },
    Drop { slot: usize },
    Try { owned: bool },
    Barge { times: usize },
    Unlock,
    Map,
    Show { slot: usize },
}

fn op(kind: u8, mut args: Args) -> Op {
    let (slot, owned) = (args.slot(), args.flag());
    match kind % 32 {
        0..6 => Op::Ask { slot, owned },
        6..14 => Op::Poll {
            slot,
            task: args.below(2),
        },
        14..18 => Op::Drop { slot },
        18..21 => Op::Try { owned },
        21..23 => Op::Barge {
            times: args.below(OVERTAKES + 2),
        },
        23..29 => Op::Unlock,
        29..31 => Op::Map,
        _ => Op::Show { slot },
    }
}

enum Request<'a> {
    Borrowed(Pin<Box<LockFuture<'a, u64>>>),
    Owned(Pin<Box<LockOwned<u64>>>),
}

enum Guard<'a> {
    Borrowed(MutexGuard<'a, u64>),
    Owned(OwnedMutexGuard<u64>),
    Mapped(MappedMutexGuard<'a, u64>),
    OwnedMapped(OwnedMappedMutexGuard<u64>),
}

impl<'a> Guard<'a> {
    fn data(&mut self) -> &mut u64 {
        match self {
            Self::Borrowed(guard) => guard,
            Self::Owned(guard) => guard,
            Self::Mapped(guard) => guard,
            Self::OwnedMapped(guard) => guard,
        }
    }

    fn map(self) -> Self {
        match self {
            Self::Borrowed(guard) => Self::Mapped(MutexGuard::map(guard, |data| data)),
            Self::Owned(guard) => Self::OwnedMapped(OwnedMutexGuard::map(guard, |data| data)),
            mapped => mapped,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Queued(wakers::Id),
    Woken,
    Done,
}

struct Slot<'a> {
    request: Request<'a>,
    state: State,
    /// Its place when it came, counting whoever had been woken.
    place: usize,
    /// How many have had the lock since.
    overtaken: usize,
}

struct Both<'a> {
    mutex: &'a Arc<Mutex<u64>>,
    slots: [Option<Slot<'a>>; SLOTS],
    guard: Option<Guard<'a>>,
    lock: Lock,
    /// How often the lock was taken: each time is noted in the data, too.
    taken: u64,
    calls: Vec<wakers::Id>,
}

impl<'a> Both<'a> {
    fn wake(&mut self, woken: Option<usize>) {
        if let Some(at) = woken
            && let Some(slot) = &mut self.slots[at]
            && let State::Queued(id) = slot.state
        {
            slot.state = State::Woken;
            self.calls.push(id);
        }
    }

    /// Somebody has taken the lock.
    fn took(&mut self, mut guard: Guard<'a>) -> Verdict {
        ensure(self.guard.is_none(), || "two have the lock".to_owned())?;
        let data = guard.data();
        same("data", *data, self.taken)?;
        *data += 1;
        self.taken += 1;
        self.guard = Some(guard);
        self.overtake();
        Ok(())
    }

    fn overtake(&mut self) {
        for slot in self.slots.iter_mut().flatten() {
            slot.overtaken += 1;
        }
    }

    fn unlock(&mut self) {
        if self.guard.is_some() {
            let woken = self.lock.unlock();
            self.wake(woken);
            self.guard = None;
        }
    }

    fn try_lock(&mut self, owned: bool) -> Verdict {
        let guard = if owned {
            self.mutex.try_lock_owned().map(Guard::Owned)
        } else {
            self.mutex.try_lock().map(Guard::Borrowed)
        };
        same("tried", guard.is_some(), self.lock.try_lock())?;
        guard.map_or(Ok(()), |guard| self.took(guard))
    }

    fn poll(&mut self, at: usize, task: usize) -> Verdict {
        let Some(slot) = &mut self.slots[at] else {
            return Ok(());
        };
        let id = wakers::id(at, task);
        let ready = match slot.state {
            State::Done => return Ok(()),
            State::New => {
                let got = self.lock.try_lock();
                if !got {
                    self.lock.queue.push_back(at);
                    slot.place = self.lock.queue.len() + usize::from(self.lock.heir.is_some());
                    slot.overtaken = 1;
                }
                got
            }
            State::Queued(_) => false,
            State::Woken => self.lock.arrive(),
        };
        if ready && slot.state == State::Woken {
            let (place, overtaken) = (slot.place, slot.overtaken);
            ensure(overtaken <= place * (OVERTAKES + 1), || {
                format!("in place {place}, and overtaken {overtaken} times")
            })?;
        }
        slot.state = if ready {
            State::Done
        } else {
            State::Queued(id)
        };
        let guard = wakers::with(id, |cx| match &mut slot.request {
            Request::Borrowed(request) => request.as_mut().poll(cx).map(Guard::Borrowed),
            Request::Owned(request) => request.as_mut().poll(cx).map(Guard::Owned),
        });
        same("ready", guard.is_ready(), ready)?;
        match guard {
            Poll::Ready(guard) => self.took(guard),
            Poll::Pending => Ok(()),
        }
    }

    fn drop_slot(&mut self, at: usize) {
        let state = self.slots[at].take().map(|slot| slot.state);
        match state {
            Some(State::Queued(_)) => self.lock.leave(at),
            Some(State::Woken) => {
                let woken = self.lock.decline();
                self.wake(woken);
            }
            _ => {}
        }
    }

    fn show(&mut self, at: usize) -> Verdict {
        let shown = format!("{:?}", self.mutex);
        let count = self.lock.queue.len();
        // To show the data is to take the lock for a moment.
        let data = if self.lock.try_lock() {
            self.overtake();
            let woken = self.lock.unlock();
            self.wake(woken);
            self.taken.to_string()
        } else {
            "<locked>".to_owned()
        };
        let model = format!("Mutex {{ data: {data}, waiter_count: {count} }}");
        same("shown", shown, model)?;
        let Some(slot) = &self.slots[at] else {
            return Ok(());
        };
        let (name, shown) = match &slot.request {
            Request::Borrowed(request) => ("Lock", format!("{request:?}")),
            Request::Owned(request) => ("LockOwned", format!("{request:?}")),
        };
        let (queued, done) = (
            matches!(slot.state, State::Queued(_)),
            slot.state == State::Done,
        );
        let model = format!("{name} {{ queued: {queued}, done: {done}, .. }}");
        same("shown", shown, model)
    }
}

impl World for Both<'_> {
    type Op = Op;

    fn step(&mut self, op: Op) -> Verdict {
        match op {
            Op::Ask { slot, owned } => {
                self.drop_slot(slot);
                let request = if owned {
                    Request::Owned(Box::pin(self.mutex.lock_owned()))
                } else {
                    Request::Borrowed(Box::pin(self.mutex.lock()))
                };
                self.slots[slot] = Some(Slot {
                    request,
                    state: State::New,
                    place: 0,
                    overtaken: 0,
                });
            }
            Op::Poll { slot, task } => return self.poll(slot, task),
            Op::Drop { slot } => self.drop_slot(slot),
            Op::Try { owned } => return self.try_lock(owned),
            Op::Barge { times } => {
                self.unlock();
                for _ in 0..times {
                    self.try_lock(false)?;
                    self.unlock();
                    self.check()?;
                }
            }
            Op::Unlock => self.unlock(),
            Op::Map => self.guard = self.guard.take().map(Guard::map),
            Op::Show { slot } => return self.show(slot),
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        wakers::check(&self.calls, |id| states[id / 2] == Some(State::Queued(id)))?;
        self.calls.clear();
        same("locked", self.mutex.is_locked(), self.lock.is_locked())?;
        same("waiters", self.mutex.waiter_count(), self.lock.queue.len())?;
        let somebody = self.lock.queue.is_empty() || self.lock.held || self.lock.heir.is_some();
        ensure(somebody, || "nobody cares for those who wait".to_owned())
    }

    fn finish(&mut self) -> Verdict {
        // Each of those who wait gets the lock, polled only when it is woken.
        self.unlock();
        self.check()?;
        while let Some(at) = self.lock.heir {
            self.poll(at, 0)?;
            self.check()?;
            self.unlock();
            self.check()?;
        }
        same("waiters", self.lock.queue.len(), 0)?;
        for at in 0..SLOTS {
            self.drop_slot(at);
        }
        self.show(0)
    }
}

fn run(_: usize, program: &[Op]) -> Verdict {
    let mutex = Arc::new(Mutex::new(0));
    let both = Both {
        mutex: &mutex,
        slots: Default::default(),
        guard: None,
        lock: Lock::default(),
        taken: 0,
        calls: Vec::new(),
    };
    play(both, program)
}

pub(super) fn bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run)
}

#[test]
fn mutex() {
    fuzz(op, run);
}

#[test]
fn mutex_in_a_runtime() {
    fuzz_in_a_runtime(op, run);
}

#[test]
fn mutex_on_the_move() {
    fuzz_on_the_move(op, run);
}
