//! Many at once, at random, on real threads: the sums must come out, and all must end.

#[path = "../common/mod.rs"]
mod common;

mod cancellation;
mod edge_cases;
mod high_contention;
mod once;
mod random;
mod steady;
