//! Which work is measured, how long, and beside which limit.

mod others;
mod permits;

use measure::{Cell, Contest};

use crate::{
    contestants::{self, Cells, NotifierWork},
    workloads::herd::{Herd, by_a_bare_list},
};

pub(crate) struct Row {
    pub(crate) name: String,
    /// What is measured, if it is not the name.
    pub(crate) measures: &'static [&'static str],
    pub(crate) contest: Contest,
    pub(crate) cells: Cells,
    pub(crate) limit: Option<Cell<'static>>,
}

/// A few operations of a nanosecond each.
const SHORT: Contest = Contest::new(41, 2);
const TASKS: Contest = Contest::new(21, 5);
const RUNTIMES: Contest = Contest::new(9, 20);
/// Each operation makes a herd wait first, which takes longer than what is measured.
const HERD: Contest = Contest::new(9, 20).operations(10, 10);

pub(crate) fn all() -> Vec<Row> {
    let mut rows = permits::alone();
    rows.extend(others::alone());
    rows.extend(permits::contended());
    rows.extend(others::together());
    rows.extend([
        herd(
            "notify 1000 tasks of another runtime",
            &["notifier", "until all ran"],
            Herd(1000).cells(),
        ),
        herd(
            "latch: let in 1000 tasks of another runtime",
            &["who opens", "until all ran"],
            contestants::latches(Herd(1000)),
        ),
        herd(
            "token: cancel 1000 tasks of another runtime",
            &["canceller", "until all ran"],
            contestants::herds(Herd(1000)),
        ),
    ]);
    rows.extend(permits::queues());
    rows
}

fn herd(name: &str, measures: &'static [&'static str], cells: Cells) -> Row {
    let bare: Cell<'static> = Box::new(|rounds| by_a_bare_list(Herd(1000), rounds));
    Row {
        measures,
        ..row(name, HERD, cells, Some(bare))
    }
}

fn row(
    name: impl Into<String>,
    contest: Contest,
    cells: Cells,
    limit: Option<Cell<'static>>,
) -> Row {
    Row {
        name: name.into(),
        measures: &[""],
        contest,
        cells,
        limit,
    }
}

fn limit(run: fn(u64) -> Vec<f64>) -> Option<Cell<'static>> {
    Some(Box::new(run))
}
