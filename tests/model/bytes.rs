//! The same programs out of bytes, for a fuzzer that sees what they reach and goes on from there.

use std::fmt::Debug;

use super::{
    Args, LENGTH, Verdict, barrier, cancellation_token, condvar, event, gates, listing, mutex,
    notify, once_cell,
    places::{self, Place},
    rwlock, semaphore,
};
use crate::common::{Random, Runtime, keep, runtime, settle};

/// Runs what the bytes stand for, and prints it first if that is asked for.
pub(crate) type Play = fn(&[u8], bool) -> Verdict;

/// All primitives.
pub(crate) const ALL: [(&str, Play); 11] = [
    ("barrier", barrier::bytes),
    ("cancellation_token", cancellation_token::bytes),
    ("condvar", condvar::bytes),
    ("event", event::bytes),
    ("latch", gates::latch_bytes),
    ("mutex", mutex::bytes),
    ("notify", notify::bytes),
    ("once_cell", once_cell::bytes),
    ("rwlock", rwlock::bytes),
    ("semaphore", semaphore::bytes),
    ("wait_group", gates::wait_group_bytes),
];

/// Of an operation.
pub(crate) const SIZE: usize = 3;

/// Of a program.
pub(crate) const MOST: usize = 1 + SIZE * (LENGTH - 1);

thread_local! {
    /// One for all programs, since it takes longer to make than they do.
    static RUNTIME: &'static Runtime = {
        let runtime = keep(runtime());
        runtime.block_on(settle());
        runtime
    };
}

/// The first byte says with what to begin, and where: in a runtime, in none, or now here and now
/// there.
pub(super) fn play<O: Copy + Debug>(
    bytes: &[u8],
    show: bool,
    op: fn(u8, Args) -> O,
    run: fn(usize, &[O]) -> Verdict,
) -> Verdict {
    let Some((first, rest)) = bytes.split_first() else {
        return Ok(());
    };
    let ops = rest.as_chunks::<SIZE>().0.iter();
    let (begin, in_a_runtime) = (usize::from(first % 4), first & 4 != 0);
    let moves = !in_a_runtime && first & 8 != 0;
    let program: Vec<(Place, O)> = ops
        .map(|[kind, low, high]| {
            let args = Args(u16::from_le_bytes([*low, *high]).into());
            let place = if moves {
                places::of_kind(*kind)
            } else {
                places::NOWHERE
            };
            (place, op(*kind, args))
        })
        .collect();
    if show {
        let place = ["no runtime", "a runtime"][usize::from(in_a_runtime)];
        println!("in {place}, {}", listing(begin, &program));
    }
    let (places, program): (Vec<_>, Vec<_>) = program.into_iter().unzip();
    places::plan(places);
    if in_a_runtime {
        return RUNTIME.with(|runtime| runtime.block_on(async { run(begin, &program) }));
    }
    run(begin, &program)
}

/// That they are programs, which go well.
#[test]
fn bytes() {
    let mut random = Random::new(1);
    for round in 0..40 {
        let bytes: Vec<u8> = (0..MOST).map(|_| random.below(256) as u8).collect();
        for (name, play) in ALL {
            let verdict = play(&bytes[..MOST * round / 40], false);
            verdict.unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        }
    }
}
