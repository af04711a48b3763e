//! The notify and its model: what is stored, who waits, and which calls of
//! `notify_waiters` each has seen.

use std::{collections::VecDeque, pin::Pin, sync::Arc};

use compio_sync::{Notified, Notify, OwnedNotified};

use super::{
    Args, SLOTS, Verdict, World, bytes, ensure, fuzz, fuzz_in_a_runtime, fuzz_on_the_move, play,
    same, wakers,
};

#[derive(Clone, Copy, Debug)]
enum Op {
    Make { slot: usize, owned: bool },
    Poll { slot: usize, task: usize },
    Enable { slot: usize },
    Drop { slot: usize },
    NotifyOne,
    NotifyLast,
    NotifyWaiters,
    Show { slot: usize },
}

fn op(kind: u8, mut args: Args) -> Op {
    let slot = args.slot();
    match kind % 32 {
        0..6 => Op::Make {
            slot,
            owned: args.flag(),
        },
        6..15 => Op::Poll {
            slot,
            task: args.below(2),
        },
        15..18 => Op::Enable { slot },
        18..23 => Op::Drop { slot },
        23..26 => Op::NotifyOne,
        26..29 => Op::NotifyLast,
        29..31 => Op::NotifyWaiters,
        _ => Op::Show { slot },
    }
}

enum Wait<'a> {
    Borrowed(Pin<Box<Notified<'a>>>),
    Owned(Pin<Box<OwnedNotified>>),
}

impl Wait<'_> {
    fn poll(&mut self, id: wakers::Id) -> bool {
        wakers::with(id, |cx| match self {
            Self::Borrowed(wait) => wait.as_mut().poll(cx),
            Self::Owned(wait) => wait.as_mut().poll(cx),
        })
        .is_ready()
    }

    fn enable(&mut self) -> bool {
        match self {
            Self::Borrowed(wait) => wait.as_mut().enable(),
            Self::Owned(wait) => wait.as_mut().enable(),
        }
    }
}

/// How one was notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    First,
    Last,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Made after so many calls of `notify_waiters`.
    New(usize),
    /// Without a waker if it is only enabled.
    Queued(Option<wakers::Id>),
    Notified(How),
    Done,
}

struct Slot<'a> {
    wait: Wait<'a>,
    state: State,
}

struct Both<'a> {
    notify: &'a Arc<Notify>,
    slots: [Option<Slot<'a>>; SLOTS],
    stored: bool,
    called: usize,
    queue: VecDeque<usize>,
    calls: Vec<wakers::Id>,
}

impl Both<'_> {
    fn wake(&mut self, at: usize, how: How) {
        if let Some(slot) = &mut self.slots[at]
            && let State::Queued(id) = slot.state
        {
            slot.state = State::Notified(how);
            self.calls.extend(id);
        }
    }

    /// The model of `notify_one` and `notify_last`.
    fn one(&mut self, how: How) {
        let next = if how == How::Last {
            self.queue.pop_back()
        } else {
            self.queue.pop_front()
        };
        match next {
            Some(at) => self.wake(at, how),
            None => self.stored = true,
        }
    }

    /// A poll, or an `enable` if there is no task.
    fn advance(&mut self, at: usize, task: Option<usize>) -> Verdict {
        let Some(slot) = &mut self.slots[at] else {
            return Ok(());
        };
        let id = task.map(|task| wakers::id(at, task));
        let how = match slot.state {
            State::Done => return Ok(()),
            State::New(called) if called != self.called => Some(How::All),
            State::New(_) if std::mem::take(&mut self.stored) => Some(How::First),
            State::New(_) => {
                self.queue.push_back(at);
                slot.state = State::Queued(id);
                None
            }
            State::Queued(before) => {
                slot.state = State::Queued(id.or(before));
                None
            }
            State::Notified(how) => Some(how),
        };
        let real = match id {
            Some(id) => slot.wait.poll(id),
            None => slot.wait.enable(),
        };
        if let Some(how) = how {
            slot.state = if task.is_some() {
                State::Done
            } else {
                State::Notified(how)
            };
        }
        same("notified", real, how.is_some())
    }

    fn drop_slot(&mut self, at: usize) {
        let state = self.slots[at].take().map(|slot| slot.state);
        match state {
            Some(State::Queued(_)) => self.queue.retain(|waits| *waits != at),
            Some(State::Notified(how @ (How::First | How::Last))) => self.one(how),
            _ => {}
        }
    }

    fn show(&self, at: usize) -> Verdict {
        let (stored, count) = (self.stored, self.queue.len());
        let model = format!("Notify {{ stored: {stored}, waiter_count: {count} }}");
        same("shown", format!("{:?}", self.notify), model)?;
        let Some(slot) = &self.slots[at] else {
            return Ok(());
        };
        let (name, shown) = match &slot.wait {
            Wait::Borrowed(wait) => ("Notified", format!("{wait:?}")),
            Wait::Owned(wait) => ("OwnedNotified", format!("{wait:?}")),
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
            Op::Make { slot, owned } => {
                self.drop_slot(slot);
                let wait = if owned {
                    Wait::Owned(Box::pin(self.notify.notified_owned()))
                } else {
                    Wait::Borrowed(Box::pin(self.notify.notified()))
                };
                self.slots[slot] = Some(Slot {
                    wait,
                    state: State::New(self.called),
                });
            }
            Op::Poll { slot, task } => return self.advance(slot, Some(task)),
            Op::Enable { slot } => return self.advance(slot, None),
            Op::Drop { slot } => self.drop_slot(slot),
            Op::NotifyOne => {
                self.one(How::First);
                self.notify.notify_one();
            }
            Op::NotifyLast => {
                self.one(How::Last);
                self.notify.notify_last();
            }
            Op::NotifyWaiters => {
                self.called += 1;
                for at in std::mem::take(&mut self.queue) {
                    self.wake(at, How::All);
                }
                self.notify.notify_waiters();
            }
            Op::Show { slot } => return self.show(slot),
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        wakers::check(&self.calls, |id| {
            states[id / 2] == Some(State::Queued(Some(id)))
        })?;
        self.calls.clear();
        same("waiters", self.notify.waiter_count(), self.queue.len())?;
        ensure(!self.stored || self.queue.is_empty(), || {
            "something is stored while somebody waits".to_owned()
        })
    }

    fn finish(&mut self) -> Verdict {
        // Those that were notified come; the others have not been.
        for at in 0..SLOTS {
            if let Some(slot) = &self.slots[at]
                && matches!(slot.state, State::Notified(_))
            {
                self.advance(at, Some(1))?;
                self.check()?;
            }
        }
        self.show(0)?;
        for at in 0..SLOTS {
            self.drop_slot(at);
            self.check()?;
        }
        self.show(0)
    }
}

fn run(begin: usize, program: &[Op]) -> Verdict {
    let notify = Arc::new(Notify::new());
    if begin == 0 {
        notify.notify_one();
    }
    let both = Both {
        notify: &notify,
        slots: Default::default(),
        stored: begin == 0,
        called: 0,
        queue: VecDeque::new(),
        calls: Vec::new(),
    };
    play(both, program)
}

pub(super) fn bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run)
}

#[test]
fn notify() {
    fuzz(op, run);
}

#[test]
fn notify_in_a_runtime() {
    fuzz_in_a_runtime(op, run);
}

#[test]
fn notify_on_the_move() {
    fuzz_on_the_move(op, run);
}
