//! The tree of cancellation tokens and its model: for each token those that it is below, and who
//! waits.

use std::{collections::VecDeque, pin::Pin};

use compio_sync::{CancellationToken, CancelledOwned};

use super::{
    Args, SLOTS, Verdict, World, bytes, fuzz, fuzz_in_a_runtime, fuzz_on_the_move, play, same,
    wakers,
};

const TOKENS: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Op {
    Child { of: usize, at: usize },
    Root { at: usize },
    Let { go: usize },
    Cancel { token: usize },
    Wait { slot: usize, token: usize },
    Poll { slot: usize, task: usize },
    Drop { slot: usize },
}

fn op(kind: u8, mut args: Args) -> Op {
    let (slot, token, other) = (args.slot(), args.below(TOKENS), args.below(TOKENS));
    match kind % 16 {
        0..4 => Op::Child {
            of: token,
            at: other,
        },
        4 if other == 0 => Op::Root { at: token },
        4..6 => Op::Let { go: token },
        6 => Op::Cancel { token },
        7..10 => Op::Wait { slot, token },
        10..15 => Op::Poll {
            slot,
            task: other % 2,
        },
        _ => Op::Drop { slot },
    }
}

/// A token that ever was: its number is its place in the list of all.
struct Known {
    parent: Option<usize>,
    cancelled: bool,
    queue: VecDeque<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Queued(wakers::Id),
    Woken,
    Done,
}

struct Slot {
    wait: Pin<Box<CancelledOwned>>,
    of: usize,
    state: State,
}

#[derive(Default)]
struct Both {
    tokens: [Option<(CancellationToken, usize)>; TOKENS],
    known: Vec<Known>,
    slots: [Option<Slot>; SLOTS],
    calls: Vec<wakers::Id>,
}

impl Both {
    fn know(&mut self, parent: Option<usize>) -> usize {
        self.known.push(Known {
            parent,
            cancelled: parent.is_some_and(|parent| self.known[parent].cancelled),
            queue: VecDeque::new(),
        });
        self.known.len() - 1
    }

    fn drop_slot(&mut self, at: usize) {
        if let Some(slot) = self.slots[at].take() {
            self.known[slot.of].queue.retain(|other| *other != at);
        }
    }

    fn is_below(&self, mut token: usize, root: usize) -> bool {
        while token != root {
            let Some(parent) = self.known[token].parent else {
                return false;
            };
            token = parent;
        }
        true
    }

    fn cancel(&mut self, root: usize) {
        if self.known[root].cancelled {
            return;
        }
        for token in 0..self.known.len() {
            if !self.is_below(token, root) {
                continue;
            }
            self.known[token].cancelled = true;
            for at in std::mem::take(&mut self.known[token].queue) {
                if let Some(slot) = &mut self.slots[at]
                    && let State::Queued(id) = slot.state
                {
                    self.calls.push(id);
                    slot.state = State::Woken;
                }
            }
        }
    }

    fn poll(&mut self, at: usize, task: usize) -> Verdict {
        let Some(slot) = &mut self.slots[at] else {
            return Ok(());
        };
        let id = wakers::id(at, task);
        let ready = match slot.state {
            State::Done => return Ok(()),
            State::New if !self.known[slot.of].cancelled => {
                self.known[slot.of].queue.push_back(at);
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
        same("ready", poll.is_ready(), ready)
    }
}

impl World for Both {
    type Op = Op;

    fn step(&mut self, op: Op) -> Verdict {
        match op {
            Op::Child { of, at } => {
                if let Some((parent, known)) = &self.tokens[of] {
                    let (child, known) = (parent.child_token(), *known);
                    let known = self.know(Some(known));
                    self.tokens[at] = Some((child, known));
                }
            }
            Op::Root { at } => {
                let known = self.know(None);
                self.tokens[at] = Some((CancellationToken::new(), known));
            }
            Op::Let { go } => self.tokens[go] = None,
            Op::Cancel { token } => {
                if let Some((real, known)) = &self.tokens[token] {
                    real.cancel();
                    let known = *known;
                    self.cancel(known);
                }
            }
            Op::Wait { slot, token } => {
                if let Some((real, known)) = &self.tokens[token] {
                    let (wait, of) = (Box::pin(real.clone().cancelled_owned()), *known);
                    self.drop_slot(slot);
                    self.slots[slot] = Some(Slot {
                        wait,
                        of,
                        state: State::New,
                    });
                }
            }
            Op::Poll { slot, task } => return self.poll(slot, task),
            Op::Drop { slot } => self.drop_slot(slot),
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        // The order among the tokens of a tree is not promised, and at most one wake is of a slot.
        self.calls.sort_unstable();
        wakers::sort();
        wakers::check(&self.calls, |id| states[id / 2] == Some(State::Queued(id)))?;
        self.calls.clear();
        for (real, known) in self.tokens.iter().flatten() {
            let known = &self.known[*known];
            same("is cancelled", real.is_cancelled(), known.cancelled)?;
            same("waiters", real.waiter_count(), known.queue.len())?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Verdict {
        for at in 0..TOKENS {
            self.step(Op::Cancel { token: at })?;
            self.check()?;
        }
        for at in 0..SLOTS {
            self.poll(at, 0)?;
            self.check()?;
            self.drop_slot(at);
        }
        Ok(())
    }
}

fn run(_begin: usize, program: &[Op]) -> Verdict {
    let mut both = Both::default();
    both.step(Op::Root { at: 0 })?;
    play(both, program)
}

pub(super) fn bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run)
}

#[test]
fn cancellation_token() {
    fuzz(op, run);
}

#[test]
fn cancellation_token_in_a_runtime() {
    fuzz_in_a_runtime(op, run);
}

#[test]
fn cancellation_token_on_the_move() {
    fuzz_on_the_move(op, run);
}
