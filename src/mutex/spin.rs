use std::{cell::Cell, hint::spin_loop};
thread_local! { static CONTENDED: Cell<usize> = const { Cell::new(0) }; }
pub(super) fn expect(mutex: usize) { CONTENDED.set(mutex); }
pub(super) fn is_expected(mutex: usize) -> bool { CONTENDED.get() == mutex }
pub(super) fn forget(){ CONTENDED.set(0); }
pub(super) fn spin(mut f: impl FnMut() -> bool) -> bool {
    let n = { static N: std::sync::OnceLock<usize> = std::sync::OnceLock::new(); *N.get_or_init(|| std::env::var("SPIN").ok().and_then(|s| s.parse().ok()).unwrap_or(50)) };
    for _ in 0..n { spin_loop(); if f() { return true; } }
    false
}
pub(super) fn variant() -> usize { static N: std::sync::OnceLock<usize> = std::sync::OnceLock::new(); *N.get_or_init(|| std::env::var("VARIANT").ok().and_then(|s| s.parse().ok()).unwrap_or(1)) }
