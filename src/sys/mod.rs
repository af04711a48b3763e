//! The bottom layer: what the operating system and the standard library give,
//! each behind a small interface of ours.

pub(crate) mod sync;
