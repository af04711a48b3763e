//! How a wake-up crosses from one runtime to another: per-task wakers, our queue with the
//! doorbell of the platform ("unified"), and our queue with the generic doorbell ("dual").
//!
//! `cargo bench --bench platform_comparison [-- WORKLOAD...]`. In each round every contestant runs
//! once, and each round begins with another one (or with `ONLY=unified` in the environment there is
//! one). Printed are, as rows of a table in Markdown, medians, in brackets their ratios to the
//! first, and the largest spread: the distance of the quartiles as a share of the median. Give both
//! threads one CPU (`taskset -c 1`) for the latency rows to be repeatable.

use std::{
    cell::Cell,
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

/// What a runtime does besides.
#[derive(Clone, Copy, PartialEq)]
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
                    read.0.unwrap();
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
                        let read = peer.read(buffer).await;
                        if read.0.unwrap() == 0 {
                            return;
                        }
                        let written = peer.write_all(read.1).await;
                        written.0.unwrap();
                        buffer = written.1;
                    }
                });
                let mut stream = compio::net::TcpStream::connect(address).await.unwrap();
                let mut buffer = vec![0; 64];
                while !stop.get() {
                    let written = stream.write_all(buffer).await;
                    written.0.unwrap();
                    let read = stream.read_exact(written.1).await;
                    read.0.unwrap();
                    buffer = read.1;
                    done.fetch_add(1, Relaxed);
                }
                drop(stream);
                echo.await.unwrap();
            }
        }
    }
}

/// Runs `work` in a runtime that does something besides, and counts the operations of that.
async fn while_beside<T>(
    beside: Beside,
    operations: Arc<AtomicUsize>,
    work: impl Future<Output = T>,
) -> T {
    let stop = Rc::new(Cell::new(false));
    let beside = spawn(beside.run(stop.clone(), operations));
    let done = work.await;
    stop.set(true);
    beside.await.unwrap();
    done
}

/// A task of the runtime that polls this.
async fn spawn_later<T: 'static>(work: impl Future<Output = T> + 'static) -> T {
    spawn(work).await.unwrap()
}

