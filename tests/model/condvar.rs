//! The condition variable with its mutex, and their model: who waits to be notified, who
//! has been notified, and who waits for the mutex.

use std::{collections::VecDeque, pin::Pin, task::Poll};

use compio_sync::{Condvar, Mutex, MutexGuard};

use super::{
    Args, SLOTS, Verdict, World, bytes, ensure, fuzz, fuzz_in_a_runtime, fuzz_on_the_move,
    mutex::Lock, play, same, wakers,
};

#[derive(Clone, Copy, Debug)]
enum Op {
    Lock {
        slot: usize,
    },
    /// By whoever has the lock, as the next three.
    Wait {
        slot: usize,
    },
    WaitWhile {
        slot: usize,
        odd: bool,
    },
    Change,
    Unlock,
    TryLock,
    Poll {
        slot: usize,
        task: usize,
    },
    Drop {
        slot: usize,
    },
    NotifyOne,
    NotifyAll,
    Show,
}

fn op(kind: u8, mut args: Args) -> Op {
    let slot = args.slot();
    match kind % 32 {
        0..3 => Op::Lock { slot },
        3..6 => Op::Wait { slot },
        6..8 => Op::WaitWhile {
            slot,
            odd: args.flag(),
        },
        8 => Op::Change,
        9..12 => Op::Unlock,
        12..15 => Op::TryLock,
        15..23 => Op::Poll {
            slot,
            task: args.below(2),
        },
        23..26 => Op::Drop { slot },
        26..29 => Op::NotifyOne,
        29..31 => Op::NotifyAll,
        _ => Op::Show,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Lock,
    Wait,
    /// While the data is odd, or while it is even.
    While(bool),
}

/// How it was notified; a lock, which was not, is as `All`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    One,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A wait has the lock then.
    New,
    Waiting(wakers::Id),
    /// Woken by the condition variable.
    Notified(How),
    /// Waits for the mutex.
    Locking(wakers::Id, How),
    /// Woken by the mutex.
    Heir(How),
    Done,
}

struct Slot<'a> {
    future: Pin<Box<dyn Future<Output = MutexGuard<'a, usize>> + 'a>>,
    kind: Kind,
    state: State,
}

struct Both<'a> {
    mutex: &'a Mutex<usize>,
    condvar: &'a Condvar,
    slots: [Option<Slot<'a>>; SLOTS],
    guard: Option<MutexGuard<'a, usize>>,
    lock: Lock,
    data: usize,
    waiting: VecDeque<usize>,
    calls: Vec<wakers::Id>,
}

impl<'a> Both<'a> {
    fn state(&mut self, at: usize) -> &mut State {
        &mut self.slots[at].as_mut().expect("it is queued").state
    }

    /// By the mutex.
    fn wake(&mut self, woken: Option<usize>) {
        let Some(at) = woken else { return };
        let state = self.state(at);
        if let State::Locking(id, how) = *state {
            *state = State::Heir(how);
            self.calls.push(id);
        }
    }

    fn unlock(&mut self) {
        let woken = self.lock.unlock();
        self.wake(woken);
    }

    fn notify_one(&mut self) {
        self.notify_first(How::One);
    }

    fn notify_all(&mut self) {
        while self.notify_first(How::All) {}
    }

    /// Returns whether there was one.
    fn notify_first(&mut self, how: How) -> bool {
        let first = self.waiting.pop_front();
        if let Some(at) = first {
            let state = self.state(at);
            let State::Waiting(id) = *state else {
                unreachable!("it waits")
            };
            *state = State::Notified(how);
            self.calls.push(id);
        }
        first.is_some()
    }

    /// Asks for the lock. Returns whether it was got.
    fn ask(&mut self, at: usize, id: wakers::Id, how: How) -> bool {
        let got = self.lock.try_lock();
        if !got {
            self.lock.queue.push_back(at);
            *self.state(at) = State::Locking(id, how);
        }
        got
    }

    /// The model of a poll. Returns whether it is ready, with the lock.
    fn advance(&mut self, at: usize, id: wakers::Id) -> bool {
        let kind = self.slots[at].as_ref().expect("it is there").kind;
        loop {
            let got = match *self.state(at) {
                State::New if kind == Kind::Lock => self.ask(at, id, How::All),
                State::New => {
                    if let Kind::While(odd) = kind
                        && (self.data % 2 == 1) != odd
                    {
                        break;
                    }
                    self.waiting.push_back(at);
                    *self.state(at) = State::Waiting(id);
                    self.unlock();
                    return false;
                }
                State::Waiting(_) => {
                    *self.state(at) = State::Waiting(id);
                    return false;
                }
                State::Locking(_, how) => {
                    *self.state(at) = State::Locking(id, how);
                    return false;
                }
                State::Notified(how) => self.ask(at, id, how),
                State::Heir(how) => {
                    let got = self.lock.arrive();
                    if !got {
                        *self.state(at) = State::Locking(id, how);
                    }
                    got
                }
                State::Done => unreachable!("it is not polled again"),
            };
            if !got {
                return false;
            }
            if !matches!(kind, Kind::While(_)) {
                break;
            }
            *self.state(at) = State::New;
        }
        *self.state(at) = State::Done;
        true
    }

    fn poll(&mut self, at: usize, task: usize) -> Verdict {
        if self.slots[at]
            .as_ref()
            .is_none_or(|slot| slot.state == State::Done)
        {
            return Ok(());
        }
        let id = wakers::id(at, task);
        let ready = self.advance(at, id);
        let slot = self.slots[at].as_mut().expect("seen above");
        let poll = wakers::with(id, |cx| slot.future.as_mut().poll(cx));
        same("ready", poll.is_ready(), ready)?;
        match poll {
            Poll::Ready(guard) => self.took(guard),
            Poll::Pending => Ok(()),
        }
    }

