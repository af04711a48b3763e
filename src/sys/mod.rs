//! The bottom layer: what the operating system and the standard library give,
//! each behind a small interface of ours.

#[cfg(all(windows, feature = "windows-iocp", not(loom)))]
pub(crate) mod alarm;
#[cfg(all(target_os = "linux", feature = "linux-futex", not(loom)))]
pub(crate) mod futex;
/// What the model checker gives instead: loom, or shuttle with `--cfg shuttle` besides.
#[cfg(loom)]
#[cfg_attr(shuttle, path = "shuttle.rs")]
pub(crate) mod loom;
#[cfg(all(windows, feature = "windows-iocp", not(loom)))]
pub(crate) mod packet;
#[cfg(any(
    all(windows, feature = "windows-iocp", not(loom)),
    all(test, loom, not(shuttle))
))]
pub(crate) mod slot;
pub(crate) mod spin;
pub(crate) mod sync;
