//! How large a thing is: itself, its future, its guard.

use std::mem::{size_of, size_of_val};

use measure::Table;

/// Bytes of the primitive, of one wait, and of what is got, if there is such a thing.
type Sizes = Option<(usize, usize, Option<usize>)>;

fn semaphores() -> [Sizes; 8] {
    let ours = compio_sync::Semaphore::new(1);
    let tokios = tokio::sync::Semaphore::new(1);
    let async_locks = async_lock::Semaphore::new(1);
    let asyncbands = asyncband::semaphore::Semaphore::new(1);
    let saas = saa::Semaphore::new();
    let intrusives = futures_intrusive::sync::Semaphore::new(true, 1);
    let maitakes = maitake_sync::Semaphore::new(1);
    [
        Some((
            size_of_val(&ours),
            size_of_val(&ours.acquire()),
            Some(size_of::<compio_sync::SemaphorePermit<'_>>()),
        )),
        Some((
            size_of_val(&tokios),
            size_of_val(&tokios.acquire()),
            Some(size_of::<tokio::sync::SemaphorePermit<'_>>()),
        )),
        Some((
            size_of_val(&async_locks),
            size_of_val(&async_locks.acquire()),
            Some(size_of::<async_lock::SemaphoreGuard<'_>>()),
        )),
        Some((
            size_of_val(&asyncbands),
            size_of_val(&asyncbands.acquire(1)),
            Some(size_of::<asyncband::semaphore::SemaphorePermit<'_>>()),
        )),
        Some((size_of_val(&saas), size_of_val(&saas.acquire_async()), None)),
        Some((
            size_of_val(&intrusives),
            size_of_val(&intrusives.acquire(1)),
            Some(size_of::<futures_intrusive::sync::SemaphoreReleaser<'_>>()),
        )),
        Some((
            size_of_val(&maitakes),
            size_of_val(&maitakes.acquire(1)),
            Some(size_of::<maitake_sync::semaphore::Permit<'_>>()),
        )),
        None,
    ]
}

fn mutexes() -> [Sizes; 8] {
    let ours = compio_sync::Mutex::new(());
    let tokios = tokio::sync::Mutex::new(());
    let async_locks = async_lock::Mutex::new(());
    let asyncbands = asyncband::mutex::Mutex::new(());
    let saas = saa::Lock::new();
    let intrusives = futures_intrusive::sync::Mutex::new((), true);
    let maitakes = maitake_sync::Mutex::new(());
    let synchronys = synchrony::sync::mutex::Mutex::new(());
    [
        Some((
            size_of_val(&ours),
            size_of_val(&ours.lock()),
            Some(size_of::<compio_sync::MutexGuard<'_, ()>>()),
        )),
        Some((
            size_of_val(&tokios),
            size_of_val(&tokios.lock()),
            Some(size_of::<tokio::sync::MutexGuard<'_, ()>>()),
        )),
        Some((
            size_of_val(&async_locks),
            size_of_val(&async_locks.lock()),
            Some(size_of::<async_lock::MutexGuard<'_, ()>>()),
        )),
        Some((
            size_of_val(&asyncbands),
            size_of_val(&asyncbands.lock()),
            Some(size_of::<asyncband::mutex::MutexGuard<'_, ()>>()),
        )),
        Some((size_of_val(&saas), size_of_val(&saas.lock_async()), None)),
        Some((
            size_of_val(&intrusives),
            size_of_val(&intrusives.lock()),
            Some(size_of::<futures_intrusive::sync::MutexGuard<'_, ()>>()),
        )),
        Some((
            size_of_val(&maitakes),
            size_of_val(&maitakes.lock()),
            Some(size_of::<maitake_sync::MutexGuard<'_, ()>>()),
        )),
        Some((
            size_of_val(&synchronys),
            size_of_val(&synchronys.lock()),
            Some(size_of::<synchrony::sync::mutex::MutexGuard<'_, ()>>()),
        )),
    ]
}

fn notifiers() -> [Sizes; 8] {
    let ours = compio_sync::Notify::new();
    let tokios = tokio::sync::Notify::new();
    let listened = event_listener::Event::<()>::new();
    let asyncbands = asyncband::event::ManualResetEvent::new();
    let saas = saa::Gate::new();
    let intrusives = futures_intrusive::sync::ManualResetEvent::new(false);
    let maitakes = maitake_sync::WaitQueue::new();
    [
        Some((size_of_val(&ours), size_of_val(&ours.notified()), None)),
        Some((size_of_val(&tokios), size_of_val(&tokios.notified()), None)),
        Some((
            size_of_val(&listened),
            size_of_val(&listened.listen()),
            None,
        )),
        Some((
            size_of_val(&asyncbands),
            size_of_val(&asyncbands.wait()),
            None,
        )),
        Some((size_of_val(&saas), size_of_val(&saas.enter_async()), None)),
        Some((
            size_of_val(&intrusives),
            size_of_val(&intrusives.wait()),
            None,
        )),
        Some((size_of_val(&maitakes), size_of_val(&maitakes.wait()), None)),
        None,
    ]
}

/// A row for each thing.
pub(crate) fn table(mut table: Table) -> Table {
    for (name, sizes) in [
        ("semaphore", semaphores()),
        ("mutex", mutexes()),
        ("notifier", notifiers()),
    ] {
        let text = |size: Option<usize>| size.map_or("–".to_owned(), |size| size.to_string());
        for (part, pick) in [
            ("", (|s| s.map(|s| s.0)) as fn(Sizes) -> Option<usize>),
            (", a wait", |s| s.map(|s| s.1)),
            (", a guard", |s| s.and_then(|s| s.2)),
        ] {
            if sizes.iter().any(|s| pick(*s).is_some()) {
                let cells = sizes.iter().map(|s| text(pick(*s)));
                table.row([format!("{name}{part}")].into_iter().chain(cells));
            }
        }
    }
    table
}
