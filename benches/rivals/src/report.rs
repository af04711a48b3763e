//! What came out, as a page and as a plot.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use measure::{Bar, Group, Machine, Plot, Spread, Table, duration, versions};

use crate::{contestants::NAMES, limits, rows::Row, sizes};

/// The versions that are named.
const CRATES: [&str; 12] = [
    "compio-sync",
    "compio",
    "compio-runtime",
    "tokio",
    "tokio-util",
    "async-lock",
    "event-listener",
    "asyncband",
    "saa",
    "futures-intrusive",
    "maitake-sync",
    "synchrony",
];

/// Distinguishable with and without colours seen, on white and on black.
const COLOURS: [&str; 9] = [
    "#e8590c", "#1c7ed6", "#2f9e44", "#ae3ec9", "#e0a800", "#0c8599", "#c2255c", "#6741d9",
    "#868e96",
];

const TITLE: &str = "# Beside the rivals

Written by `scripts/compare.sh`; how to read it is said in [README.md](README.md).

![](rivals.svg)

";

const NOTES: &str = "The best of a row is bold. The spread is the distance of the quartiles as a share of the median. A \
rival that lacks a thing shows –. event-listener (of async-lock and synchrony) was left out of *notify 1000*, since its \
run did not end, and futures-intrusive unrun, since it too wakes others under its lock. A run that has not ended after 3 s is told \
beside the median, in which it does not count. saa spins for up to 60 us before it waits, so a queue of 100,000 takes it seconds. The limit is for the first rows the bare atomic operations, where somebody waits a list without a lock \
and without atomic operations but those of the task's waker, on compio's executor; for a herd one wake by a plain waker, and \
then such a list on the runtime itself, in portions of 60.

";

/// Whoever is left out here is named `unfair` by its contestants.
const FAIR: &str = "Fair is who bounds how long a waiter may be passed by. Strictly first come, first served \
are by their documentation the semaphores and read-write locks of compio-sync, tokio, asyncband and maitake-sync, the \
mutexes of the last three, and what futures-intrusive has if it is made fair, as here; saa has a \"fair wait queue\". The \
mutex of compio-sync lets a waiter be overtaken up to 64 times, that of async-lock for half a millisecond (\"eventual \
fairness\"): both count as fair, and need fewer changes of task than the strict ones. Not fair are the semaphore of \
async-lock, whose documentation promises no order and which lets who comes take a permit before who has been woken for it; \
the mutex of synchrony (\"provides no fairness guarantees\"); the read-write lock of async-lock \
(\"write-preferring\"), whose readers may wait for as long as writers come. In barriers, cells, tokens, latches and \
wait groups nobody is overtaken.

In tokio's column the token is that of tokio-util. The cancel safety differs: a wait for the barriers of tokio and \
asyncband that is dropped still counts as arrived (\"not cancel safe\"), for that of compio-sync it does not. \
compio-sync's read-write lock is one that readers may upgrade, as is async-lock's; in its cell one may \
also wait for the value only.

";

struct Result {
    name: String,
    rivals: Vec<Option<Spread>>,
    unfair: &'static [&'static str],
    limit: Option<Spread>,
}

impl Result {
    fn ours(&self) -> Spread {
        self.rivals[0].expect("compio-sync takes part in all")
    }

    /// The best median of those whose name is allowed.
    fn best_rival(&self, allowed: impl Fn(&str) -> bool) -> Option<f64> {
        NAMES
            .iter()
            .zip(&self.rivals)
            .skip(1)
            .filter(|(name, _)| allowed(name))
            .filter_map(|(_, spread)| spread.map(|spread| spread.median))
            .reduce(f64::min)
    }
}

pub(crate) struct Report {
    machine: Machine,
    results: Vec<Result>,
    rounds: (usize, usize),
    ring: Vec<f64>,
    took: Duration,
}

