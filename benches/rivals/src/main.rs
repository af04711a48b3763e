//! The same work through compio-sync and its rivals, on compio's runtimes, in one run.
//!
//!     rivals [--quick] [--markdown FILE] [--svg FILE] [WORKLOAD...]
//!
//! Without names, all workloads; a name selects those that contain it. `--quick` runs fewer
//! rounds. scripts/compare.sh builds it and says where the results go.

mod contestants;
mod limits;
mod report;
mod rows;
mod sizes;
mod workloads;

use std::{env, fs};

fn main() {
    let mut arguments = env::args().skip(1);
    let (mut quick, mut markdown, mut svg, mut wanted) = (false, None, None, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--markdown" => markdown = arguments.next(),
            "--svg" => svg = arguments.next(),
            // Cargo's own for benchmarks.
            "--bench" => {}
            name => wanted.push(name.to_owned()),
        }
    }
    let report = report::Report::of(rows::all(), quick, |name| {
        wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()))
    });
    let text = report.markdown();
    println!("{text}");
    if let Some(path) = markdown {
        fs::write(path, text).expect("the file for the table");
    }
    if let Some(path) = svg {
        fs::write(path, report.plot().to_string()).expect("the file for the plot");
    }
}
