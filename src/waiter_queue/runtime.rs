//! Which home the current thread is at.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    ptr::NonNull,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    task::{Poll, Waker},
};

use compio_driver::AsRawFd;
use compio_runtime::Runtime;

use super::{
    Backend,
    home::{Home, Tables},
    install,
};
use crate::sys::sync::Arc;

/// Names a thread; never used again after the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadToken(u64);

impl ThreadToken {
    #[inline]
    pub(super) fn here() -> Self {
        thread_local! {
            static TOKEN: Cell<u64> = const { Cell::new(0) };
        }
        static NEXT: AtomicU64 = AtomicU64::new(1);
        TOKEN.with(|token| {
            if token.get() == 0 {
                // Relaxed: only uniqueness counts.
                token.set(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            Self(token.get())
        })
    }
}

thread_local! {
    /// The homes of the runtimes of this thread, mostly one.
    static HOMES: RefCell<Vec<Arc<Home>>> = const { RefCell::new(Vec::new()) };
    /// The one that was asked for last: its id and where it is. Has no destructor, and so costs
    /// little to look at. The home is in `HOMES`, or was when the thread began to end.
    static LAST: Cell<(usize, Option<NonNull<Home>>)> = const { Cell::new((0, None)) };
}

/// The home of the runtime that is running now, made if it has none yet. `None`
/// outside of a runtime, and on a thread that is about to end.
///
/// Invariant `HERE`: the pointer is of an `Arc`, its home one of this thread, and it stays valid
/// and open until this thread runs other code than ours: only that could end the runtime.
#[inline]
pub(super) fn current() -> Option<NonNull<Home>> {
    Runtime::try_with_current(|runtime| {
        // A home leaves the list when its runtime drops its tasks, which is before the
        // descriptor is closed and may be used again.
        let id = runtime.as_raw_fd() as usize;
        match LAST.get() {
            (last, Some(home)) if last == id => Some(home),
            _ => look_up(runtime, id),
        }
    })
    .ok()
    .flatten()
}

#[cold]
fn look_up(runtime: &Runtime, id: usize) -> Option<NonNull<Home>> {
    let known = HOMES
        .try_with(|homes| homes.borrow().iter().find(|home| home.id() == id).cloned())
        .ok()?;
    let home = known.unwrap_or_else(|| found(runtime, id));
    let home = Some(pointer(&home));
    LAST.set((id, home));
    home
}

/// Whether the runtime that is running now is the one of `home`.
pub(super) fn is_running(home: &Home) -> bool {
    Runtime::try_with_current(|runtime| runtime.as_raw_fd() as usize == home.id()).unwrap_or(false)
        // The descriptor of one that is gone may be in use again.
        && HOMES
            .try_with(|homes| homes.borrow().iter().any(|known| std::ptr::eq(&**known, home)))
            .unwrap_or(false)
}

fn found(runtime: &Runtime, id: usize) -> Arc<Home> {
    let tables = Tables {
        driver: std::ptr::from_ref(runtime.waker().vtable()).addr(),
        // Now, since it allocates.
        task: *task_vtables(),
    };
    let home = Home::new(ThreadToken::here(), id, tables);
    HOMES.with(|homes| homes.borrow_mut().push(Arc::clone(&home)));
    install(runtime, Keeper(Arc::clone(&home)));
    home
}

/// Held by the task that drains the mailbox. The runtime drops it with its tasks;
/// then the home is closed.
pub(super) struct Keeper(Arc<Home>);

impl Keeper {
    pub(super) fn home(&self) -> &Arc<Home> {
        &self.0
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        LAST.set((0, None));
        // The thread may be ending, and its list gone.
        let _gone = HOMES.try_with(|homes| {
            let mut homes = homes.borrow_mut();
            homes
                .iter()
                .position(|home| Arc::ptr_eq(home, &self.0))
                .map(|at| homes.swap_remove(at))
        });
        self.0.close();
        // SAFETY: HERE: the runtime drops its tasks on its own thread, and this one once.
        unsafe { Home::settle(pointer(&self.0)) };
    }
}

fn pointer(home: &Arc<Home>) -> NonNull<Home> {
    // SAFETY: an `Arc` points to something.
    unsafe { NonNull::new_unchecked(Arc::as_ptr(home).cast_mut()) }
}

/// The tables of compio's task wakers: that of the waker a task is polled with, and that of its
/// clones. Learnt from a task of an executor of our own, which is gone at once.
fn task_vtables() -> &'static [usize; 2] {
    static KNOWN: OnceLock<[usize; 2]> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let (told, learnt) = mpsc::channel();
        let executor = compio_executor::Executor::new();
        executor
            .spawn(poll_fn(move |cx| {
                let address = |waker: &Waker| std::ptr::from_ref(waker.vtable()).addr();
                // The receiver is there.
                let _ = told.send([address(cx.waker()), address(&cx.waker().clone())]);
                Poll::Ready(())
            }))
            .detach();
        executor.tick();
        executor.clear();
        learnt.try_recv().unwrap_or_default()
    })
}

/// Whether this thread has had more than one runtime at a time, all of which still have tasks.
pub(super) fn has_several() -> bool {
    HOMES
        .try_with(|homes| homes.borrow().len() > 1)
        .unwrap_or(false)
}

thread_local! {
    static GENERIC_ONLY: Cell<bool> = const { Cell::new(false) };
}

/// Lets runtimes that wait for the first time on this thread from now on have the generic
/// doorbell, so that the two can be tested and measured side by side.
#[doc(hidden)]
pub fn force_generic_doorbell(yes: bool) {
    GENERIC_ONLY.set(yes);
}

pub(super) fn is_generic_forced() -> bool {
    GENERIC_ONLY.get()
}

/// Whether this thread runs a compio runtime now.
pub(crate) fn is_inside() -> bool {
    Runtime::try_with_current(|_| ()).is_ok()
}

/// The doorbell of the current runtime, or `None` outside of one.
///
/// # Examples
///
/// ```
/// assert_eq!(compio_sync::try_backend(), None);
/// ```
#[must_use]
pub fn try_backend() -> Option<Backend> {
    // SAFETY: HERE: it has just been found.
    current().and_then(|home| unsafe { home.as_ref() }.bell().map(|bell| bell.backend()))
}

/// The doorbell of the current runtime: how wake-ups from other threads reach it.
///
/// # Panics
///
/// Outside of a compio runtime, as compio's own functions do. See [`try_backend`].
///
/// # Examples
///
/// ```
/// compio_runtime::Runtime::new().unwrap().block_on(async {
///     println!("woken through: {}", compio_sync::backend());
/// });
/// ```
#[must_use]
#[track_caller]
pub fn backend() -> Backend {
    try_backend().expect("not in a compio runtime")
}