impl Report {
    /// Holds all contests whose name is wanted.
    pub(crate) fn of(rows: Vec<Row>, quick: bool, wanted: impl Fn(&str) -> bool) -> Self {
        let begun = Instant::now();
        let mut results = Vec::new();
        let mut rounds = (usize::MAX, 0);
        for row in rows.into_iter().filter(|row| wanted(&row.name)) {
            let start = Instant::now();
            let mut contest = row.contest;
            if quick {
                contest.rounds = contest.rounds.min(5);
            }
            rounds = (rounds.0.min(contest.rounds), rounds.1.max(contest.rounds));
            let mut cells = row.cells.all;
            cells.push(row.limit);
            let mut outcome = contest.hold(&row.name, cells);
            eprintln!("{:5.1} s  {}", start.elapsed().as_secs_f64(), row.name);
            let limit = outcome.pop().flatten();
            for (place, measure) in row.measures.iter().enumerate() {
                let pick = |spreads: &Option<Vec<Spread>>| spreads.as_ref().map(|s| s[place]);
                let name = if measure.is_empty() {
                    row.name.clone()
                } else {
                    format!("{}: {measure}", row.name)
                };
                results.push(Result {
                    name,
                    rivals: outcome.iter().map(pick).collect(),
                    unfair: row.cells.unfair,
                    limit: pick(&limit),
                });
            }
        }
        let mut ring: Vec<f64> = (0..11)
            .filter_map(|_| limits::ring_round_trip(2000))
            .flatten()
            .collect();
        ring.sort_by(f64::total_cmp);
        Self {
            machine: Machine::this(),
            results,
            rounds,
            ring,
            took: begun.elapsed(),
        }
    }

    pub(crate) fn markdown(&self) -> String {
        let mut head = vec!["workload"];
        head.extend(NAMES);
        head.extend([
            "limit",
            "ours / best rival",
            "ours / best fair rival",
            "ours / limit",
            "spread: ours, worst",
        ]);
        let mut table = Table::new(head);
        for result in &self.results {
            let ours = result.ours();
            let best = result.best_rival(|_| true);
            let fair = result.best_rival(|name| !result.unfair.contains(&name));
            let mut cells = vec![result.name.clone()];
            for spread in &result.rivals {
                cells.push(spread.map_or("–".into(), |spread| {
                    let mut text = duration(spread.median);
                    if spread.missing > 0 {
                        text += &format!(" ({} runs never ended)", spread.missing);
                    }
                    if Some(spread.median) == best && spread.median <= ours.median
                        || spread.median == ours.median && best.is_none_or(|b| ours.median < b)
                    {
                        format!("**{text}**")
                    } else {
                        text
                    }
                }));
            }
            cells.push(result.limit.map_or("–".into(), |l| duration(l.median)));
            let ratio =
                |to: Option<f64>| to.map_or("–".into(), |to| format!("{:.2}", ours.median / to));
            cells.push(ratio(best));
            cells.push(ratio(fair));
            cells.push(ratio(result.limit.map(|l| l.median)));
            let worst = result
                .rivals
                .iter()
                .flatten()
                .map(Spread::relative)
                .fold(0.0, f64::max);
            cells.push(format!(
                "{:.0} %, {:.0} %",
                100.0 * ours.relative(),
                100.0 * worst
            ));
            table.row(cells);
        }
        let mut sizes_head = vec!["bytes"];
        sizes_head.extend(NAMES);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{TITLE}{}- {}\n- medians of {} to {} rounds, in each of which every contestant ran once; all took {:.0} s\n\n{table}\n{NOTES}{FAIR}",
            self.machine,
            versions(include_str!("../Cargo.lock"), &CRATES),
            self.rounds.0,
            self.rounds.1,
            self.took.as_secs_f64(),
        );
        if let Some(ring) = self.ring.get(self.ring.len() / 2) {
            let _ = writeln!(
                text,
                "A wait by a bare ring, its futex woken and its completion reaped on one thread: {}.\n",
                duration(*ring),
            );
        }
        let _ = write!(text, "{}", sizes::table(Table::new(sizes_head)));
        text
    }

    /// Ratios to ours.
    pub(crate) fn plot(&self) -> Plot {
        let mut series: Vec<(String, &'static str)> = NAMES
            .iter()
            .zip(COLOURS)
            .map(|(name, colour)| ((*name).to_owned(), colour))
            .collect();
        series.push(("limit".into(), COLOURS[8]));
        let groups = self
            .results
            .iter()
            .map(|result| {
                let ours = result.ours().median;
                let bars = result
                    .rivals
                    .iter()
                    .chain([&result.limit])
                    .enumerate()
                    .filter_map(|(series, spread)| {
                        let spread = (*spread)?;
                        Some(Bar {
                            series,
                            ratio: spread.median / ours,
                            quartiles: (spread.low / ours, spread.high / ours),
                        })
                    })
                    .collect();
                Group {
                    name: result.name.clone(),
                    note: duration(ours),
                    bars,
                }
            })
            .collect();
        Plot {
            title: "Time, as a multiple of compio-sync's (right: its own). Left of 1 is faster; an arrow lies outside"
                .into(),
            series,
            groups,
            range: (0.1, 50.0),
        }
    }
}
