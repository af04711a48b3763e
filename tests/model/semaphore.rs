//! The semaphore and its model: how many are free, and who lacks how many.

use std::{collections::VecDeque, pin::Pin, sync::Arc, task::Poll};

use compio_sync::{Acquire, AcquireOwned, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::{
    Args, SLOTS, Verdict, World, bytes, ensure, fuzz, fuzz_in_a_runtime, fuzz_on_the_move, play,
    same, wakers,
};

/// More than there can be when a request of the largest size is made.
const MANY: usize = 5;

/// Permits held at a time.
const HANDS: usize = 6;

#[derive(Clone, Copy, Debug)]
enum Op {
    Ask { slot: usize, n: usize, owned: bool },
    Poll { slot: usize, task: usize },
    Drop { slot: usize },
    Try { n: usize, owned: bool },
    GiveBack { hand: usize },
    Forget { hand: usize },
    Merge { hand: usize, other: usize },
    Split { hand: usize, n: usize },
    Add { n: usize },
    ForgetFree { n: usize },
    Show { slot: usize },
}

fn op(kind: u8, mut args: Args) -> Op {
    let (slot, n, owned) = (args.slot(), args.below(MANY), args.flag());
    let (hand, other) = (slot % HANDS, n);
    match kind % 32 {
        0..6 => Op::Ask { slot, n, owned },
        6..15 => Op::Poll {
            slot,
            task: args.below(2),
        },
        15..19 => Op::Drop { slot },
        19..21 => Op::Try { n, owned },
        21..26 => Op::GiveBack { hand },
        26 => Op::Forget { hand },
        27 => Op::Merge { hand, other },
        28 => Op::Split { hand, n },
        29 => Op::Add { n },
        30 => Op::ForgetFree { n },
        _ => Op::Show { slot },
    }
}

enum Request<'a> {
    Borrowed(Pin<Box<Acquire<'a>>>),
    Owned(Pin<Box<AcquireOwned>>),
}

#[derive(Debug)]
enum Permit<'a> {
    Borrowed(SemaphorePermit<'a>),
    Owned(OwnedSemaphorePermit),
}

impl<'a> Request<'a> {
    fn poll(&mut self, id: wakers::Id) -> Poll<Permit<'a>> {
        wakers::with(id, |cx| match self {
            Self::Borrowed(request) => request.as_mut().poll(cx).map(Permit::Borrowed),
            Self::Owned(request) => request.as_mut().poll(cx).map(Permit::Owned),
        })
    }
}

impl Permit<'_> {
    fn n(&self) -> usize {
        match self {
            Self::Borrowed(permit) => permit.num_permits(),
            Self::Owned(permit) => permit.num_permits(),
        }
    }

    fn forget(self) {
        match self {
            Self::Borrowed(permit) => permit.forget(),
            Self::Owned(permit) => permit.forget(),
        }
    }

    fn split(&mut self, n: usize) -> Option<Self> {
        match self {
            Self::Borrowed(permit) => permit.split(n).map(Self::Borrowed),
            Self::Owned(permit) => permit.split(n).map(Self::Owned),
        }
    }

    /// Returns the other if it is of the other kind.
    fn merge(&mut self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Borrowed(permit), Self::Borrowed(other)) => permit.merge(other),
            (Self::Owned(permit), Self::Owned(other)) => permit.merge(other),
            (_, other) => return Some(other),
        }
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Queued(wakers::Id),
    Granted,
    Done,
}

struct Slot<'a> {
    request: Request<'a>,
    n: usize,
    state: State,
}

