//! The read-write lock and its model: who has it, and who waits.

use std::{collections::VecDeque, mem, ops::Deref, pin::Pin, sync::Arc, task::Poll};

use compio_sync::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, OwnedMappedRwLockReadGuard,
    OwnedMappedRwLockWriteGuard, OwnedRwLockReadGuard, OwnedRwLockUpgradableReadGuard,
    OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};

use super::{
    Args, SLOTS, Verdict, World, bytes, ensure, fuzz, fuzz_in_a_runtime, fuzz_on_the_move, play,
    same, wakers,
};

/// Guards held at a time.
const HANDS: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Upgradable,
    Upgrade,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Ask {
        slot: usize,
        kind: Kind,
        owned: bool,
    },
    Upgrade {
        hand: usize,
        slot: usize,
    },
    Poll {
        slot: usize,
        task: usize,
    },
    Drop {
        slot: usize,
    },
    Try {
        kind: Kind,
        owned: bool,
    },
    TryUpgrade {
        hand: usize,
    },
    GiveBack {
        hand: usize,
    },
    StepDown {
        hand: usize,
        far: bool,
    },
    Map {
        hand: usize,
        try_: bool,
    },
    Show {
        slot: usize,
    },
}

fn op(kind: u8, mut args: Args) -> Op {
    let (slot, owned) = (args.slot(), args.flag());
    let hand = args.below(HANDS);
    let asked = match args.below(5) {
        0..2 => Kind::Read,
        2..4 => Kind::Write,
        _ => Kind::Upgradable,
    };
    match kind % 32 {
        0..7 => Op::Ask {
            slot,
            kind: asked,
            owned,
        },
        7..15 => Op::Poll {
            slot,
            task: usize::from(owned),
        },
        15..18 => Op::Drop { slot },
        18..20 => Op::Try { kind: asked, owned },
        20..25 => Op::GiveBack { hand },
        25..27 => Op::Upgrade { hand, slot },
        27 => Op::TryUpgrade { hand },
        28..30 => Op::StepDown { hand, far: owned },
        30 => Op::Map { hand, try_: owned },
        _ => Op::Show { slot },
    }
}

enum Guard<'a> {
    Read(RwLockReadGuard<'a, usize>),
    Write(RwLockWriteGuard<'a, usize>),
    Upgradable(RwLockUpgradableReadGuard<'a, usize>),
    MappedRead(MappedRwLockReadGuard<'a, usize>),
    MappedWrite(MappedRwLockWriteGuard<'a, usize>),
    OwnedRead(OwnedRwLockReadGuard<usize>),
    OwnedWrite(OwnedRwLockWriteGuard<usize>),
    OwnedUpgradable(OwnedRwLockUpgradableReadGuard<usize>),
    OwnedMappedRead(OwnedMappedRwLockReadGuard<usize>),
    OwnedMappedWrite(OwnedMappedRwLockWriteGuard<usize>),
}

impl Guard<'_> {
    fn kind(&self) -> Kind {
        match self {
            Self::Read(_) | Self::OwnedRead(_) => Kind::Read,
            Self::MappedRead(_) | Self::OwnedMappedRead(_) => Kind::Read,
            Self::Write(_) | Self::OwnedWrite(_) => Kind::Write,
            Self::MappedWrite(_) | Self::OwnedMappedWrite(_) => Kind::Write,
            Self::Upgradable(_) | Self::OwnedUpgradable(_) => Kind::Upgradable,
        }
    }

    /// Counts one up, if it may.
    fn write(&mut self) -> bool {
        match self {
            Self::Write(guard) => **guard += 1,
            Self::OwnedWrite(guard) => **guard += 1,
            Self::MappedWrite(guard) => **guard += 1,
            Self::OwnedMappedWrite(guard) => **guard += 1,
            _ => return false,
        }
        true
    }

    fn map(self, try_: bool) -> Self {
        match self {
            Self::Read(guard) if try_ => {
                let guard = RwLockReadGuard::try_map(guard, |_| None::<&u8>).unwrap_err();
                Self::MappedRead(RwLockReadGuard::try_map(guard, |data| Some(data)).unwrap())
            }
            Self::Read(guard) => Self::MappedRead(RwLockReadGuard::map(guard, |data| data)),
            Self::OwnedRead(guard) => {
                Self::OwnedMappedRead(OwnedRwLockReadGuard::map(guard, |data| data))
            }
            Self::Write(guard) if try_ => {
                let guard = RwLockWriteGuard::try_map(guard, |_| None::<&mut u8>).unwrap_err();
                Self::MappedWrite(RwLockWriteGuard::try_map(guard, |data| Some(data)).unwrap())
            }
            Self::Write(guard) => Self::MappedWrite(RwLockWriteGuard::map(guard, |data| data)),
            Self::OwnedWrite(guard) => {
                Self::OwnedMappedWrite(OwnedRwLockWriteGuard::map(guard, |data| data))
            }
            other => other,
        }
    }

    /// A reader, or upgradable if it does not go so far; as it is if it can't.
    fn step_down(self, far: bool) -> Self {
        match self {
            Self::Write(guard) if far => Self::Read(RwLockWriteGuard::downgrade(guard)),
            Self::Write(guard) => {
                Self::Upgradable(RwLockWriteGuard::downgrade_to_upgradable(guard))
            }
            Self::OwnedWrite(guard) if far => {
                Self::OwnedRead(OwnedRwLockWriteGuard::downgrade(guard))
            }
            Self::OwnedWrite(guard) => {
                Self::OwnedUpgradable(OwnedRwLockWriteGuard::downgrade_to_upgradable(guard))
            }
            Self::Upgradable(guard) => Self::Read(RwLockUpgradableReadGuard::downgrade(guard)),
            Self::OwnedUpgradable(guard) => {
                Self::OwnedRead(OwnedRwLockUpgradableReadGuard::downgrade(guard))
            }
            other => other,
        }
    }
}

impl Deref for Guard<'_> {
    type Target = usize;

    fn deref(&self) -> &usize {
        match self {
            Self::Read(guard) => guard,
            Self::Write(guard) => guard,
            Self::Upgradable(guard) => guard,
            Self::MappedRead(guard) => guard,
            Self::MappedWrite(guard) => guard,
            Self::OwnedRead(guard) => guard,
            Self::OwnedWrite(guard) => guard,
            Self::OwnedUpgradable(guard) => guard,
            Self::OwnedMappedRead(guard) => guard,
            Self::OwnedMappedWrite(guard) => guard,
        }
    }
}

/// A wait, whose output is a guard of some kind.
type Wait<'a> = Pin<Box<dyn Future<Output = Guard<'a>> + 'a>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Queued(wakers::Id),
    Granted,
    Done,
}

struct Slot<'a> {
    wait: Wait<'a>,
    kind: Kind,
    state: State,
}

