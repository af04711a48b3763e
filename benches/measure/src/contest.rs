//! Rounds in which each contestant runs once, and what comes out.

use std::time::{Duration, Instant};

use crate::watchdog;

/// Does so many operations and returns what was measured, in nanoseconds or as the row says:
/// one figure for each measure of the row. None at all means that it cannot do it.
pub type Cell<'a> = Box<dyn FnMut(u64) -> Vec<f64> + 'a>;

/// After so many rounds that did not come to an end a contestant is not run again.
const PATIENCE: usize = 3;

/// How a contest is held.
#[derive(Clone, Copy, Debug)]
pub struct Contest {
    /// How often each contestant runs.
    pub rounds: usize,
    /// How long a run should take.
    pub run: Duration,
    /// The fewest operations of a run.
    pub at_least: u64,
    /// The most operations of a run.
    pub at_most: u64,
}

/// The figures of all rounds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// A quarter of the rounds was below.
    pub low: f64,
    /// Half of them.
    pub median: f64,
    /// Three quarters.
    pub high: f64,
    /// The rounds that did not come to an end, and are not counted.
    pub missing: usize,
}

impl Spread {
    fn of(mut figures: Vec<f64>, missing: usize) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |share: f64| figures[((figures.len() - 1) as f64 * share).round() as usize];
        Self {
            low: at(0.25),
            median: at(0.5),
            high: at(0.75),
            missing,
        }
    }

    /// The distance of the quartiles, as a share of the median.
    #[must_use]
    pub fn relative(&self) -> f64 {
        (self.high - self.low) / self.median
    }
}

impl Contest {
    /// So many rounds of about so many milliseconds.
    #[must_use]
    pub const fn new(rounds: usize, millis: u64) -> Self {
        Self {
            rounds,
            run: Duration::from_millis(millis),
            at_least: 1,
            at_most: u64::MAX,
        }
    }

    /// With bounds for the operations of a run.
    #[must_use]
    pub const fn operations(mut self, at_least: u64, at_most: u64) -> Self {
        self.at_least = at_least;
        self.at_most = at_most;
        self
    }

    /// Runs all, round by round, each round beginning with the next. For each contestant its
    /// figures, one `Spread` for each measure.
    pub fn hold(&self, what: &str, cells: Vec<Option<Cell<'_>>>) -> Vec<Option<Vec<Spread>>> {
        let mut cells: Vec<_> = cells
            .into_iter()
            .enumerate()
            .map(|(place, cell)| {
                cell.and_then(|mut cell| {
                    watchdog::guard(
                        format!("contestant {place} in \"{what}\""),
                        Duration::from_secs(60),
                    );
                    let operations = self
                        .calibrate(&mut cell)
                        .or_else(|| self.calibrate(&mut cell))?;
                    Some((cell, operations, Vec::<Vec<f64>>::new()))
                })
            })
            .collect();
        for round in 0..self.rounds {
            let first = round % cells.len();
            for turn in 0..cells.len() {
                let place = (first + turn) % cells.len();
                if let Some((cell, operations, figures)) = &mut cells[place]
                    && figures.iter().filter(|figures| figures.is_empty()).count() < PATIENCE
                {
                    watchdog::guard(
                        format!("contestant {place} in \"{what}\""),
                        Duration::from_secs(60),
                    );
                    figures.push(cell(*operations));
                }
            }
        }
        cells
            .into_iter()
            .map(|cell| {
                let (_, _, mut rounds) = cell?;
                let all = rounds.len();
                rounds.retain(|figures| !figures.is_empty());
                let missing = all - rounds.len();
                let measures = rounds.first()?.len();
                let of = |measure: usize| rounds.iter().map(|figures| figures[measure]).collect();
                Some(
                    (0..measures)
                        .map(|measure| Spread::of(of(measure), missing))
                        .collect(),
                )
            })
            .collect()
    }

    /// How many operations take as long as a run should. Warms up, too.
    fn calibrate(&self, cell: &mut Cell<'_>) -> Option<u64> {
        let mut operations = self.at_least;
        loop {
            let start = Instant::now();
            if cell(operations).is_empty() {
                return None;
            }
            let took = start.elapsed();
            if took >= self.run / 2 || operations >= self.at_most {
                let wanted = operations as f64 * self.run.as_secs_f64() / took.as_secs_f64();
                return Some((wanted as u64).clamp(self.at_least, self.at_most));
            }
            operations *= 2;
        }
    }
}
