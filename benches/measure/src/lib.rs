//! What the benchmarks that compare have in common: short runs of all contestants, one after
//! the other and again, so that what disturbs the machine disturbs all; medians and
//! quartiles; tables in Markdown, and a plot.

mod contest;
mod machine;
mod plot;
mod table;
mod watchdog;

pub use self::{
    contest::{Cell, Contest, Spread},
    machine::{Machine, versions},
    plot::{Bar, Group, Plot},
    table::{Table, duration},
};