struct Both<'a> {
    lock: &'a Arc<RwLock<usize>>,
    slots: [Option<Slot<'a>>; SLOTS],
    hands: [Option<Guard<'a>>; HANDS],
    data: usize,
    readers: usize,
    upgradable: bool,
    writer: bool,
    queue: VecDeque<usize>,
    calls: Vec<wakers::Id>,
}

impl<'a> Both<'a> {
    fn may(&self, kind: Kind) -> bool {
        match kind {
            Kind::Read => !self.writer,
            Kind::Upgradable => !self.writer && !self.upgradable,
            Kind::Write => !self.writer && !self.upgradable && self.readers == 0,
            Kind::Upgrade => self.readers == 0,
        }
    }

    fn enter(&mut self, kind: Kind) {
        match kind {
            Kind::Read => self.readers += 1,
            Kind::Upgradable => self.upgradable = true,
            Kind::Write => self.writer = true,
            Kind::Upgrade => (self.upgradable, self.writer) = (false, true),
        }
    }

    /// Without caring for those who wait.
    fn quit(&mut self, kind: Kind) {
        match kind {
            Kind::Read => self.readers -= 1,
            Kind::Upgradable => self.upgradable = false,
            Kind::Write | Kind::Upgrade => self.writer = false,
        }
    }

    /// Lets in whoever may come, in order.
    fn admit(&mut self) {
        while let Some(&at) = self.queue.front() {
            let Some(kind) = self.slots[at].as_ref().map(|slot| slot.kind) else {
                return;
            };
            if !self.may(kind) {
                return;
            }
            self.enter(kind);
            self.queue.pop_front();
            if let Some(slot) = &mut self.slots[at]
                && let State::Queued(id) = slot.state
            {
                slot.state = State::Granted;
                self.calls.push(id);
            }
        }
    }

    fn leave(&mut self, kind: Kind) {
        self.quit(kind);
        self.admit();
    }

    fn poll(&mut self, at: usize, task: usize) -> Verdict {
        let Some(slot) = &self.slots[at] else {
            return Ok(());
        };
        let (kind, state, id) = (slot.kind, slot.state, wakers::id(at, task));
        let ready = match state {
            State::Done => return Ok(()),
            State::New => {
                let is_next = self.queue.is_empty() || kind == Kind::Upgrade;
                let got = is_next && self.may(kind);
                if got {
                    self.enter(kind);
                } else if kind == Kind::Upgrade {
                    self.queue.push_front(at);
                } else {
                    self.queue.push_back(at);
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
        let poll = wakers::with(id, |cx| slot.wait.as_mut().poll(cx));
        same("ready", poll.is_ready(), ready)?;
        match poll {
            Poll::Ready(guard) => self.hold(guard),
            Poll::Pending => Ok(()),
        }
    }

    /// Keeps a guard, or gives it back if no hand is free.
    fn hold(&mut self, mut guard: Guard<'a>) -> Verdict {
        same("data", *guard, self.data)?;
        if guard.write() {
            self.data += 1;
        }
        match self.hands.iter_mut().find(|hand| hand.is_none()) {
            Some(hand) => *hand = Some(guard),
            None => {
                self.leave(guard.kind());
                drop(guard);
            }
        }
        Ok(())
    }

    fn drop_slot(&mut self, at: usize) {
        let Some(slot) = self.slots[at].take() else {
            return;
        };
        let (kind, state) = (slot.kind, slot.state);
        match state {
            State::Done => {}
            State::New if kind == Kind::Upgrade => self.leave(Kind::Upgradable),
            State::New => {}
            State::Queued(_) => {
                self.queue.retain(|waiter| *waiter != at);
                if kind == Kind::Upgrade {
                    self.quit(Kind::Upgradable);
                }
                self.admit();
            }
            State::Granted => self.leave(kind),
        }
        drop(slot);
    }

    fn give_back(&mut self, hand: usize) {
        if let Some(guard) = self.hands[hand].take() {
            self.leave(guard.kind());
            drop(guard);
        }
    }

    fn ask(&mut self, slot: usize, kind: Kind, owned: bool) {
        let lock = self.lock;
        let wait: Wait<'a> = match (kind, owned) {
            (Kind::Read, false) => Box::pin(async { Guard::Read(lock.read().await) }),
            (Kind::Read, true) => Box::pin(async { Guard::OwnedRead(lock.read_owned().await) }),
            (Kind::Write, false) => Box::pin(async { Guard::Write(lock.write().await) }),
            (Kind::Write, true) => Box::pin(async { Guard::OwnedWrite(lock.write_owned().await) }),
            (_, false) => Box::pin(async { Guard::Upgradable(lock.upgradable_read().await) }),
            (_, true) => {
                Box::pin(async { Guard::OwnedUpgradable(lock.upgradable_read_owned().await) })
            }
        };
        self.slots[slot] = Some(Slot {
            wait,
            kind,
            state: State::New,
        });
    }

    fn upgrade(&mut self, hand: usize, slot: usize) {
        self.drop_slot(slot);
        let wait: Wait<'a> = match self.hands[hand].take() {
            Some(Guard::Upgradable(guard)) => {
                let upgrade = RwLockUpgradableReadGuard::upgrade(guard);
                Box::pin(async { Guard::Write(upgrade.await) })
            }
            Some(Guard::OwnedUpgradable(guard)) => {
                let upgrade = OwnedRwLockUpgradableReadGuard::upgrade(guard);
                Box::pin(async { Guard::OwnedWrite(upgrade.await) })
            }
            other => {
                self.hands[hand] = other;
                return;
            }
        };
        self.slots[slot] = Some(Slot {
            wait,
            kind: Kind::Upgrade,
            state: State::New,
        });
    }

    fn try_upgrade(&mut self, hand: usize) -> Verdict {
        let guard = match self.hands[hand].take() {
            Some(Guard::Upgradable(guard)) => RwLockUpgradableReadGuard::try_upgrade(guard)
                .map_or_else(Guard::Upgradable, Guard::Write),
            Some(Guard::OwnedUpgradable(guard)) => {
                OwnedRwLockUpgradableReadGuard::try_upgrade(guard)
                    .map_or_else(Guard::OwnedUpgradable, Guard::OwnedWrite)
            }
            other => {
                self.hands[hand] = other;
                return Ok(());
            }
        };
        let may = self.may(Kind::Upgrade);
        same("upgraded", guard.kind() == Kind::Write, may)?;
        if may {
            self.enter(Kind::Upgrade);
        }
        self.hold(guard)
    }

    fn step_down(&mut self, hand: usize, far: bool) {
        if let Some(guard) = self.hands[hand].take() {
            let before = guard.kind();
            let guard = guard.step_down(far);
            let after = guard.kind();
            self.hands[hand] = Some(guard);
            if before != after {
                self.quit(before);
                self.enter(after);
                self.admit();
            }
        }
    }

    fn show(&self, at: usize) -> Verdict {
        let count = self.queue.len();
        let data = if self.may(Kind::Read) && self.queue.is_empty() {
            self.data.to_string()
        } else {
            String::from("<locked>")
        };
        let model = format!("RwLock {{ data: {data}, waiter_count: {count} }}");
        same("shown", format!("{:?}", self.lock), model)?;
        match &self.hands[at % HANDS] {
            Some(guard) => same("shown", guard.to_string(), self.data.to_string()),
            None => Ok(()),
        }
    }
}

impl World for Both<'_> {
    type Op = Op;

    fn step(&mut self, op: Op) -> Verdict {
        match op {
            Op::Ask { slot, kind, owned } => {
                self.drop_slot(slot);
                self.ask(slot, kind, owned);
            }
            Op::Upgrade { hand, slot } => self.upgrade(hand, slot),
            Op::Poll { slot, task } => return self.poll(slot, task),
            Op::Drop { slot } => self.drop_slot(slot),
            Op::Try { kind, owned } => {
                let lock = self.lock;
                let guard = match (kind, owned) {
                    (Kind::Read, false) => lock.try_read().map(Guard::Read),
                    (Kind::Read, true) => lock.try_read_owned().map(Guard::OwnedRead),
                    (Kind::Write, false) => lock.try_write().map(Guard::Write),
                    (Kind::Write, true) => lock.try_write_owned().map(Guard::OwnedWrite),
                    (_, false) => lock.try_upgradable_read().map(Guard::Upgradable),
                    (_, true) => lock.try_upgradable_read_owned().map(Guard::OwnedUpgradable),
                };
                let may = self.queue.is_empty() && self.may(kind);
                same("tried", guard.is_some(), may)?;
                if let Some(guard) = guard {
                    self.enter(kind);
                    return self.hold(guard);
                }
            }
            Op::TryUpgrade { hand } => return self.try_upgrade(hand),
            Op::GiveBack { hand } => self.give_back(hand),
            Op::StepDown { hand, far } => self.step_down(hand, far),
            Op::Map { hand, try_ } => {
                let guard = mem::take(&mut self.hands[hand]);
                self.hands[hand] = guard.map(|guard| guard.map(try_));
            }
            Op::Show { slot } => return self.show(slot),
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        wakers::check(&self.calls, |id| states[id / 2] == Some(State::Queued(id)))?;
        self.calls.clear();
        let locked = self.readers > 0 || self.upgradable || self.writer;
        same("locked", self.lock.is_locked(), locked)?;
        same("waiters", self.lock.waiter_count(), self.queue.len())?;
        for guard in self.hands.iter().flatten() {
            same("data", **guard, self.data)?;
        }
        let alone = self.readers == 0 && !self.upgradable;
        ensure(!self.writer || alone, || String::from("not alone"))
    }

    fn finish(&mut self) -> Verdict {
        // Whoever can get what it asked for gets it, without another push.
        loop {
            for hand in 0..HANDS {
                self.give_back(hand);
                self.check()?;
            }
            let is = |slot: &Option<Slot<'_>>, state, kind: Option<Kind>| {
                slot.as_ref().is_some_and(|slot| {
                    slot.state == state && kind.is_none_or(|kind| slot.kind == kind)
                })
            };
            let granted = |slot: &Option<Slot<'_>>| is(slot, State::Granted, None);
            // One that has not begun to upgrade has the lock.
            let upgrades = |slot: &Option<Slot<'_>>| is(slot, State::New, Some(Kind::Upgrade));
            if let Some(at) = self.slots.iter().position(granted) {
                self.poll(at, 0)?;
            } else if let Some(at) = self.slots.iter().position(upgrades) {
                self.drop_slot(at);
            } else {
                break;
            }
            self.check()?;
        }
        ensure(self.queue.is_empty(), || {
            format!("{:?} still wait", self.queue)
        })?;
        for at in 0..SLOTS {
            self.drop_slot(at);
            self.check()?;
        }
        same("locked", self.lock.is_locked(), false)?;
        same("writer", self.lock.try_write().map(|n| *n), Some(self.data))
    }
}

fn run(begin: usize, program: &[Op]) -> Verdict {
    let lock = Arc::new(RwLock::new(begin));
    let both = Both {
        lock: &lock,
        slots: Default::default(),
        hands: Default::default(),
        data: begin,
        readers: 0,
        upgradable: false,
        writer: false,
        queue: VecDeque::new(),
        calls: Vec::new(),
    };
    play(both, program)
}

pub(super) fn bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run)
}

#[test]
fn rwlock() {
    fuzz(op, run);
}

#[test]
fn rwlock_in_a_runtime() {
    fuzz_in_a_runtime(op, run);
}

#[test]
fn rwlock_on_the_move() {
    fuzz_on_the_move(op, run);
}
