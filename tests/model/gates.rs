//! The latch and the wait group, and their model: a number, and who waits for its end.

use std::{collections::VecDeque, fmt::Debug, pin::Pin};

use compio_sync::{Latch, WaitGroup, WaitGroupGuard};

use super::{
    Args, SLOTS, Verdict, World, bytes, fuzz, fuzz_in_a_runtime, fuzz_on_the_move, play, same,
    wakers,
};

#[derive(Clone, Copy, Debug)]
enum Op {
    Make { slot: usize },
    Poll { slot: usize, task: usize },
    Drop { slot: usize },
    Add,
    Take { n: usize },
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
        11..13 => Op::Add,
        13..15 => Op::Take { n: args.below(3) },
        _ => Op::Show,
    }
}

/// What the two have in common.
trait Real: Debug {
    const NAME: &str;
    const COUNT: &str;
    fn wait<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + 'a>>;
    fn count(&self) -> usize;
    fn waiter_count(&self) -> usize;
}

impl Real for Latch {
    const NAME: &str = "Latch";
    const COUNT: &str = "count";
    fn wait<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
        Box::pin(self.wait())
    }
    fn count(&self) -> usize {
        assert_eq!(self.is_done(), self.count() == 0);
        self.count()
    }
    fn waiter_count(&self) -> usize {
        self.waiter_count()
    }
}

impl Real for WaitGroup {
    const NAME: &str = "WaitGroup";
    const COUNT: &str = "len";
    fn wait<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
        Box::pin(self.wait())
    }
    fn count(&self) -> usize {
        let len = self.len();
        assert_eq!(self.is_empty(), len == 0);
        len
    }
    fn waiter_count(&self) -> usize {
        self.waiter_count()
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
    wait: Pin<Box<dyn Future<Output = ()> + 'a>>,
    state: State,
}

struct Both<'a, R, A, T> {
    real: &'a R,
    add: A,
    take: T,
    slots: [Option<Slot<'a>>; SLOTS],
    left: usize,
    queue: VecDeque<usize>,
    calls: Vec<wakers::Id>,
}

impl<'a, R: Real, A: FnMut() -> usize, T: FnMut(usize) -> (usize, bool)> Both<'a, R, A, T> {
    fn poll(&mut self, at: usize, task: usize) -> Verdict {
        let Some(slot) = &mut self.slots[at] else {
            return Ok(());
        };
        let id = wakers::id(at, task);
        let ready = match slot.state {
            State::Done => return Ok(()),
            State::New if self.left > 0 => {
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
        same("ready", poll.is_ready(), ready)
    }

    /// `take` says how many it has taken: a group has no more than its guards.
    fn take(&mut self, n: usize) -> Verdict {
        let (n, opened) = (self.take)(n);
        let before = self.left;
        self.left = self.left.saturating_sub(n);
        if before > 0 && self.left == 0 {
            for at in self.queue.drain(..) {
                if let Some(slot) = &mut self.slots[at]
                    && let State::Queued(id) = slot.state
                {
                    self.calls.push(id);
                    slot.state = State::Woken;
                }
            }
        }
        same("opened", opened, before > 0 && self.left == 0)
    }
}

impl<R: Real, A: FnMut() -> usize, T: FnMut(usize) -> (usize, bool)> World for Both<'_, R, A, T> {
    type Op = Op;

    fn step(&mut self, op: Op) -> Verdict {
        match op {
            Op::Make { slot } => {
                self.queue.retain(|at| *at != slot);
                self.slots[slot] = Some(Slot {
                    wait: self.real.wait(),
                    state: State::New,
                });
            }
            Op::Poll { slot, task } => return self.poll(slot, task),
            Op::Drop { slot } => {
                self.queue.retain(|at| *at != slot);
                self.slots[slot] = None;
            }
            Op::Add => self.left += (self.add)(),
            Op::Take { n } => return self.take(n),
            Op::Show => {
                let (name, field) = (R::NAME, R::COUNT);
                let (left, count) = (self.left, self.queue.len());
                let shown = format!("{name} {{ {field}: {left}, waiter_count: {count} }}");
                return same("shown", format!("{:?}", self.real), shown);
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        wakers::check(&self.calls, |id| states[id / 2] == Some(State::Queued(id)))?;
        self.calls.clear();
        same("left", self.real.count(), self.left)?;
        same("waiters", self.real.waiter_count(), self.queue.len())
    }

    fn finish(&mut self) -> Verdict {
        while self.left > 0 {
            self.take(1)?;
            self.check()?;
        }
        for at in 0..SLOTS {
            self.poll(at, 0)?;
            self.check()?;
            self.slots[at] = None;
        }
        Ok(())
    }
}

fn both<'a, R: Real, A: FnMut() -> usize, T: FnMut(usize) -> (usize, bool)>(
    real: &'a R,
    left: usize,
    add: A,
    take: T,
) -> Both<'a, R, A, T> {
    Both {
        real,
        add,
        take,
        slots: Default::default(),
        left,
        queue: VecDeque::new(),
        calls: Vec::new(),
    }
}

fn run_latch(begin: usize, program: &[Op]) -> Verdict {
    // A latch opens once: some begin high enough not to be open for most of the program.
    let begin = [0, 1, 3, 40][begin];
    let latch = Latch::new(begin);
    play(
        both(&latch, begin, || 0, |n| (n, latch.count_down_by(n))),
        program,
    )
}

fn run_wait_group(_begin: usize, program: &[Op]) -> Verdict {
    let group = WaitGroup::new();
    let guards = std::cell::RefCell::<Vec<WaitGroupGuard<'_>>>::default();
    let add = || {
        let mut guards = guards.borrow_mut();
        // Every other one is a clone.
        let guard = match guards.last() {
            Some(last) if guards.len() % 2 == 1 => last.clone(),
            _ => group.add(),
        };
        guards.push(guard);
        1
    };
    let take = |n: usize| {
        let taken = guards.borrow_mut().pop();
        let n = n.min(1).min(usize::from(taken.is_some()));
        if n == 0 {
            guards.borrow_mut().extend(taken);
            return (0, false);
        }
        drop(taken);
        (n, guards.borrow().is_empty())
    };
    play(both(&group, 0, add, take), program)
}

pub(super) fn latch_bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run_latch)
}

pub(super) fn wait_group_bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run_wait_group)
}

#[test]
fn latch() {
    fuzz(op, run_latch);
}

#[test]
fn latch_in_a_runtime() {
    fuzz_in_a_runtime(op, run_latch);
}

#[test]
fn latch_on_the_move() {
    fuzz_on_the_move(op, run_latch);
}

#[test]
fn wait_group() {
    fuzz(op, run_wait_group);
}

#[test]
fn wait_group_in_a_runtime() {
    fuzz_in_a_runtime(op, run_wait_group);
}

#[test]
fn wait_group_on_the_move() {
    fuzz_on_the_move(op, run_wait_group);
}
