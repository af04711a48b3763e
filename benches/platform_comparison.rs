//! How a wake-up crosses from one runtime to another: per-task wakers, our queue with the
//! doorbell of the platform ("unified"), and our queue with the generic doorbell ("dual").
//!
//! `cargo bench --bench platform_comparison [-- WORKLOAD...]`. Runs of the contestants are
//! interleaved (or are those of one alone, with `ONLY=unified` in the environment), and medians are compared; give both threads one CPU (`taskset -c 1`) for
//! the latency rows to be repeatable.

use std::{
    cell::Cell,
    fmt::Display,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
        mpsc,
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use compio::io::{AsyncRead, AsyncReadAt, AsyncReadExt, AsyncWriteExt};
use compio_runtime::{Runtime, spawn};
use compio_sync::{Notify, Semaphore, force_generic_doorbell};

/// One flag and one waker: the least that a hand-over between two tasks can be.
#[derive(Default)]
struct Plain {
    set: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Plain {
    fn notify(&self) {
        self.set.store(true, SeqCst);
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn notified(&self) {
        poll_fn(|cx| {
            if self.set.swap(false, SeqCst) {
                return Poll::Ready(());
            }
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            if self.set.swap(false, SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

trait Signal: Default + Send + Sync + 'static {
    const GENERIC: bool = false;
    fn notify(&self);
    fn notified(&self) -> impl Future<Output = ()>;
    fn notify_all(&self);
}

impl Signal for Plain {
    fn notify(&self) {
        Plain::notify(self);
    }
    fn notified(&self) -> impl Future<Output = ()> {
        Plain::notified(self)
    }
    fn notify_all(&self) {
        // It has one waker.
        Plain::notify(self);
    }
}

impl Signal for tokio::sync::Notify {
    fn notify(&self) {
        self.notify_one();
    }
    fn notified(&self) -> impl Future<Output = ()> {
        self.notified()
    }
    fn notify_all(&self) {
        self.notify_waiters();
    }
}

#[derive(Default)]
struct Unified(Notify);

impl Signal for Unified {
    fn notify(&self) {
        self.0.notify_one();
    }
    fn notified(&self) -> impl Future<Output = ()> {
        self.0.notified()
    }
    fn notify_all(&self) {
        self.0.notify_waiters();
    }
}

#[derive(Default)]
struct Dual(Notify);

impl Signal for Dual {
    const GENERIC: bool = true;
    fn notify(&self) {
        self.0.notify_one();
    }
    fn notified(&self) -> impl Future<Output = ()> {
        self.0.notified()
    }
    fn notify_all(&self) {
        self.0.notify_waiters();
    }
}

fn runtime<S: Signal>() -> Runtime {
    force_generic_doorbell(S::GENERIC);
    Runtime::new().unwrap()
}

/// What the two runtimes of a ping-pong do besides.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    File,
    Socket,
}

impl Beside {
    /// Keeps a runtime busy until `stop`, and counts its operations.
    async fn run(self, stop: Rc<Cell<bool>>, done: Arc<AtomicUsize>) {
        match self {
            Self::Nothing => {}
            Self::File => {
                let file = compio::fs::File::open("Cargo.toml").await.unwrap();
                let mut buffer = Vec::with_capacity(4096);
                while !stop.get() {
                    let read = file.read_at(buffer, 0).await;
                    buffer = read.1;
                    buffer.clear();
                    done.fetch_add(1, Relaxed);
                }
            }
            Self::Socket => {
                let listener = compio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let echo = spawn(async move {
                    let (mut peer, _) = listener.accept().await.unwrap();
                    let mut buffer = vec![0; 64];
                    loop {
                        let (read, bytes) = peer.read(buffer).await.into_inner_pair();
                        if read == 0 {
                            return;
                        }
                        buffer = peer.write_all(bytes).await.1;
                    }
                });
                let mut stream = compio::net::TcpStream::connect(address).await.unwrap();
                let mut buffer = vec![0; 64];
                while !stop.get() {
                    buffer = stream.write_all(buffer).await.1;
                    buffer = stream.read_exact(buffer).await.1;
                    done.fetch_add(1, Relaxed);
                }
                drop(stream);
                echo.await.unwrap();
            }
        }
    }
}

trait IntoInnerPair {
    fn into_inner_pair(self) -> (usize, Vec<u8>);
}

impl IntoInnerPair for compio::BufResult<usize, Vec<u8>> {
    fn into_inner_pair(self) -> (usize, Vec<u8>) {
        (self.0.unwrap_or(0), self.1)
    }
}

/// Nanoseconds for one round trip between two runtimes, and for one operation of what they do
/// besides.
fn ping_pong<S: Signal>(rounds: usize, beside: Beside) -> (f64, f64) {
    let (ping, pong) = (Arc::new(S::default()), Arc::new(S::default()));
    let operations = Arc::new(AtomicUsize::new(0));
    let half = |first: bool, mine: Arc<S>, others: Arc<S>, operations: Arc<AtomicUsize>| {
        move || {
            runtime::<S>().block_on(async move {
                let stop = Rc::new(Cell::new(false));
                let beside = spawn(beside.run(stop.clone(), operations));
                let took = spawn(async move {
                    let start = Instant::now();
                    for _ in 0..rounds {
                        if first {
                            others.notify();
                            mine.notified().await;
                        } else {
                            mine.notified().await;
                            others.notify();
                        }
                    }
                    start.elapsed()
                })
                .await
                .unwrap();
                stop.set(true);
                beside.await.unwrap();
                took
            })
        }
    };
    let other = thread::spawn(half(false, ping.clone(), pong.clone(), operations.clone()));
    let took = thread::spawn(half(true, pong, ping, operations.clone()))
        .join()
        .unwrap();
    other.join().unwrap();
    let took = took.as_nanos() as f64;
    // Of both runtimes together.
    (took / rounds as f64, took / operations.load(Relaxed) as f64)
}

/// Nanoseconds per wake-up of a stream from a thread to the `tasks` of a busy runtime, which
/// all wait for permits that a plain thread makes.
fn stream<S: StreamSource>(wakes: usize, tasks: usize) -> f64 {
    let source = Arc::new(S::default());
    let taken = Arc::new(AtomicUsize::new(0));
    let ready = Arc::new(Barrier::new(2));
    let consumer = {
        let (source, ready, taken) = (source.clone(), ready.clone(), taken.clone());
        thread::spawn(move || {
            force_generic_doorbell(S::GENERIC);
            Runtime::new().unwrap().block_on(async move {
                let tasks: Vec<_> = (0..tasks)
                    .map(|_| {
                        let (source, taken) = (source.clone(), taken.clone());
                        spawn(async move {
                            for _ in 0..wakes / tasks {
                                source.take().await;
                                taken.fetch_add(1, SeqCst);
                            }
                        })
                    })
                    .collect();
                ready.wait();
                for task in tasks {
                    task.await.unwrap();
                }
            })
        })
    };
    ready.wait();
    let start = Instant::now();
    for n in 0..wakes / tasks * tasks {
        // Never more than the tasks can wait for.
        while n - taken.load(SeqCst) >= tasks {
            thread::yield_now();
        }
        source.give();
    }
    consumer.join().unwrap();
    start.elapsed().as_nanos() as f64 / wakes as f64
}

trait StreamSource: Default + Send + Sync + 'static {
    const GENERIC: bool = false;
    fn give(&self);
    fn take(&self) -> impl Future<Output = ()>;
}

struct TokioStream(tokio::sync::Semaphore);
impl Default for TokioStream {
    fn default() -> Self {
        Self(tokio::sync::Semaphore::new(0))
    }
}
impl StreamSource for TokioStream {
    fn give(&self) {
        self.0.add_permits(1);
    }
    async fn take(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

struct OurStream<const GENERIC: bool>(Semaphore);
impl<const GENERIC: bool> Default for OurStream<GENERIC> {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}
impl<const GENERIC: bool> StreamSource for OurStream<GENERIC> {
    const GENERIC: bool = GENERIC;
    fn give(&self) {
        self.0.add_permits(1);
    }
    async fn take(&self) {
        self.0.acquire().await.forget();
    }
}

/// Microseconds that a thread spends to notify `n` tasks of a runtime, and until all have run.
///
/// The tasks count on their own thread; the two threads share nothing that they write at the
/// same time but what is measured.
fn notify_all<S: Signal>(n: usize, rounds: usize) -> (f64, f64) {
    let signal = Arc::new(S::default());
    // How many rounds all tasks have begun to wait for, and when they have all run.
    let waiting = Arc::new(AtomicUsize::new(0));
    let (ran, all_ran) = mpsc::channel();
    let target = {
        let (signal, waiting) = (signal.clone(), waiting.clone());
        thread::Builder::new()
            .name("target".into())
            .spawn(move || {
                runtime::<S>().block_on(async move {
                    let counts = Rc::new((Cell::new(0), Cell::new(0)));
                    let tasks: Vec<_> = (0..n)
                        .map(|_| {
                            let (signal, waiting) = (signal.clone(), waiting.clone());
                            let (ran, counts) = (ran.clone(), counts.clone());
                            spawn(async move {
                                for round in 1..=rounds {
                                    let mut notified = pin!(signal.notified());
                                    let mut first = true;
                                    poll_fn(|cx| {
                                        let poll = notified.as_mut().poll(cx);
                                        if std::mem::take(&mut first) {
                                            counts.0.set(counts.0.get() + 1);
                                            if counts.0.get() == n * round {
                                                waiting.store(round, SeqCst);
                                            }
                                        }
                                        poll
                                    })
                                    .await;
                                    counts.1.set(counts.1.get() + 1);
                                    if counts.1.get() == n * round {
                                        ran.send(Instant::now()).unwrap();
                                    }
                                }
                            })
                        })
                        .collect();
                    for task in tasks {
                        task.await.unwrap();
                    }
                })
            })
            .unwrap()
    };
    let (mut notifying, mut all) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        while waiting.load(SeqCst) < round {
            thread::yield_now();
        }
        // Let the runtime go to sleep.
        thread::sleep(Duration::from_micros(300));
        let start = Instant::now();
        signal.notify_all();
        notifying.push(start.elapsed());
        all.push(all_ran.recv().unwrap() - start);
    }
    target.join().unwrap();
    (median_us(notifying), median_us(all))
}

fn median_us(mut values: Vec<Duration>) -> f64 {
    values.sort();
    values[values.len() / 2].as_nanos() as f64 / 1e3
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs the contestants in turn, and prints the medians and their ratios to the first.
fn compare(workload: impl Display, unit: &str, rounds: usize, runs: &[(&str, &dyn Fn() -> f64)]) {
    let only = std::env::var("ONLY").ok();
    let runs: Vec<_> = runs
        .iter()
        .filter(|(name, _)| only.as_ref().is_none_or(|only| only == name))
        .collect();
    let mut results = vec![Vec::new(); runs.len()];
    for _ in 0..rounds {
        for (result, (_, run)) in results.iter_mut().zip(&runs) {
            result.push(run());
        }
    }
    let first = median(&results[0]);
    print!("{workload:<44}");
    for ((name, _), result) in runs.iter().zip(&results) {
        let value = median(result);
        print!(" | {name} {value:.1} {unit} ({:.2})", value / first);
    }
    println!();
}

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| name.contains(w));
    for (beside, name) in [
        (Beside::Nothing, "ping-pong"),
        (Beside::File, "ping-pong beside file reads"),
        (Beside::Socket, "ping-pong beside a socket"),
    ] {
        if is_wanted(name) {
            let rounds = 10_000;
            let part = |pick: fn((f64, f64)) -> f64, what: &str| {
                compare(
                    format!("{name}, {what}"),
                    "ns",
                    7,
                    &[
                        ("plain waker", &|| pick(ping_pong::<Plain>(rounds, beside))),
                        ("tokio", &|| {
                            pick(ping_pong::<tokio::sync::Notify>(rounds, beside))
                        }),
                        ("unified", &|| pick(ping_pong::<Unified>(rounds, beside))),
                        ("dual", &|| pick(ping_pong::<Dual>(rounds, beside))),
                    ],
                );
            };
            part(|(trip, _)| trip, "round trip");
            if !matches!(beside, Beside::Nothing) {
                part(|(_, operation)| operation, "an operation");
            }
        }
    }
    for tasks in [1, 10, 50, 1000] {
        if is_wanted("stream") {
            compare(
                format!("stream to {tasks} tasks, per wake"),
                "ns",
                7,
                &[
                    ("tokio", &|| stream::<TokioStream>(100_000, tasks)),
                    ("unified", &|| stream::<OurStream<false>>(100_000, tasks)),
                    ("dual", &|| stream::<OurStream<true>>(100_000, tasks)),
                ],
            );
        }
    }
    for n in [1, 10, 100, 1000, 10_000] {
        if is_wanted(&format!("notify {n}.")) {
            let rounds = (20_000 / n).clamp(5, 50);
            let part = |pick: fn((f64, f64)) -> f64, name: &str| {
                compare(
                    format!("notify {n}, {name}"),
                    "us",
                    5,
                    &[
                        ("tokio", &|| {
                            pick(notify_all::<tokio::sync::Notify>(n, rounds))
                        }),
                        ("unified", &|| pick(notify_all::<Unified>(n, rounds))),
                        ("dual", &|| pick(notify_all::<Dual>(n, rounds))),
                    ],
                );
            };
            part(|(notifying, _)| notifying, "the notifier's time");
            part(|(_, all)| all, "until all have run");
        }
    }
}
