//! Which doorbell a runtime should have here.

use compio_runtime::Runtime;
use compio_sync::Backend;

/// What whoever started the tests knows, and by other means than the crate: then it has to be so.
pub(crate) fn announced() -> Option<Backend> {
    let value = std::env::var_os("COMPIO_SYNC_EXPECT")?;
    Some(match value.to_str() {
        Some("futex") => Backend::Futex,
        Some("generic") => Backend::Generic,
        _ => panic!("COMPIO_SYNC_EXPECT is futex or generic, not {value:?}"),
    })
}

/// What this build and this kernel should give a runtime on io_uring.
pub(crate) fn expected() -> Backend {
    announced().unwrap_or_else(|| {
        if cfg!(feature = "linux-futex") && ring_has_futexes() {
            Backend::Futex
        } else {
            Backend::Generic
        }
    })
}

/// What this runtime should have.
pub(crate) fn expected_of(runtime: &Runtime) -> Backend {
    if announced().is_none() && !runtime.driver_type().is_iouring() {
        return Backend::Generic;
    }
    expected()
}

/// Asks a ring of the kernel which operations it knows, as the crate does: unless it is
/// announced, nothing else can tell.
fn ring_has_futexes() -> bool {
    let Ok(ring) = io_uring::IoUring::new(2) else {
        return false;
    };
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe).is_ok()
        && probe.is_supported(io_uring::opcode::FutexWait::CODE)
}
