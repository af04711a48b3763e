//! What one should not do: it leaks, waits or panics, as documented, and harms nobody else.
//! What must not compile is in `src/misuse.rs`, what happens without memory in `out_of_memory`.

#[path = "../common/mod.rs"]
mod common;

mod forgotten;
mod futures;
mod kinds;
mod limits;
mod panics;