    fn took(&mut self, guard: MutexGuard<'a, usize>) -> Verdict {
        ensure(self.guard.is_none(), || "two have the lock".to_owned())?;
        same("data", *guard, self.data)?;
        self.guard = Some(guard);
        Ok(())
    }

    fn drop_slot(&mut self, at: usize) {
        let Some(slot) = &self.slots[at] else { return };
        match slot.state {
            State::New if slot.kind == Kind::Lock => {}
            State::New => self.unlock(),
            State::Waiting(_) => self.waiting.retain(|waits| *waits != at),
            State::Notified(How::One) => self.notify_one(),
            State::Notified(How::All) => {}
            State::Locking(_, how) | State::Heir(how) => {
                if matches!(slot.state, State::Heir(_)) {
                    let woken = self.lock.decline();
                    self.wake(woken);
                } else {
                    self.lock.leave(at);
                }
                if how == How::One {
                    self.notify_one();
                }
            }
            State::Done => {}
        }
        self.slots[at] = None;
    }

    /// Puts a future in a slot, one that takes the guard with it unless it is a lock.
    fn make(&mut self, at: usize, kind: Kind) {
        if kind != Kind::Lock && self.guard.is_none() {
            return;
        }
        self.drop_slot(at);
        let future: Pin<Box<dyn Future<Output = _>>> = match (kind, self.guard.take()) {
            (Kind::Wait, Some(guard)) => Box::pin(self.condvar.wait(guard)),
            (Kind::While(odd), Some(guard)) => {
                let condition = move |data: &mut usize| (*data % 2 == 1) == odd;
                Box::pin(self.condvar.wait_while(guard, condition))
            }
            (_, guard) => {
                self.guard = guard;
                Box::pin(self.mutex.lock())
            }
        };
        self.slots[at] = Some(Slot {
            future,
            kind,
            state: State::New,
        });
    }

    fn give_up_guard(&mut self) {
        if let Some(guard) = self.guard.take() {
            self.unlock();
            drop(guard);
        }
    }

    fn is_woken(slot: &Option<Slot<'_>>) -> bool {
        slot.as_ref()
            .is_some_and(|slot| matches!(slot.state, State::Notified(_) | State::Heir(_)))
    }
}

impl World for Both<'_> {
    type Op = Op;

    fn step(&mut self, op: Op) -> Verdict {
        match op {
            Op::Lock { slot } => self.make(slot, Kind::Lock),
            Op::Wait { slot } => self.make(slot, Kind::Wait),
            Op::WaitWhile { slot, odd } => self.make(slot, Kind::While(odd)),
            Op::Change => {
                if let Some(guard) = &mut self.guard {
                    **guard += 1;
                    self.data += 1;
                }
            }
            Op::Unlock => self.give_up_guard(),
            Op::TryLock => {
                let guard = self.mutex.try_lock();
                same("tried", guard.is_some(), self.lock.try_lock())?;
                return guard.map_or(Ok(()), |guard| self.took(guard));
            }
            Op::Poll { slot, task } => return self.poll(slot, task),
            Op::Drop { slot } => self.drop_slot(slot),
            Op::NotifyOne => {
                self.notify_one();
                self.condvar.notify_one();
            }
            Op::NotifyAll => {
                self.notify_all();
                self.condvar.notify_all();
            }
            Op::Show => {
                let model = format!("Condvar {{ waiter_count: {} }}", self.waiting.len());
                return same("shown", format!("{:?}", self.condvar), model);
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        wakers::check(&self.calls, |id| match states[id / 2] {
            Some(State::Waiting(by) | State::Locking(by, _)) => by == id,
            _ => false,
        })?;
        self.calls.clear();
        same("locked", self.mutex.is_locked(), self.lock.is_locked())?;
        same(
            "waiters for the mutex",
            self.mutex.waiter_count(),
            self.lock.queue.len(),
        )?;
        same("waiters", self.condvar.waiter_count(), self.waiting.len())?;
        let somebody = self.lock.queue.is_empty() || self.lock.held || self.lock.heir.is_some();
        ensure(somebody, || "nobody cares for those who wait".to_owned())
    }

    fn finish(&mut self) -> Verdict {
        // Each that was notified gets the lock, polled only when it is woken.
        self.give_up_guard();
        self.check()?;
        for at in 0..SLOTS {
            if let Some(slot) = &self.slots[at]
                && slot.state == State::New
            {
                self.drop_slot(at);
                self.check()?;
            }
        }
        while let Some(at) = self.slots.iter().position(Self::is_woken) {
            self.poll(at, 0)?;
            self.check()?;
            self.give_up_guard();
            self.check()?;
        }
        same("waiters for the mutex", self.lock.queue.len(), 0)?;
        same("locked", self.lock.is_locked(), false)?;
        for at in 0..SLOTS {
            self.drop_slot(at);
            self.check()?;
        }
        Ok(())
    }
}

fn run(begin: usize, program: &[Op]) -> Verdict {
    let (mutex, condvar) = (Mutex::new(begin), Condvar::new());
    let both = Both {
        mutex: &mutex,
        condvar: &condvar,
        slots: Default::default(),
        guard: None,
        lock: Lock::default(),
        data: begin,
        waiting: VecDeque::new(),
        calls: Vec::new(),
    };
    play(both, program)
}

pub(super) fn bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run)
}

#[test]
fn condvar() {
    fuzz(op, run);
}

#[test]
fn condvar_in_a_runtime() {
    fuzz_in_a_runtime(op, run);
}

#[test]
fn condvar_on_the_move() {
    fuzz_on_the_move(op, run);
}
