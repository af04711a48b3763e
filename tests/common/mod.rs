//! What the test binaries share: a bound on every test, wakers that count, polls by
//! hand, runtimes on threads, and the roads that a wake-up may take.
#![allow(dead_code, unused_imports, reason = "each binary uses a part of it")]

pub(crate) mod orders;
pub(crate) mod probe;
pub(crate) mod roads;
pub(crate) mod stall;

pub(crate) use self::{
    probe::{Act, Hand, Probe},
    roads::{Road, on_each_road},
};

use std::{
    cell::Cell,
    fmt::Debug,
    future::poll_fn,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

pub(crate) use compio_runtime::Runtime;

/// Whether this is an emulated or otherwise slow machine.
pub(crate) fn is_slow() -> bool {
    std::env::var_os("COMPIO_SYNC_SLOW").is_some_and(|value| value != "0")
}

/// How many times as many rounds are asked for: see `scripts/stress.sh`.
pub(crate) fn stress() -> usize {
    std::env::var("STRESS").map_or(1, |times| {
        times.parse().expect("STRESS is a number, 1 or more")
    })
}

/// How often to repeat something: less on a slow machine, never nothing.
pub(crate) fn rounds(n: usize) -> usize {
    let n = n * stress();
    if is_slow() { n.div_ceil(20) } else { n }
}

/// Ends the whole process if the test that holds it does not end. To be held by the
/// first line of each test.
pub(crate) struct Watchdog {
    shown: Arc<Mutex<Vec<Arc<dyn Debug + Send + Sync>>>>,
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    /// Shares `value`, which is printed if the test does not end.
    pub(crate) fn shown<T: Debug + Send + Sync + 'static>(&self, value: T) -> Arc<T> {
        let value = Arc::new(value);
        self.shown.lock().unwrap().push(value.clone());
        value
    }
}

#[must_use]
#[track_caller]
pub(crate) fn watchdog() -> Watchdog {
    let limit = Duration::from_secs(match is_slow() {
        true => 900,
        false => 400, // A busy machine takes ten times as long as an idle one.
    });
    // More rounds take longer, but so much is for a machine that is busy with something else.
    let limit = limit + limit / 20 * u32::try_from(stress()).expect("STRESS is not that large");
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let at = Location::caller();
    let (alive, dog) = mpsc::channel();
    let shown = Arc::<Mutex<Vec<Arc<dyn Debug + Send + Sync>>>>::default();
    let watched = shown.clone();
    thread::spawn(move || {
        if dog.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{name} ({at}) has not ended within {limit:?}: it hangs");
            let shown = std::mem::take(&mut *watched.lock().unwrap());
            stall::print_and_abort(shown.into_iter().map(|part| move || format!("{part:?}")));
        }
    });
    Watchdog {
        shown,
        _alive: alive,
    }
}

/// A fresh runtime.
pub(crate) fn runtime() -> Runtime {
    Runtime::new().expect("a runtime can be made")
}

/// Runs `f` in a runtime of its own.
pub(crate) fn in_runtime<T>(f: impl AsyncFnOnce() -> T) -> T {
    runtime().block_on(f())
}

/// Runs `f` in `n` runtimes at once, each on a thread of its own.
pub(crate) fn on_runtimes<T: Send>(n: usize, f: impl AsyncFn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..n)
            .map(|i| {
                let f = &f;
                scope.spawn(move || runtime().block_on(f(i)))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no runtime's thread panics"))
            .collect()
    })
}

/// Runs `f` on another thread, which no runtime runs on, and waits for it.
pub(crate) fn on_another_thread<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(f).join()).expect("the thread does not panic")
}

/// Keeps `value` until the process ends, where a leak checker sees that it is kept on purpose.
pub(crate) fn keep<T>(value: T) -> &'static T
where
    T: 'static,
{
    let value: &'static T = Box::leak(Box::new(value));
    note(value);
    value
}

/// As `std::mem::forget`, likewise.
pub(crate) fn forget<T>(value: T) {
    note(Box::leak(Box::new(ManuallyDrop::new(value))));
}

fn note<T>(kept: &T) {
    static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
    struct Kept(#[expect(dead_code, reason = "for the leak checker to find")] *const ());
    // SAFETY: nobody follows it.
    unsafe impl Send for Kept {}
    let kept = Kept(std::ptr::from_ref(kept).cast());
    KEPT.lock().expect("nobody panics with it").push(kept);
}

/// Gives the other tasks a turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Gives the other tasks turns until `done`.
pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        yield_now().await;
        thread::yield_now();
    }
}

/// Lets the current runtime set up its mailbox completely: its task has run.
pub(crate) async fn settle() {
    let _backend = compio_sync::backend();
    for _ in 0..8 {
        yield_now().await;
    }
}

/// Spawns on the current runtime.
pub(crate) fn spawn<T: 'static>(
    future: impl Future<Output = T> + 'static,
) -> compio_runtime::JoinHandle<T> {
    compio_runtime::spawn(future)
}

/// An executor that knows of nothing: parks the thread between two polls.
pub(crate) fn park_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Where a few tasks of several runtimes wait for each other. On nothing that is being
/// tested.
pub(crate) struct Meeting {
    parties: usize,
    state: Mutex<(usize, Vec<Waker>)>,
}

impl Meeting {
    pub(crate) fn new(parties: usize) -> Self {
        Self {
            parties,
            state: Mutex::new((0, Vec::new())),
        }
    }

    pub(crate) async fn wait(&self) {
        let arrival = Cell::new(None);
        poll_fn(|cx| {
            let mut state = self.state.lock().unwrap();
            let mine = arrival.get().unwrap_or_else(|| {
                state.0 += 1;
                arrival.set(Some(state.0));
                state.0
            });
            if state.0 >= mine.next_multiple_of(self.parties) {
                let others = std::mem::take(&mut state.1);
                drop(state);
                others.into_iter().for_each(Waker::wake);
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The message with which `f` panics.
#[track_caller]
pub(crate) fn panic_message<T>(f: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it should have panicked");
    };
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload
            .downcast::<&'static str>()
            .map_or_else(|_| String::new(), |message| (*message).to_owned()),
    }
}

/// A generator of random numbers (xorshift), for reproducible runs.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 33) % n as u64).expect("less than n")
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
