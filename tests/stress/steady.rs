//! Runtimes that must keep their doorbell: a kernel that refuses ours under load is a failure,
//! which the fallback would hide.

use compio_sync::backend;

use super::common;

pub(crate) fn in_runtime<T>(f: impl AsyncFnOnce() -> T) -> T {
    common::in_runtime(async || keeps_its_doorbell(f()).await)
}

pub(crate) fn on_runtimes<T: Send>(n: usize, f: impl AsyncFn(usize) -> T + Sync) -> Vec<T> {
    common::on_runtimes(n, async |i| keeps_its_doorbell(f(i)).await)
}

pub(crate) async fn keeps_its_doorbell<T>(future: impl Future<Output = T>) -> T {
    let before = backend();
    let output = future.await;
    assert_eq!(backend(), before, "the doorbell is not what it was");
    output
}
