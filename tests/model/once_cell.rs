//! The cell and its model: who has the turn, who waits for it, and who waits for the value.

use std::{
    cell::Cell,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use compio_sync::{GetOrInit, GetOrTryInit, OnceCell, OnceCellWait, SetError};

use super::{
    Args, SLOTS, Verdict, World, bytes, ensure, fuzz, fuzz_in_a_runtime, fuzz_on_the_move, play,
    same, wakers,
};

/// What the future of an attempt does when it is polled next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Pends,
    Succeeds,
    Fails,
    Panics,
}

/// How a future wants the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Init,
    TryInit,
    Wait,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Make {
        slot: usize,
        kind: Kind,
    },
    Poll {
        slot: usize,
        task: usize,
        next: Next,
    },
    Drop {
        slot: usize,
    },
    Set,
    Get,
    Show {
        slot: usize,
    },
}

fn op(kind: u8, mut args: Args) -> Op {
    let slot = args.slot();
    match kind % 32 {
        0..8 => Op::Make {
            slot,
            kind: [Kind::Init, Kind::TryInit, Kind::Wait][args.below(3)],
        },
        8..23 => Op::Poll {
            slot,
            task: args.below(2),
            // Most of the time it goes on, so that others come meanwhile.
            next: match args.below(24) {
                0..18 => Next::Pends,
                18..21 => Next::Fails,
                21 | 22 => Next::Panics,
                _ => Next::Succeeds,
            },
        },
        23..28 => Op::Drop { slot },
        28 => match args.below(8) {
            0 => Op::Set,
            _ => Op::Get,
        },
        29 => Op::Get,
        _ => Op::Show { slot },
    }
}

/// The future of an attempt. It and the function that makes it tell how many are alive.
struct Attempt {
    slot: usize,
    next: Rc<Cell<Next>>,
    _alive: Rc<()>,
}

impl Attempt {
    fn step(&self) -> Poll<Result<usize, usize>> {
        match self.next.get() {
            Next::Pends => Poll::Pending,
            Next::Succeeds => Poll::Ready(Ok(self.slot)),
            Next::Fails => Poll::Ready(Err(self.slot)),
            Next::Panics => std::panic::resume_unwind(Box::new(self.slot)),
        }
    }
}

impl Future for Attempt {
    type Output = Result<usize, usize>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.step()
    }
}

/// The same for a function that must not fail.
struct Sure(Attempt);

impl Future for Sure {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<usize> {
        self.0
            .step()
            .map(|result| result.expect("it must not fail"))
    }
}

type Make<Fut> = Box<dyn FnOnce() -> Fut>;

