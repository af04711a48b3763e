//! Runs random programs, and shows the shortest that goes wrong.
//!
//! A program is made of operations, on futures that are polled by hand, each by one of two
//! tasks. After each operation the primitive must look as its model says, and the wakers
//! that were called meanwhile must be those that the model names, in that order.

mod barrier;
pub(crate) mod bytes;
mod cancellation_token;
mod condvar;
mod event;
mod gates;
mod mutex;
mod notify;
mod once_cell;
mod places;
mod rwlock;
mod semaphore;
mod wakers;

use std::{fmt::Debug, time::Instant};

use proptest::{
    collection::vec,
    prelude::any,
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};

use self::places::Place;
use crate::common::{is_slow, runtime, settle, watchdog};

/// What is wrong.
type Verdict = Result<(), String>;

/// Futures at a time.
const SLOTS: usize = 6;

/// A program has fewer operations than this, half as many on the average.
const LENGTH: usize = 256;

/// How many times fewer programs are on the move.
const FEWER: u32 = 4;

/// What the tests that share `COMPIO_SYNC_FUZZ_OPS` take of it: of each primitive two whole
/// ones, and a small one.
const SHARES: usize = (2 * FEWER as usize + 1) * bytes::ALL.len();

/// A primitive and its model.
trait World {
    type Op: Copy + Debug;

    fn step(&mut self, op: Self::Op) -> Verdict;

    /// Compares the two.
    fn check(&mut self) -> Verdict;

    /// Lets all go that can, and then the rest.
    fn finish(&mut self) -> Verdict;
}

/// Runs a program.
fn play<W: World>(mut world: W, program: &[W::Op]) -> Verdict {
    wakers::reset();
    for (at, op) in program.iter().enumerate() {
        places::at(at, || world.step(*op))
            .and_then(|()| world.check())
            .map_err(|wrong| format!("operation {at}, {op:?}: {wrong}"))?;
    }
    world
        .finish()
        .and_then(|()| world.check())
        .map_err(|wrong| format!("at the end: {wrong}"))?;
    drop(world);
    wakers::check(&[], |_| false).map_err(|wrong| format!("after the end: {wrong}"))
}

fn same<T: PartialEq + Debug>(what: &str, real: T, model: T) -> Verdict {
    if real == model {
        return Ok(());
    }
    Err(format!("{what}: {real:?}, and {model:?} by the model"))
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

/// The source of one operation's arguments.
struct Args(usize);

impl Args {
    fn below(&mut self, n: usize) -> usize {
        let arg = self.0 % n;
        self.0 /= n;
        arg
    }

    fn slot(&mut self) -> usize {
        self.below(SLOTS)
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// How many programs to run, and whether somebody asked for it.
fn cases() -> (u32, bool) {
    let number = |name| {
        let value = std::env::var(name).ok()?;
        Some(value.parse::<u64>().expect("a number"))
    };
    let asked = number("COMPIO_SYNC_FUZZ_OPS")
        .map(|ops| (ops * u64::from(FEWER)).div_ceil((SHARES * LENGTH / 2) as u64))
        .or_else(|| number("PROPTEST_CASES"));
    let few = if cfg!(miri) {
        2
    } else if is_slow() {
        20
    } else {
        1000
    };
    let cases = asked.unwrap_or(few).clamp(1, u32::MAX.into());
    (u32::try_from(cases).expect("clamped"), asked.is_some())
}

/// Runs random programs of operations that `op` makes of a kind and arguments. `run` gets
/// a number to begin with.
fn fuzz<O: Copy + Debug + 'static>(op: fn(u8, Args) -> O, run: impl Fn(usize, &[O]) -> Verdict) {
    fuzz_at(|_| places::NOWHERE, 1, op, run);
}

/// The same, each operation in one of two runtimes, in none, or on another thread, which takes so
/// much longer that a quarter of the programs has to do.
fn fuzz_on_the_move<O: Copy + Debug + 'static>(
    op: fn(u8, Args) -> O,
    run: impl Fn(usize, &[O]) -> Verdict,
) {
    fuzz_at(places::of_kind, FEWER, op, run);
}

fn fuzz_at<O: Copy + Debug + 'static>(
    place: fn(u8) -> Place,
    fewer: u32,
    op: fn(u8, Args) -> O,
    run: impl Fn(usize, &[O]) -> Verdict,
) {
    let (cases, asked) = cases();
    let cases = (cases / fewer).max(1);
    // As many as somebody asked for may take as long as they take.
    let _watchdog = (!asked).then(watchdog);
    let ops = (any::<u8>(), any::<u16>())
        .prop_map(move |(kind, args)| (place(kind), op(kind, Args(args.into()))));
    let programs = (0..4usize, vec(ops, 1..LENGTH));
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let start = Instant::now();
    let done = std::cell::Cell::new(0);
    let result = runner.run(&programs, |(begin, program)| {
        done.set(done.get() + program.len());
        let (places, program): (Vec<_>, Vec<_>) = program.into_iter().unzip();
        places::plan(places);
        run(begin, &program).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) if asked => {
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{}: {} operations in {cases} programs, {seconds:.1} s, {:.2} million a second",
                std::thread::current().name().unwrap_or("programs"),
                done.get(),
                done.get() as f64 / seconds / 1e6,
            );
        }
        Ok(()) => {}
        Err(TestError::Fail(reason, (begin, program))) => {
            let listing = listing(begin, &program);
            panic!("{reason}\na short program that shows it, {listing}");
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Where and what.
fn listing<O: Debug>(begin: usize, program: &[(Place, O)]) -> String {
    let lines: String = program
        .iter()
        .map(|(place, op)| match place {
            &places::NOWHERE => format!("    {op:?},\n"),
            place => format!("    {op:?}, at place {place},\n"),
        })
        .collect();
    format!("from {begin}:\n[\n{lines}]")
}

/// The same inside of a runtime, whose wakes on its own thread must not differ.
fn fuzz_in_a_runtime<O: Copy + Debug + 'static>(
    op: fn(u8, Args) -> O,
    run: impl Fn(usize, &[O]) -> Verdict,
) {
    runtime().block_on(async {
        settle().await;
        fuzz(op, run);
    });
}
