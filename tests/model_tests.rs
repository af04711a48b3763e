//! Random programs of operations, beside models of what the primitives promise: who gets
//! what, who is woken, by which call and in which order.
//!
//! `COMPIO_SYNC_FUZZ_OPS` says how many operations in all, or `PROPTEST_CASES` how many
//! programs in each test; `scripts/fuzz.sh` runs many.

mod common;
mod model;