enum Real<'a> {
    Init(Pin<Box<GetOrInit<'a, usize, Make<Sure>, Sure>>>),
    TryInit(Pin<Box<GetOrTryInit<'a, usize, Make<Attempt>, Attempt>>>),
    Wait(Pin<Box<OnceCellWait<'a, usize>>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Queued(wakers::Id),
    /// Woken, since it has the turn or since the cell is set.
    Chosen,
    Told,
    Running,
    Done,
}

struct Slot<'a> {
    real: Real<'a>,
    kind: Kind,
    state: State,
    alive: Rc<()>,
    next: Rc<Cell<Next>>,
}

struct Both<'a> {
    cell: &'a OnceCell<usize>,
    slots: [Option<Slot<'a>>; SLOTS],
    value: Option<usize>,
    /// Who has the turn.
    turn: Option<usize>,
    candidates: VecDeque<usize>,
    waiters: VecDeque<usize>,
    calls: Vec<wakers::Id>,
}

impl<'a> Both<'a> {
    fn make(&mut self, at: usize, kind: Kind) {
        self.drop_slot(at);
        let alive = Rc::new(());
        let next = Rc::new(Cell::new(Next::Pends));
        let attempt = Attempt {
            slot: at,
            next: next.clone(),
            _alive: alive.clone(),
        };
        let cell = self.cell;
        let real = match kind {
            Kind::Init => Real::Init(Box::pin(cell.get_or_init(Box::new(|| Sure(attempt))))),
            Kind::TryInit => Real::TryInit(Box::pin(cell.get_or_try_init(Box::new(|| attempt)))),
            Kind::Wait => Real::Wait(Box::pin(cell.wait())),
        };
        self.slots[at] = Some(Slot {
            real,
            kind,
            state: State::New,
            alive,
            next,
        });
    }

    fn wake(&mut self, at: usize, state: State) {
        let slot = self.slots[at].as_mut().expect("it waits");
        if let State::Queued(id) = slot.state {
            self.calls.push(id);
        }
        slot.state = state;
    }

    /// The turn has ended in vain.
    fn pass_on(&mut self) {
        self.turn = self.candidates.pop_front();
        if let Some(next) = self.turn {
            self.wake(next, State::Chosen);
        }
    }

    fn fill(&mut self, value: usize) {
        self.turn = None;
        self.value = Some(value);
        let candidates = std::mem::take(&mut self.candidates);
        for at in candidates
            .into_iter()
            .chain(std::mem::take(&mut self.waiters))
        {
            self.wake(at, State::Told);
        }
    }

    fn poll(&mut self, at: usize, task: usize, next: Next) -> Verdict {
        let Some(slot) = &mut self.slots[at] else {
            return Ok(());
        };
        let next = if slot.kind == Kind::Init && next == Next::Fails {
            Next::Panics
        } else {
            next
        };
        let id = wakers::id(at, task);
        // What it becomes; `None` if it runs.
        let becomes = match slot.state {
            State::Done => return Ok(()),
            State::New if self.value.is_some() => Some(State::Done),
            State::New if slot.kind == Kind::Wait => {
                self.waiters.push_back(at);
                Some(State::Queued(id))
            }
            State::New if self.turn.is_some() => {
                self.candidates.push_back(at);
                Some(State::Queued(id))
            }
            State::New | State::Chosen | State::Running => {
                self.turn = Some(at);
                None
            }
            State::Queued(_) => Some(State::Queued(id)),
            State::Told => Some(State::Done),
        };
        let runs = becomes.is_none();
        slot.state = becomes.unwrap_or(match next {
            Next::Pends => State::Running,
            _ => State::Done,
        });
        let done = slot.state == State::Done;
        slot.next.set(next);
        let poll = catch_unwind(AssertUnwindSafe(|| {
            wakers::with(id, |cx| match &mut slot.real {
                Real::Init(init) => init.as_mut().poll(cx).map(|value| Ok(*value)),
                Real::TryInit(init) => init.as_mut().poll(cx).map(|result| result.copied()),
                Real::Wait(wait) => wait.as_mut().poll(cx).map(|value| Ok(*value)),
            })
        }));
        if slot.kind != Kind::Wait && done {
            same("an attempt is alive", Rc::strong_count(&slot.alive), 1)?;
        }
        let poll = poll.ok();
        if runs {
            match next {
                Next::Pends => {}
                Next::Succeeds => self.fill(at),
                Next::Fails | Next::Panics => self.pass_on(),
            }
        }
        let model = match (runs, next) {
            (true, Next::Panics) => None,
            (true, Next::Fails) => Some(Poll::Ready(Err(at))),
            _ if done => Some(Poll::Ready(Ok(self.value.expect("it is set")))),
            _ => Some(Poll::Pending),
        };
        same("polled", poll, model)
    }

    fn drop_slot(&mut self, at: usize) {
        self.candidates.retain(|waits| *waits != at);
        self.waiters.retain(|waits| *waits != at);
        let Some(slot) = self.slots[at].take() else {
            return;
        };
        let has_turn = matches!(slot.state, State::Chosen | State::Running);
        let alive = slot.alive.clone();
        drop(slot);
        assert_eq!(Rc::strong_count(&alive), 1, "the attempt is dropped too");
        if has_turn {
            self.pass_on();
        }
    }

    fn set(&mut self) -> Verdict {
        let set = self.cell.set(100);
        let model = if self.value.is_some() {
            Err(SetError::AlreadyInitializedError(100))
        } else if self.turn.is_some() {
            Err(SetError::InitializingError(100))
        } else {
            self.fill(100);
            Ok(())
        };
        same("set", set, model)
    }

    fn show(&self, at: usize) -> Verdict {
        let count = self.candidates.len() + self.waiters.len();
        let value = self
            .value
            .map_or("<not set>".to_owned(), |value| value.to_string());
        let model = format!("OnceCell {{ value: {value}, waiter_count: {count} }}");
        same("shown", format!("{:?}", self.cell), model)?;
        let Some(slot) = &self.slots[at] else {
            return Ok(());
        };
        let (queued, running, done) = (
            matches!(slot.state, State::Queued(_)),
            slot.state == State::Running,
            slot.state == State::Done,
        );
        let (name, shown) = match &slot.real {
            Real::Init(init) => ("GetOrInit", format!("{init:?}")),
            Real::TryInit(init) => ("GetOrTryInit", format!("{init:?}")),
            Real::Wait(wait) => {
                let model = format!("OnceCellWait {{ queued: {queued}, done: {done}, .. }}");
                return same("shown", format!("{wait:?}"), model);
            }
        };
        let model = format!("{name} {{ queued: {queued}, running: {running}, done: {done}, .. }}");
        same("shown", shown, model)
    }
}

impl World for Both<'_> {
    type Op = Op;

    fn step(&mut self, op: Op) -> Verdict {
        match op {
            Op::Make { slot, kind } => self.make(slot, kind),
            Op::Poll { slot, task, next } => return self.poll(slot, task, next),
            Op::Drop { slot } => self.drop_slot(slot),
            Op::Set => return self.set(),
            Op::Get => return same("value", self.cell.get().copied(), self.value),
            Op::Show { slot } => return self.show(slot),
        }
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let states = self.slots.each_ref().map(|s| s.as_ref().map(|s| s.state));
        wakers::check(&self.calls, |id| states[id / 2] == Some(State::Queued(id)))?;
        self.calls.clear();
        same("set", self.cell.is_initialized(), self.value.is_some())?;
        let count = self.candidates.len() + self.waiters.len();
        same("waiters", self.cell.waiter_count(), count)?;
        ensure(self.candidates.is_empty() || self.turn.is_some(), || {
            "nobody cares for the candidates".to_owned()
        })
    }

    fn finish(&mut self) -> Verdict {
        // Each of the candidates has its turn and fails, polled only when it is chosen.
        while let Some(at) = self.turn {
            self.poll(at, 0, Next::Fails)?;
            self.check()?;
        }
        same("candidates", self.candidates.len(), 0)?;
        self.set()?;
        self.check()?;
        for at in 0..SLOTS {
            self.poll(at, 0, Next::Panics)?;
            self.check()?;
            self.drop_slot(at);
        }
        self.show(0)
    }
}

fn run(_: usize, program: &[Op]) -> Verdict {
    let cell = OnceCell::new();
    let both = Both {
        cell: &cell,
        slots: Default::default(),
        value: None,
        turn: None,
        candidates: VecDeque::new(),
        waiters: VecDeque::new(),
        calls: Vec::new(),
    };
    play(both, program)
}

pub(super) fn bytes(bytes: &[u8], show: bool) -> Verdict {
    bytes::play(bytes, show, op, run)
}

#[test]
fn once_cell() {
    fuzz(op, run);
}

#[test]
fn once_cell_in_a_runtime() {
    fuzz_in_a_runtime(op, run);
}

#[test]
fn once_cell_on_the_move() {
    fuzz_on_the_move(op, run);
}
