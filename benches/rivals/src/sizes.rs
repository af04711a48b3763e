//! How large a thing is: itself, its future, its guard.

use std::mem::{size_of, size_of_val};

use measure::Table;

use crate::contestants::NAMES;

/// Bytes of the primitive, of one wait, and of what is got, if there is such a thing.
type Sizes = Option<(usize, usize, Option<usize>)>;

type Named = (&'static str, Sizes);

/// Those that are not named lack the thing.
fn of<const N: usize>(named: [Named; N]) -> [Sizes; 8] {
    NAMES.map(|name| named.iter().find(|(other, _)| *other == name)?.1)
}

fn one<'a, T, W>(
    name: &'static str,
    thing: &'a T,
    wait: impl FnOnce(&'a T) -> W,
    guard: Option<usize>,
) -> Named {
    (
        name,
        Some((size_of_val(thing), size_of_val(&wait(thing)), guard)),
    )
}

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

fn readers() -> [Sizes; 8] {
    let ours = compio_sync::RwLock::new(());
    let tokios = tokio::sync::RwLock::new(());
    let async_locks = async_lock::RwLock::new(());
    let asyncbands = asyncband::rwlock::RwLock::new(());
    let saas = saa::Lock::new();
    let maitakes = maitake_sync::RwLock::new(());
    let guards = [
        size_of::<compio_sync::RwLockReadGuard<'_, ()>>(),
        size_of::<tokio::sync::RwLockReadGuard<'_, ()>>(),
        size_of::<async_lock::RwLockReadGuard<'_, ()>>(),
        size_of::<asyncband::rwlock::RwLockReadGuard<'_, ()>>(),
        size_of::<maitake_sync::RwLockReadGuard<'_, ()>>(),
    ]
    .map(Some);
    of([
        one("compio-sync", &ours, |lock| lock.read(), guards[0]),
        one("tokio", &tokios, |lock| lock.read(), guards[1]),
        one("async-lock", &async_locks, |lock| lock.read(), guards[2]),
        one("asyncband", &asyncbands, |lock| lock.read(), guards[3]),
        one("saa", &saas, |lock| lock.share_async(), None),
        one("maitake-sync", &maitakes, |lock| lock.read(), guards[4]),
    ])
}

fn writers() -> [Sizes; 8] {
    let ours = compio_sync::RwLock::new(());
    let tokios = tokio::sync::RwLock::new(());
    let async_locks = async_lock::RwLock::new(());
    let asyncbands = asyncband::rwlock::RwLock::new(());
    let saas = saa::Lock::new();
    let maitakes = maitake_sync::RwLock::new(());
    let guards = [
        size_of::<compio_sync::RwLockWriteGuard<'_, ()>>(),
        size_of::<tokio::sync::RwLockWriteGuard<'_, ()>>(),
        size_of::<async_lock::RwLockWriteGuard<'_, ()>>(),
        size_of::<asyncband::rwlock::RwLockWriteGuard<'_, ()>>(),
        size_of::<maitake_sync::RwLockWriteGuard<'_, ()>>(),
    ]
    .map(Some);
    of([
        one("compio-sync", &ours, |lock| lock.write(), guards[0]),
        one("tokio", &tokios, |lock| lock.write(), guards[1]),
        one("async-lock", &async_locks, |lock| lock.write(), guards[2]),
        one("asyncband", &asyncbands, |lock| lock.write(), guards[3]),
        one("saa", &saas, |lock| lock.lock_async(), None),
        one("maitake-sync", &maitakes, |lock| lock.write(), guards[4]),
    ])
}

fn barriers() -> [Sizes; 8] {
    let ours = compio_sync::Barrier::new(2);
    let tokios = tokio::sync::Barrier::new(2);
    let async_locks = async_lock::Barrier::new(2);
    let asyncbands = asyncband::barrier::Barrier::new(2);
    let saas = saa::Barrier::with_count(2);
    of([
        one("compio-sync", &ours, |barrier| barrier.wait(), None),
        one("tokio", &tokios, |barrier| barrier.wait(), None),
        one("async-lock", &async_locks, |barrier| barrier.wait(), None),
        one("asyncband", &asyncbands, |barrier| barrier.wait(), None),
        one("saa", &saas, |barrier| barrier.wait_async(), None),
    ])
}

/// Of nothing, made by a future that has nothing.
fn cells() -> [Sizes; 8] {
    let ours = compio_sync::OnceCell::new();
    let tokios = tokio::sync::OnceCell::new();
    let async_locks = async_lock::OnceCell::new();
    let asyncbands = asyncband::once::OnceCell::new();
    let made = async || ();
    of([
        one("compio-sync", &ours, |cell| cell.get_or_init(made), None),
        one("tokio", &tokios, |cell| cell.get_or_init(made), None),
        one(
            "async-lock",
            &async_locks,
            |cell| cell.get_or_init(made),
            None,
        ),
        one(
            "asyncband",
            &asyncbands,
            |cell| cell.get_or_init(made),
            None,
        ),
    ])
}

/// A token is a share of what the heap has.
fn tokens() -> [Sizes; 8] {
    let ours = compio_sync::CancellationToken::new();
    let tokio_utils = tokio_util::sync::CancellationToken::new();
    of([
        one("compio-sync", &ours, |token| token.cancelled(), None),
        one("tokio", &tokio_utils, |token| token.cancelled(), None),
    ])
}

/// The wait has a guard of the mutex in it.
fn condvars() -> [Sizes; 8] {
    let ours = (compio_sync::Mutex::new(()), compio_sync::Condvar::new());
    let asyncbands = (
        asyncband::mutex::Mutex::new(()),
        asyncband::condvar::Condvar::new(),
    );
    let wait = ours.0.try_lock().map(|guard| ours.1.wait(guard));
    let asyncbands_wait = asyncbands
        .0
        .try_lock()
        .map(|guard| asyncbands.1.wait(guard));
    of([
        (
            "compio-sync",
            wait.map(|wait| (size_of_val(&ours.1), size_of_val(&wait), None)),
        ),
        (
            "asyncband",
            asyncbands_wait.map(|wait| (size_of_val(&asyncbands.1), size_of_val(&wait), None)),
        ),
    ])
}

/// That stay set.
fn events() -> [Sizes; 8] {
    let ours = compio_sync::Event::new();
    let asyncbands = asyncband::event::ManualResetEvent::new();
    let intrusives = futures_intrusive::sync::ManualResetEvent::new(false);
    of([
        one("compio-sync", &ours, |event| event.wait(), None),
        one("asyncband", &asyncbands, |event| event.wait(), None),
        one("futures-intrusive", &intrusives, |event| event.wait(), None),
    ])
}

/// Each member of asyncband's is a share of what the heap has.
fn wait_groups() -> [Sizes; 8] {
    let ours = compio_sync::WaitGroup::new();
    let asyncbands = asyncband::waitgroup::WaitGroup::new();
    let guard = Some(size_of::<compio_sync::OwnedWaitGroupGuard>());
    let member = Some(size_of_val(&asyncbands));
    of([
        one("compio-sync", &ours, |group| group.wait(), guard),
        one(
            "asyncband",
            &asyncbands,
            |group| group.clone().into_future(),
            member,
        ),
    ])
}

fn latches() -> [Sizes; 8] {
    let ours = compio_sync::Latch::new(1);
    let asyncbands = asyncband::latch::Latch::new(1);
    of([
        one("compio-sync", &ours, |latch| latch.wait(), None),
        one("asyncband", &asyncbands, |latch| latch.wait(), None),
    ])
}

/// A row for each thing.
pub(crate) fn table(mut table: Table) -> Table {
    const USUAL: [&str; 3] = ["", ", a wait", ", a guard"];
    for (name, parts, sizes) in [
        ("semaphore", USUAL, semaphores()),
        ("mutex", USUAL, mutexes()),
        (
            "rwlock",
            ["", ", a reader's wait", ", a reader's guard"],
            readers(),
        ),
        // The lock has been named.
        (
            "rwlock",
            ["-", ", a writer's wait", ", a writer's guard"],
            writers(),
        ),
        ("notifier", USUAL, notifiers()),
        ("barrier", USUAL, barriers()),
        ("cell", ["", ", get_or_init", ""], cells()),
        ("token", USUAL, tokens()),
        ("latch", USUAL, latches()),
        ("condvar", USUAL, condvars()),
        ("event", USUAL, events()),
        (
            "wait group",
            ["", ", a wait", ", an owned guard"],
            wait_groups(),
        ),
    ] {
        let picks: [fn(Sizes) -> Option<usize>; 3] = [
            |s| s.map(|s| s.0),
            |s| s.map(|s| s.1),
            |s| s.and_then(|s| s.2),
        ];
        for (part, pick) in parts.into_iter().zip(picks) {
            if part != "-" && sizes.iter().any(|s| pick(*s).is_some()) {
                let cells = sizes
                    .iter()
                    .map(|s| pick(*s).map_or("–".to_owned(), |size| size.to_string()));
                table.row([format!("{name}{part}")].into_iter().chain(cells));
            }
        }
    }
    table
}
