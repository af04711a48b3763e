//! The event and its model: a flag, and who waits.

use std::{collections::VecDeque, pin::Pin, task::Poll};

use compio_sync::{Event, EventWait};

use super::{
    Args, SLOTS, Verdict, World, bytes, fuzz, fuzz_in_a_runtime, fuzz_on_the_move, play, same,
    wakers,
};

#[derive(Clone, Copy, Debug)]
enum Op {
    Make { slot: usize },
    Poll { slot: usize, task: usize },
    Drop { slot: usize },
    Set,
    Reset,
    Show,
}

fn op(kind: u8, mut args: Args) -> Op {
    let slot = args.slot();
    match kind % 16 {
        0..3 => Op::Make { slot },
        3..9 => Op::Poll {
            slot,
            task: args.below(2),
        },
        9..11 => Op::Drop { slot },
        11..13 => Op::Set,
        13..15 => Op::Reset,
        _ => Op::Show,
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
    wait: Pin<Box<EventWait<'a>>>,
    state: State,
}

struct Both<'a> {
    event: &'a Event,
    slots: [Option<Slot<'a>>; SLOTS],
    set: bool,
    queue: VecDeque<usize>,
    calls: Vec<wakers::Id>,
}

impl Both<'_> {
    fn poll(&mut self, at: usize, task: usize) -> Verdict {
        let Some(slot) = &mut self.slots[at] else {
            return Ok(());
        };
        let id = wakers::id(at, task);
        let ready = match slot.state {
            State::Done => return Ok(()),
            State::New if !self.set => {
                self.queue.push_back(at);
                false
            }
            State::New | State::Woken => true,
            State::Queued(_) => false,
        };
        slot.state = if ready {
            State::Done
        } else {
            State::Queued(id)
        };
        let poll = wakers::with(id, |cx| slot.wait.as_mut().poll(cx));
        same("ready", poll == Poll::Ready(()), ready)
    }

    fn set(&mut self) -> Verdict {
        for at in self.queue.drain(..) {
            if let Some(slot) = &mut self.slots[at]
                && let State::Queued(id) = slot.state
            {
                self.calls.push(id);
                slot.state = State::Woken;
            }
        }
        same(
            "set before",
            self.event.set(),
            std::mem::replace(&mut self.set, true),
        )
    }
}

impl World for Both<'_> {
    type Op = Op;

    fn step(&mut self, op: Op) -> Verdict {
        match op {
            Op::Make { slot } => {
                self.queue.retain(|at| *at != slot);
                self.slots[slot] = Some(Slot {
                    wait: Box::pin(self.event.wait()),
                    state: State::New,
                });
            }
            Op::Poll { slot, task } => return self.poll(slot, task),
            Op::Drop { slot } => {
                self.queue.retain(|at| *at != slot);
                self.slots[slot] = None;
            }
            Op::Set => return self.set(),
            Op::Reset => {
                let before = std::mem::replace(&mut self.set, false);
                return same("reset", self.event.reset(), before);
            }
            Op::Show => {
                let (set, count) = (self.set, self.queue.len());
                let shown = format!("Event {{ is_set: {set}, waiter_count: {count} }}");
                return same("shown", format!("{:?}", self.event), shown);
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        wakers::check(&self.calls, |id| states[id / 2] == Some(State::Queued(id)))?;
        self.calls.clear();
        same("is set", self.event.is_set(), self.set)?;
        same("waiters", self.event.waiter_count(), self.queue.len())
    }

    fn finish(&mut self) -> Verdict {
        self.set()?;
        self.check()?;
        for at in 0..SLOTS {
            self.poll(at, 0)?;
            self.check()?;
            self.slots[at] = None;
        }
        Ok(())
    }
}

fn run(begin: usize, program: &[Op]) -> Verdict {
    let event = Event::new();
    let mut both = Both {
        event: &event,
        slots: Default::default(),
        set: false,
        queue: VecDeque::new(),
        calls: Vec::new(),
    };
    if begin == 0 {
        both.set()?;
    }
    play(both, program)
}

pub(super) fn bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run)
}

#[test]
fn event() {
    fuzz(op, run);
}

#[test]
fn event_in_a_runtime() {
    fuzz_in_a_runtime(op, run);
}

#[test]
fn event_on_the_move() {
    fuzz_on_the_move(op, run);
}
