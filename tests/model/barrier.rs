//! The barrier and its model: who waits, in order; the one that makes it full leads.

use std::{collections::VecDeque, pin::Pin, task::Poll};

use compio_sync::{Barrier, BarrierWait};

use super::{
    Args, SLOTS, Verdict, World, bytes, fuzz, fuzz_in_a_runtime, fuzz_on_the_move, play, same,
    wakers,
};

#[derive(Clone, Copy, Debug)]
enum Op {
    Make { slot: usize },
    Poll { slot: usize, task: usize },
    Drop { slot: usize },
    Show { slot: usize },
}

fn op(kind: u8, mut args: Args) -> Op {
    let slot = args.slot();
    match kind % 16 {
        0..4 => Op::Make { slot },
        4..12 => Op::Poll {
            slot,
            task: args.below(2),
        },
        12..15 => Op::Drop { slot },
        _ => Op::Show { slot },
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
    wait: Pin<Box<BarrierWait<'a>>>,
    state: State,
}

struct Both<'a> {
    barrier: &'a Barrier,
    /// As they were asked for.
    parties: usize,
    slots: [Option<Slot<'a>>; SLOTS],
    queue: VecDeque<usize>,
    calls: Vec<wakers::Id>,
}

impl Both<'_> {
    fn poll(&mut self, at: usize, task: usize) -> Verdict {
        let Some(slot) = &mut self.slots[at] else {
            return Ok(());
        };
        let id = wakers::id(at, task);
        let completes = slot.state == State::New && self.queue.len() + 1 >= self.parties;
        let result = match slot.state {
            State::Done => return Ok(()),
            State::New if completes => Some(true),
            State::New => {
                self.queue.push_back(at);
                None
            }
            State::Woken => Some(false),
            State::Queued(_) => None,
        };
        slot.state = if result.is_some() {
            State::Done
        } else {
            State::Queued(id)
        };
        let poll = wakers::with(id, |cx| slot.wait.as_mut().poll(cx));
        if completes {
            for other in std::mem::take(&mut self.queue) {
                let other = self.slots[other].as_mut().expect("it waits");
                if let State::Queued(id) = other.state {
                    self.calls.push(id);
                }
                other.state = State::Woken;
            }
        }
        let leads = match poll {
            Poll::Ready(result) => Some(result.is_leader()),
            Poll::Pending => None,
        };
        same("ready, and leads", leads, result)
    }

    fn drop_slot(&mut self, at: usize) {
        self.queue.retain(|waits| *waits != at);
        self.slots[at] = None;
    }

    fn show(&self, at: usize) -> Verdict {
        let (parties, count) = (self.parties.max(1), self.queue.len());
        let model = format!("Barrier {{ parties: {parties}, waiter_count: {count} }}");
        same("shown", format!("{:?}", self.barrier), model)?;
        let Some(slot) = &self.slots[at] else {
            return Ok(());
        };
        let queued = matches!(slot.state, State::Queued(_));
        let done = slot.state == State::Done;
        let model = format!("BarrierWait {{ queued: {queued}, done: {done}, .. }}");
        same("shown", format!("{:?}", slot.wait), model)
    }
}

impl World for Both<'_> {
    type Op = Op;

    fn step(&mut self, op: Op) -> Verdict {
        match op {
            Op::Make { slot } => {
                self.drop_slot(slot);
                self.slots[slot] = Some(Slot {
                    wait: Box::pin(self.barrier.wait()),
                    state: State::New,
                });
            }
            Op::Poll { slot, task } => return self.poll(slot, task),
            Op::Drop { slot } => self.drop_slot(slot),
            Op::Show { slot } => return self.show(slot),
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        wakers::check(&self.calls, |id| states[id / 2] == Some(State::Queued(id)))?;
        self.calls.clear();
        same("waiters", self.barrier.waiter_count(), self.queue.len())
    }

    fn finish(&mut self) -> Verdict {
        // As many as are missing come, each in a place that nobody waits in.
        while !self.queue.is_empty() {
            let free = (0..SLOTS).find(|at| !self.queue.contains(at));
            let at = free.expect("there are more places than a barrier takes");
            self.step(Op::Make { slot: at })?;
            self.poll(at, 0)?;
            self.check()?;
        }
        for at in 0..SLOTS {
            self.poll(at, 0)?;
            self.check()?;
            self.drop_slot(at);
            self.check()?;
        }
        // The last loop may have left some that were new.
        self.queue.clear();
        Ok(())
    }
}

fn run(begin: usize, program: &[Op]) -> Verdict {
    // For 0 (as 1), 2, 3 and 5.
    let parties = [0, 2, 3, 5][begin];
    let barrier = Barrier::new(parties);
    let both = Both {
        barrier: &barrier,
        parties,
        slots: Default::default(),
        queue: VecDeque::new(),
        calls: Vec::new(),
    };
    play(both, program)
}

pub(super) fn bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run)
}

#[test]
fn barrier() {
    fuzz(op, run);
}

#[test]
fn barrier_in_a_runtime() {
    fuzz_in_a_runtime(op, run);
}

#[test]
fn barrier_on_the_move() {
    fuzz_on_the_move(op, run);
}