struct Both<'a> {
    semaphore: &'a Arc<Semaphore>,
    slots: [Option<Slot<'a>>; SLOTS],
    hands: [Option<(Permit<'a>, usize)>; HANDS],
    /// All that were made and not forgotten.
    total: usize,
    free: usize,
    /// Who waits, and how many each lacks.
    queue: VecDeque<(usize, usize)>,
    calls: Vec<wakers::Id>,
}

impl<'a> Both<'a> {
    /// The model of giving: to those who wait, in their order.
    fn give(&mut self, mut n: usize) {
        while let Some((at, lacks)) = self.queue.front_mut() {
            if *lacks > n {
                *lacks -= n;
                return;
            }
            n -= *lacks;
            if let Some(slot) = &mut self.slots[*at]
                && let State::Queued(id) = slot.state
            {
                slot.state = State::Granted;
                self.calls.push(id);
            }
            self.queue.pop_front();
        }
        self.free += n;
    }

    /// The model of taking, without waiting.
    fn take(&mut self, n: usize) -> bool {
        let can = n == 0 || self.queue.is_empty() && self.free >= n;
        if can {
            self.free -= n;
        }
        can
    }

    fn poll(&mut self, at: usize, task: usize) -> Verdict {
        let Some(slot) = &self.slots[at] else {
            return Ok(());
        };
        let (n, state, id) = (slot.n, slot.state, wakers::id(at, task));
        let ready = match state {
            State::Done => return Ok(()),
            State::New => {
                let got = self.take(n);
                if !got {
                    // The first collects what there is.
                    let has = std::mem::take(&mut self.free);
                    self.queue.push_back((at, n - has));
                }
                got
            }
            State::Queued(_) => false,
            State::Granted => true,
        };
        let slot = self.slots[at].as_mut().expect("seen above");
        slot.state = if ready {
            State::Done
        } else {
            State::Queued(id)
        };
        let poll = slot.request.poll(id);
        same("ready", poll.is_ready(), ready)?;
        if let Poll::Ready(permit) = poll {
            self.hold(permit, n)?;
        }
        Ok(())
    }

    /// Keeps a permit, or gives it back if no hand is free.
    fn hold(&mut self, permit: Permit<'a>, n: usize) -> Verdict {
        same("permits", permit.n(), n)?;
        match self.hands.iter_mut().find(|hand| hand.is_none()) {
            Some(hand) => *hand = Some((permit, n)),
            None => {
                self.give(n);
                drop(permit);
            }
        }
        Ok(())
    }

    fn drop_slot(&mut self, at: usize) {
        let Some(slot) = self.slots[at].take() else {
            return;
        };
        match slot.state {
            State::New | State::Done => {}
            State::Queued(_) => {
                let place = self.queue.iter().position(|waiter| waiter.0 == at);
                let lacks = place.and_then(|place| self.queue.remove(place));
                self.give(slot.n - lacks.map_or(slot.n, |waiter| waiter.1));
            }
            State::Granted => self.give(slot.n),
        }
    }

    fn give_back(&mut self, hand: usize) {
        if let Some((permit, n)) = self.hands[hand].take() {
            self.give(n);
            drop(permit);
        }
    }

    fn merge(&mut self, hand: usize, other: usize) -> Verdict {
        if hand == other || self.hands[hand].is_none() {
            return Ok(());
        }
        if let Some((permit, n)) = self.hands[other].take()
            && let Some((into, sum)) = &mut self.hands[hand]
        {
            match into.merge(permit) {
                None => *sum += n,
                Some(permit) => self.hands[other] = Some((permit, n)),
            }
        }
        Ok(())
    }

    fn split(&mut self, hand: usize, n: usize) -> Verdict {
        let Some((permit, sum)) = &mut self.hands[hand] else {
            return Ok(());
        };
        let part = permit.split(n);
        same("split", part.is_some(), n <= *sum)?;
        match part {
            Some(part) => {
                *sum -= n;
                self.hold(part, n)
            }
            None => Ok(()),
        }
    }

    fn show(&self, at: usize) -> Verdict {
        let (free, count) = (self.free, self.queue.len());
        let semaphore = format!("Semaphore {{ available_permits: {free}, waiter_count: {count} }}");
        same("shown", format!("{:?}", self.semaphore), semaphore.clone())?;
        if let Some((permit, n)) = &self.hands[at % HANDS] {
            let (name, shown) = match permit {
                Permit::Borrowed(permit) => ("SemaphorePermit", format!("{permit:?}")),
                Permit::Owned(permit) => ("OwnedSemaphorePermit", format!("{permit:?}")),
            };
            let model = format!("{name} {{ num_permits: {n}, semaphore: {semaphore} }}");
            same("shown", shown, model)?;
        }
        let Some(slot) = &self.slots[at] else {
            return Ok(());
        };
        let (name, shown) = match &slot.request {
            Request::Borrowed(request) => ("Acquire", format!("{request:?}")),
            Request::Owned(request) => ("AcquireOwned", format!("{request:?}")),
        };
        let (queued, done) = (
            matches!(slot.state, State::Queued(_)),
            slot.state == State::Done,
        );
        let n = slot.n;
        let model = format!("{name} {{ permits: {n}, queued: {queued}, done: {done}, .. }}");
        same("shown", shown, model)
    }
}

impl World for Both<'_> {
    type Op = Op;

    fn step(&mut self, op: Op) -> Verdict {
        match op {
            Op::Ask { slot, n, owned } => {
                self.drop_slot(slot);
                let request = if owned {
                    Request::Owned(Box::pin(self.semaphore.acquire_many_owned(n)))
                } else {
                    Request::Borrowed(Box::pin(self.semaphore.acquire_many(n)))
                };
                self.slots[slot] = Some(Slot {
                    request,
                    n,
                    state: State::New,
                });
            }
            Op::Poll { slot, task } => return self.poll(slot, task),
            Op::Drop { slot } => self.drop_slot(slot),
            Op::Try { n, owned } => {
                let permit = if owned {
                    self.semaphore.try_acquire_many_owned(n).map(Permit::Owned)
                } else {
                    self.semaphore.try_acquire_many(n).map(Permit::Borrowed)
                };
                same("tried", permit.is_some(), self.take(n))?;
                return permit.map_or(Ok(()), |permit| self.hold(permit, n));
            }
            Op::GiveBack { hand } => self.give_back(hand),
            Op::Forget { hand } => {
                if let Some((permit, n)) = self.hands[hand].take() {
                    permit.forget();
                    self.total -= n;
                }
            }
            Op::Merge { hand, other } => return self.merge(hand, other),
            Op::Split { hand, n } => return self.split(hand, n),
            Op::Add { n } => {
                self.total += n;
                self.give(n);
                self.semaphore.add_permits(n);
            }
            Op::ForgetFree { n } => {
                let gone = self.free.min(n);
                self.free -= gone;
                self.total -= gone;
                return same("forgotten", self.semaphore.forget_permits(n), gone);
            }
            Op::Show { slot } => return self.show(slot),
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        wakers::check(&self.calls, |id| states[id / 2] == Some(State::Queued(id)))?;
        self.calls.clear();
        same("free", self.semaphore.available_permits(), self.free)?;
        same("waiters", self.semaphore.waiter_count(), self.queue.len())?;
        // None is lost, none is made up.
        let held: usize = self.hands.iter().flatten().map(|hand| hand.1).sum();
        let promised: usize = (self.slots.iter().flatten())
            .filter(|slot| slot.state == State::Granted)
            .map(|slot| slot.n)
            .sum();
        let collected: usize = (self.queue.iter())
            .map(|(at, lacks)| self.slots[*at].as_ref().map_or(0, |slot| slot.n - lacks))
            .sum();
        same(
            "all there are",
            self.free + held + promised + collected,
            self.total,
        )
    }

    fn finish(&mut self) -> Verdict {
        // Whoever can get what it asked for gets it, without another push.
        loop {
            for hand in 0..HANDS {
                self.give_back(hand);
                self.check()?;
            }
            let granted = |slot: &Option<Slot<'_>>| {
                slot.as_ref()
                    .is_some_and(|slot| slot.state == State::Granted)
            };
            let Some(at) = self.slots.iter().position(granted) else {
                break;
            };
            self.poll(at, 0)?;
            self.check()?;
        }
        if let Some((at, _)) = self.queue.front() {
            let n = self.slots[*at].as_ref().map_or(0, |slot| slot.n);
            ensure(n > self.total, || format!("{at} still waits for {n}"))?;
        }
        for at in 0..SLOTS {
            self.drop_slot(at);
            self.check()?;
        }
        same("free", self.free, self.total)
    }
}

fn run(begin: usize, program: &[Op]) -> Verdict {
    let semaphore = Arc::new(Semaphore::new(begin));
    let both = Both {
        semaphore: &semaphore,
        slots: Default::default(),
        hands: Default::default(),
        total: begin,
        free: begin,
        queue: VecDeque::new(),
        calls: Vec::new(),
    };
    play(both, program)
}

pub(super) fn bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run)
}

#[test]
fn semaphore() {
    fuzz(op, run);
}

#[test]
fn semaphore_in_a_runtime() {
    fuzz_in_a_runtime(op, run);
}

#[test]
fn semaphore_on_the_move() {
    fuzz_on_the_move(op, run);
}
