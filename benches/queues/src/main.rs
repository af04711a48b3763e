//! Candidates for the queue of waiters, each as that of a semaphore.
//!
//!     queues alone|threads [--quick]
//!
//! `alone` is what one thread does, `threads` what several do; scripts/queues.sh runs both, and
//! writes docs/benchmarks/queues.md.

mod candidates;
mod cqs;
mod priority;
mod work;

use std::env;

use measure::{Cell, Contest, Machine, Table, duration, versions};

use crate::{
    candidates::{FAIR_BASELINE, NAMES, Work},
    work::{Contended, Free, Leave, Preempting, Threads, WakeAll, WakeOne},
};

struct Row {
    name: String,
    measures: &'static [&'static str],
    contest: Contest,
    cells: Vec<Option<Cell<'static>>>,
}

fn row(name: impl Into<String>, contest: Contest, work: impl Work + 'static) -> Row {
    Row {
        name: name.into(),
        measures: &[""],
        contest,
        cells: work.cells(),
    }
}

fn alone() -> Vec<Row> {
    const SHORT: Contest = Contest::new(31, 2);
    // What stays in one of the queues is bounded.
    const FEW: Contest = Contest::new(31, 2).operations(1, 20_000);
    let mut rows = vec![
        row("nobody waits: acquire, give back", SHORT, Free),
        row("one waits: wait, give up", FEW, Leave(0)),
        row("wait behind 1000, give up", FEW, Leave(1000)),
        row("one waits: wait, wake, poll", SHORT, WakeOne(1)),
        row(
            "wake the first of 16, which comes again",
            SHORT,
            WakeOne(16),
        ),
        row("wake the first of 1000", SHORT, WakeOne(1000)),
        row("16 come, wake all, for each", SHORT, WakeAll(16)),
        row("1000 come, wake all, for each", SHORT, WakeAll(1000)),
    ];
    for tasks in [1, 2, 8, 32, 128] {
        rows.push(row(
            format!("{tasks} tasks of a runtime"),
            Contest::new(15, 4).operations(20 * tasks as u64, u64::MAX),
            Contended { runtimes: 1, tasks },
        ));
    }
    rows
}

fn threads() -> Vec<Row> {
    let mut rows = Vec::new();
    for (runtimes, tasks) in [(2, 2), (2, 32), (2, 128), (4, 128), (8, 128)] {
        rows.push(row(
            format!("{tasks} tasks of {runtimes} runtimes"),
            Contest::new(7, 20).operations(20 * tasks as u64, 100_000),
            Contended { runtimes, tasks },
        ));
    }
    for threads in [1, 2, 4, 8] {
        rows.push(Row {
            name: format!("{threads} threads come and give up"),
            measures: &["", "longest operation"],
            contest: Contest::new(7, 60).operations(1000, 400_000),
            cells: Threads(threads).cells(),
        });
    }
    rows.push(Row {
        name: "one that preempts another".into(),
        measures: &["", "longest operation"],
        contest: Contest::new(7, 100).operations(1000, 1000),
        cells: Preempting.cells(),
    });
    rows
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let (rows, what) = if has("threads") {
        (threads(), "Several threads")
    } else {
        (alone(), "One thread")
    };
    let mut head = vec!["work"];
    head.extend(NAMES);
    head.extend([
        "ours / baseline",
        "ours / fair baseline",
        "ours / best",
        "spread: ours, worst",
    ]);
    let mut table = Table::new(head);
    for row in rows {
        eprintln!("{}", row.name);
        let mut contest = row.contest;
        if has("--quick") {
            contest.rounds = 3;
        }
        let outcome = contest.hold(&row.name, row.cells);
        if outcome.iter().any(Option::is_none) {
            eprintln!("  not permitted here");
            continue;
        }
        for (place, measure) in row.measures.iter().enumerate() {
            let spreads: Vec<_> = outcome.iter().flatten().map(|s| s[place]).collect();
            let ours = spreads[spreads.len() - 1];
            let best = spreads[..spreads.len() - 1]
                .iter()
                .map(|s| s.median)
                .fold(f64::INFINITY, f64::min);
            let worst = spreads.iter().map(|s| s.relative()).fold(0.0, f64::max);
            let name = if measure.is_empty() {
                row.name.clone()
            } else {
                format!("{}: {measure}", row.name)
            };
            let mut cells = vec![name];
            cells.extend(spreads.iter().map(|spread| {
                let text = duration(spread.median);
                if spread.median <= best.min(ours.median) {
                    format!("**{text}**")
                } else {
                    text
                }
            }));
            cells.push(format!("{:.2}", ours.median / spreads[0].median));
            cells.push(format!(
                "{:.2}",
                ours.median / spreads[FAIR_BASELINE].median
            ));
            cells.push(format!("{:.2}", ours.median / best));
            cells.push(format!(
                "{:.0} %, {:.0} %",
                100.0 * ours.relative(),
                100.0 * worst
            ));
            table.row(cells);
        }
    }
    print!("## {what}\n\n{}", Machine::this());
    println!(
        "- {}\n\n{table}",
        versions(
            include_str!("../Cargo.lock"),
            &[
                "compio-sync",
                "compio",
                "crossbeam-queue",
                "crossbeam-epoch",
                "parking_lot",
                "atomic-waker"
            ],
        )
    );
}
