//! The bottom layer: what the operating system and the standard library give,
//! each behind a small interface of ours.

#[cfg(loom)]
pub(crate) mod loom;
pub(crate) mod sync;
