//! Conway's game of life on a torus, its rows shared out among several runtimes that step it
//! together, and compared with what one thread makes of the same field.
//!
//! ```text
//! cargo run --example game_of_life
//! ```

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use compio::runtime::Runtime;
use compio_sync::Barrier;

const WIDTH: usize = 96;
const HEIGHT: usize = 64;
const STEPS: usize = 200;
const RUNTIMES: usize = 4;

/// Relaxed throughout: the barrier orders the steps.
type Field = Vec<AtomicBool>;

fn empty() -> Field {
    (0..WIDTH * HEIGHT)
        .map(|_| AtomicBool::new(false))
        .collect()
}

/// A third of the cells live, at random but always the same.
fn soup() -> Field {
    let field = empty();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for cell in &field {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        cell.store(random.is_multiple_of(3), Relaxed);
    }
    field
}

/// What a cell will be.
fn next(field: &Field, row: usize, column: usize) -> bool {
    let lives = |down: usize, right: usize| {
        let row = (row + HEIGHT + down - 1) % HEIGHT;
        let column = (column + WIDTH + right - 1) % WIDTH;
        field[row * WIDTH + column].load(Relaxed)
    };
    let around = (0..9)
        .filter(|at| *at != 4 && lives(at / 3, at % 3))
        .count();
    around == 3 || (around == 2 && lives(1, 1))
}

fn step_rows(from: &Field, to: &Field, rows: std::ops::Range<usize>) {
    for row in rows {
        for column in 0..WIDTH {
            to[row * WIDTH + column].store(next(from, row, column), Relaxed);
        }
    }
}

fn living(field: &Field) -> usize {
    field.iter().filter(|cell| cell.load(Relaxed)).count()
}

fn main() {
    // Two fields, which take turns; and how many live, counted by the leader of each step.
    let fields = [soup(), empty()];
    let counts: Vec<_> = (0..STEPS).map(|_| AtomicUsize::new(0)).collect();
    let barrier = Barrier::new(RUNTIMES);
    thread::scope(|scope| {
        for me in 0..RUNTIMES {
            let (fields, counts, barrier) = (&fields, &counts, &barrier);
            scope.spawn(move || {
                let rows = me * HEIGHT / RUNTIMES..(me + 1) * HEIGHT / RUNTIMES;
                Runtime::new().expect("a runtime").block_on(async {
                    for (step, count) in counts.iter().enumerate() {
                        let [from, to] = [step % 2, (step + 1) % 2].map(|at| &fields[at]);
                        step_rows(from, to, rows.clone());
                        if barrier.wait().await.is_leader() {
                            // Meanwhile the others read it, too, and write the other field. They
                            // write this one only after the next step, which is ours as well.
                            count.store(living(to), Relaxed);
                        }
                    }
                });
            });
        }
    });

    let [mut now, mut then] = [soup(), empty()];
    let begun = living(&now);
    for (step, count) in counts.iter().enumerate() {
        step_rows(&now, &then, 0..HEIGHT);
        std::mem::swap(&mut now, &mut then);
        assert_eq!(count.load(Relaxed), living(&now), "after step {step}");
    }
    let same = fields[STEPS % 2]
        .iter()
        .zip(&now)
        .all(|(one, other)| one.load(Relaxed) == other.load(Relaxed));
    assert!(same, "the fields differ");
    println!(
        "{RUNTIMES} runtimes, {STEPS} steps: {begun} cells became {}, as on one thread",
        living(&now)
    );
}