/// Nanoseconds for one round trip between two runtimes, and for one operation of what they do
/// besides.
fn ping_pong<S: Signal>(rounds: usize, beside: Beside) -> (f64, f64) {
    let (ping, pong) = (Arc::new(S::default()), Arc::new(S::default()));
    let operations = Arc::new(AtomicUsize::new(0));
    let half = |first: bool, mine: Arc<S>, others: Arc<S>, operations: Arc<AtomicUsize>| {
        move || {
            let rounds = spawn_later(async move {
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
            });
            runtime::<S>().block_on(while_beside(beside, operations, rounds))
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
/// all wait for permits that a plain thread makes, and for one operation of what the runtime does
/// besides.
fn stream<S: StreamSource>(wakes: usize, tasks: usize, beside: Beside) -> (f64, f64) {
    let source = Arc::new(S::default());
    let taken = Arc::new(AtomicUsize::new(0));
    let ready = Arc::new(Barrier::new(2));
    let operations = Arc::new(AtomicUsize::new(0));
    let consumer = {
        let (source, ready, taken) = (source.clone(), ready.clone(), taken.clone());
        let operations = operations.clone();
        thread::spawn(move || {
            force_generic_doorbell(S::GENERIC);
            let consume = async move {
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
            };
            Runtime::new()
                .unwrap()
                .block_on(while_beside(beside, operations, consume));
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
    let took = start.elapsed().as_nanos() as f64;
    (took / wakes as f64, took / operations.load(Relaxed) as f64)
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

/// Microseconds that a thread spends to notify `n` tasks of a runtime, and until all have run. What
/// the runtime does besides keeps it awake.
///
/// The tasks count on their own thread; the two threads share nothing that they write at the
/// same time but what is measured.
fn notify_all<S: Signal>(n: usize, rounds: usize, beside: Beside) -> (f64, f64) {
    let signal = Arc::new(S::default());
    // How many rounds all tasks have begun to wait for, and when they have all run.
    let waiting = Arc::new(AtomicUsize::new(0));
    let (ran, all_ran) = mpsc::channel();
    let target = {
        let (signal, waiting) = (signal.clone(), waiting.clone());
        thread::Builder::new()
            .name("target".into())
            .spawn(move || {
                let wait = async move {
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
                };
                runtime::<S>().block_on(while_beside(beside, Arc::default(), wait));
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

/// The quartiles.
fn spread(values: &[f64]) -> [f64; 3] {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    [0.25, 0.5, 0.75].map(|share| values[((values.len() - 1) as f64 * share).round() as usize])
}

/// Whether the arguments ask for it: a part of its name, or nothing at all.
fn is_wanted(name: &str) -> bool {
    let mut wanted = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    wanted.peek().is_none() || wanted.any(|wanted| name.contains(&wanted))
}

/// Who takes part: a name, and a run that gives the figures of all measures.
type Contestant<'a> = (&'a str, &'a dyn Fn() -> (f64, f64));

/// Runs the contestants in turn, and prints the medians of each measure and their ratios to the
/// first.
fn compare(name: &str, measures: &[&str], unit: &str, rounds: usize, runs: &[Contestant<'_>]) {
    if !is_wanted(name) {
        return;
    }
    let only = std::env::var("ONLY").ok();
    let runs: Vec<_> = runs
        .iter()
        .filter(|(name, _)| only.as_ref().is_none_or(|only| only == name))
        .collect();
    let mut results = vec![[Vec::new(), Vec::new()]; runs.len()];
    for round in 0..rounds {
        for turn in 0..runs.len() {
            let place = (round + turn) % runs.len();
            let (first, second) = runs[place].1();
            results[place][0].push(first);
            results[place][1].push(second);
        }
    }
    for (place, measure) in measures.iter().enumerate() {
        print!("| {name}: {measure}");
        let [_, first, _] = spread(&results[0][place]);
        let mut relative = Vec::new();
        for ((name, _), result) in runs.iter().zip(&results) {
            let [low, median, high] = spread(&result[place]);
            relative.push((high - low) / median * 100.0);
            print!(" | {name} {median:.1} {unit} ({:.2})", median / first);
        }
        let worst = relative.iter().copied().fold(0.0, f64::max);
        println!(" | {worst:.0} % |");
    }
}

fn main() {
    const BESIDE: [(Beside, &str); 3] = [
        (Beside::Nothing, ""),
        (Beside::File, " beside file reads"),
        (Beside::Socket, " beside a socket"),
    ];
    for (beside, how) in BESIDE {
        // Many short runs: the machine's speed changes while one is under way.
        let rounds = 2_000;
        let measures = ["round trip", "an operation beside"];
        let measures = &measures[..1 + usize::from(beside != Beside::Nothing)];
        compare(
            &format!("ping-pong{how}"),
            measures,
            "ns",
            41,
            &[
                ("plain waker", &|| ping_pong::<Plain>(rounds, beside)),
                ("tokio", &|| {
                    ping_pong::<tokio::sync::Notify>(rounds, beside)
                }),
                ("unified", &|| ping_pong::<Unified>(rounds, beside)),
                ("dual", &|| ping_pong::<Dual>(rounds, beside)),
            ],
        );
    }
    for (beside, how) in BESIDE {
        let (all, measures) = match beside {
            Beside::Nothing => (&[1, 10, 50, 1000, 10_000][..], &["a wake"][..]),
            _ => (&[10, 1000][..], &["a wake", "an operation beside"][..]),
        };
        for &tasks in all {
            let wakes = 100_000;
            compare(
                &format!("stream to {tasks} tasks{how}"),
                measures,
                "ns",
                7,
                &[
                    ("tokio", &|| stream::<TokioStream>(wakes, tasks, beside)),
                    ("unified", &|| {
                        stream::<OurStream<false>>(wakes, tasks, beside)
                    }),
                    ("dual", &|| stream::<OurStream<true>>(wakes, tasks, beside)),
                ],
            );
        }
    }
    for (beside, how) in BESIDE {
        let all = match beside {
            Beside::Nothing => &[1, 10, 100, 1000, 10_000][..],
            _ => &[1, 100, 1000][..],
        };
        for &n in all {
            let rounds = (20_000 / n).clamp(5, 50);
            compare(
                &format!("notify {n}{how}"),
                &["notifier", "until all have run"],
                "us",
                5,
                &[
                    ("tokio", &|| {
                        notify_all::<tokio::sync::Notify>(n, rounds, beside)
                    }),
                    ("unified", &|| notify_all::<Unified>(n, rounds, beside)),
                    ("dual", &|| notify_all::<Dual>(n, rounds, beside)),
                ],
            );
        }
    }
}
