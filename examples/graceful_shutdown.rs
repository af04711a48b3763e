//! A TCP echo server on several compio runtimes that serves a bounded number of
//! connections at once and, when it is told to stop, cuts none of them.
//!
//! ```text
//! cargo run --release --example graceful_shutdown -- [ADDRESS] [--bound N] [--threads T]
//! ```
//!
//! - A [`Semaphore`] bounds the connections. A permit is taken before a connection is
//!   accepted, so that who is too many waits in the system's queue and costs nothing here.
//!   All runtimes accept from the same socket: a permit that waits with one of them is as
//!   good for the next client as any other.
//! - A [`CancellationToken`] stops the accepting and tells the connections.
//! - A [`WaitGroup`] is empty when the last of all is done. The runtimes wait for that.
//!
//! # What a stop does
//!
//! An operation that is given up may have been done by then, and what it brought would be lost:
//! a connection that the kernel has accepted, or bytes that it has read. So whatever may be given
//! up is a wait until a socket is ready ([`PollFd`]), which brings nothing; the operation
//! follows, and does not wait.
//!
//! For Unix. It compiles for Windows too, but has not been seen to work there.
//!
//! A connection ends when the client closes it or, after the stop, at the first moment when
//! nothing is unanswered. Then the client sees the end of the stream after all answers.
//! Clients that nobody had accepted yet are refused by the system.

use std::{
    ffi::OsStr,
    fmt,
    future::poll_fn,
    io::{self, Read, Write},
    net::{self, SocketAddr},
    num::NonZero,
    pin::pin,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use compio::{
    runtime::{Runtime, fd::PollFd, spawn},
    signal::ctrl_c,
    time::timeout,
};
use compio_sync::{
    CancellationToken, OwnedSemaphorePermit, OwnedWaitGroupGuard, Semaphore, WaitGroup,
};
use futures_util::future::{Either, poll_immediate, select};
use socket2::Socket;

const HELP: &str = "\
Echoes what it is sent over TCP, until Ctrl-C; then finishes what it has begun.

Usage: graceful_shutdown [ADDRESS] [--bound N] [--threads T]

  ADDRESS      where to listen; port 0 is any [default: 127.0.0.1:0]
  --bound N    serve at most N connections at once [default: 64]
  --threads T  use T runtimes, each on its own thread [default: one for each processor;
               on Windows there can be only one]
  --help       print this

A second Ctrl-C ends it at once.

Exit status: 0 nothing was cut, 1 something failed or was cut, 2 bad usage or address.";

/// The most runtimes one may ask for. On Windows one event tells that a socket is ready, and so
/// one runtime.
const MAX_THREADS: usize = if cfg!(windows) { 1 } else { 1024 };
/// The largest read.
const CHUNK: usize = 16 * 1024;
/// After a failed accept, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a client may take to close its side after the stop.
const LINGER: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    match Args::parse() {
        Ok(Some(args)) => match run(&args) {
            Ok(cut) => ExitCode::from(u8::from(cut)),
            Err(fault) => {
                complain(&fault);
                ExitCode::from(if matches!(fault, Fault::Listen(..)) {
                    2
                } else {
                    1
                })
            }
        },
        Ok(None) => {
            // A reader that has gone is no reason to fail.
            let _ = writeln!(io::stdout(), "{HELP}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(format_args!("{error} (try --help)"));
            ExitCode::from(2)
        }
    }
}

/// Serves until Ctrl-C, and says whether anything was cut.
pub(crate) fn run(args: &Args) -> Result<bool, Fault> {
    let failed = |cause| Fault::Listen(args.address, cause);
    let listener = net::TcpListener::bind(args.address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let server = Server::new(args.bound);
    let served = thread::scope(|scope| {
        let serving = scope.spawn(|| server.run(listener, args.threads));
        let stopped = Runtime::new().and_then(|runtime| {
            runtime.block_on(async {
                let mut stop = pin!(ctrl_c());
                // It listens for the signal from its first poll on, and only then is one
                // invited to send it.
                if let Some(early) = poll_immediate(&mut stop).await {
                    return early;
                }
                let _ = writeln!(io::stdout(), "listening on {address}");
                // Also if the server fails by itself, which cancels the token.
                if let Some(signalled) = server.stop.run_until_cancelled(&mut stop).await {
                    signalled?;
                }
                server.stop.cancel();
                match select(pin!(server.open.wait()), pin!(ctrl_c())).await {
                    Either::Left(_) => Ok(()),
                    Either::Right(_) => {
                        complain("ended at once, connections may be cut");
                        std::process::exit(1)
                    }
                }
            })
        });
        server.stop.cancel();
        let served = serving.join();
        stopped.map_err(Fault::Signal)?;
        served
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            .map_err(Fault::Serve)
    })?;
    let _ = io::stdout().write_all(server.summary(&served).as_bytes());
    Ok(server.cut.load(Relaxed) != 0)
}

/// What one runtime did.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// Connections that got at least one answer.
    pub(crate) connections: AtomicU64,
    /// Bytes that were sent back.
    pub(crate) bytes: AtomicU64,
}

/// What all runtimes share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) stop: CancellationToken,
    /// Acceptors and connections.
    open: Arc<WaitGroup>,
    permits: Arc<Semaphore>,
    bound: usize,
    now: AtomicUsize,
    most: AtomicUsize,
    /// Connections that failed with something unanswered.
    pub(crate) cut: AtomicUsize,
}

impl Server {
    pub(crate) fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self {
            stop: CancellationToken::new(),
            open: Arc::new(WaitGroup::new()),
            permits: Arc::new(Semaphore::new(bound)),
            bound,
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            cut: AtomicUsize::new(0),
        })
    }

    /// Serves on `threads` runtimes until it is stopped and all is answered.
    pub(crate) fn run(
        self: &Arc<Self>,
        listener: net::TcpListener,
        threads: usize,
    ) -> io::Result<Vec<Arc<Served>>> {
        // Each is counted before any of them runs: none finds the group empty too early. One
        // that is not started takes its guard with it.
        let sockets: Vec<_> = (1..threads)
            .map(|_| listener.try_clone())
            .collect::<io::Result<_>>()
            .inspect_err(|_| self.stop.cancel())?;
        let acceptors: Vec<_> = sockets
            .into_iter()
            .chain([listener])
            .map(|socket| (socket, self.open.add_owned()))
            .collect();
        thread::scope(|scope| {
            let started: Vec<_> = acceptors
                .into_iter()
                .map(|(socket, guard)| {
                    thread::Builder::new().spawn_scoped(scope, move || {
                        // Without one of the runtimes, the others are not to go on.
                        self.run_one(socket, guard)
                            .inspect_err(|_| self.stop.cancel())
                    })
                })
                .inspect(|started| {
                    if started.is_err() {
                        self.stop.cancel();
                    }
                })
                .collect();
            started
                .into_iter()
                .map(|thread| match thread?.join() {
                    Ok(served) => served,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        })
    }

    fn run_one(
        self: &Arc<Self>,
        socket: net::TcpListener,
        guard: OwnedWaitGroupGuard,
    ) -> io::Result<Arc<Served>> {
        Runtime::new()?.block_on(async {
            let served = Arc::new(Served::default());
            let socket = Socket::from(socket);
            socket.set_nonblocking(true)?;
            let listener = PollFd::new(socket)?;
            self.accept(&listener, &served).await;
            // New clients are refused once the last runtime has closed it.
            drop(listener);
            drop(guard);
            // A runtime that ended would drop its connections.
            self.open.wait().await;
            Ok(served)
        })
    }

    async fn accept(self: &Arc<Self>, listener: &PollFd<Socket>, served: &Arc<Served>) {
        while let Some(permit) = self
            .stop
            .run_until_cancelled(self.permits.acquire_owned())
            .await
        {
            let next = poll_fn(|cx| listener.poll_accept_with(cx, Socket::accept));
            match self.stop.run_until_cancelled(next).await {
                Some(Ok((stream, _))) => {
                    // Counted while the acceptor still is.
                    let place = Place::new(self, permit);
                    let served = served.clone();
                    spawn(async move {
                        if let Err(cause) = place.server.serve(stream, &served).await {
                            place.server.cut.fetch_add(1, Relaxed);
                            complain(format_args!("a connection is cut: {cause}"));
                        }
                    })
                    .detach();
                }
                Some(Err(cause)) => {
                    complain(format_args!("cannot accept: {cause}"));
                    let pause = compio::time::sleep(PAUSE);
                    self.stop.run_until_cancelled(pause).await;
                }
                None => {}
            }
        }
    }

    /// Answers all that comes. An error means that something remained unanswered.
    async fn serve(&self, stream: Socket, served: &Served) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let stream = PollFd::new(stream)?;
        let mut buffer = vec![0; CHUNK];
        let mut first = true;
        // All is answered where it reads: a client that has gone, however, is not cut.
        while let Ok(Some(received)) = self.receive(&stream, &mut buffer).await {
            if received == 0 {
                return Ok(());
            }
            send(&stream, &buffer[..received]).await?;
            if std::mem::take(&mut first) {
                served.connections.fetch_add(1, Relaxed);
            }
            served.bytes.fetch_add(received as u64, Relaxed);
        }
        // To close a socket that still receives would reset the connection, and the client
        // might lose the answers that are on their way.
        let _ = stream.shutdown(net::Shutdown::Write);
        // Whether it takes too long or fails: all is answered.
        let _ = timeout(LINGER, async {
            while receive(&stream, &mut buffer)
                .await
                .is_ok_and(|read| read > 0)
            {}
        })
        .await;
        Ok(())
    }

    /// How much has come, which is nothing at the end of the stream. `None` after the stop, if
    /// nothing has come by now.
    async fn receive(
        &self,
        stream: &PollFd<Socket>,
        buffer: &mut [u8],
    ) -> io::Result<Option<usize>> {
        if let Some(read) = self.stop.run_until_cancelled(receive(stream, buffer)).await {
            return read.map(Some);
        }
        match (&**stream).read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            read => read.map(Some),
        }
    }

    fn summary(&self, runtimes: &[Arc<Served>]) -> String {
        let mut text = format!(
            "most connections at once: {} (bound {})\ncut: {}\n",
            self.most.load(Relaxed),
            self.bound,
            self.cut.load(Relaxed),
        );
        for (index, served) in runtimes.iter().enumerate() {
            text += &format!(
                "runtime {index}: {} connections, {} bytes\n",
                served.connections.load(Relaxed),
                served.bytes.load(Relaxed)
            );
        }
        text
    }
}

/// What a connection holds until it is closed.
struct Place {
    server: Arc<Server>,
    _permit: OwnedSemaphorePermit,
    _open: OwnedWaitGroupGuard,
}

impl Place {
    fn new(server: &Arc<Server>, permit: OwnedSemaphorePermit) -> Self {
        let now = server.now.fetch_add(1, Relaxed) + 1;
        server.most.fetch_max(now, Relaxed);
        Self {
            server: server.clone(),
            _permit: permit,
            _open: server.open.add_owned(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Before the permit is given back.
        self.server.now.fetch_sub(1, Relaxed);
    }
}

/// Waits until something has come, and reads it. If it is dropped, nothing was read.
async fn receive(stream: &PollFd<Socket>, buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_read_with(cx, |mut socket| socket.read(buffer))).await
}

async fn send(stream: &PollFd<Socket>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent =
            poll_fn(|cx| stream.poll_write_with(cx, |mut socket| socket.write(bytes))).await?;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[sent..];
    }
    Ok(())
}

pub(crate) struct Args {
    pub(crate) address: SocketAddr,
    pub(crate) bound: usize,
    pub(crate) threads: usize,
}

impl Args {
    /// `None` stands for `--help`.
    fn parse() -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;
        let mut address = None;
        let mut args = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            bound: 64,
            threads: thread::available_parallelism()
                .map_or(1, NonZero::get)
                .min(MAX_THREADS),
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("bound") => {
                    args.bound = number("--bound", &parser.value()?, Semaphore::MAX_PERMITS)?;
                }
                Long("threads") => {
                    args.threads = number("--threads", &parser.value()?, MAX_THREADS)?;
                }
                Long("help") | Short('h') => return Ok(None),
                Value(value) if address.is_none() => address = Some(value.parse()?),
                other => return Err(other.unexpected()),
            }
        }
        args.address = address.unwrap_or(args.address);
        Ok(Some(args))
    }
}

fn number(option: &str, value: &OsStr, max: usize) -> Result<usize, lexopt::Error> {
    value
        .to_str()
        .and_then(|value| value.parse().ok())
        .filter(|number| (1..=max).contains(number))
        .ok_or_else(|| format!("{option} takes a number from 1 to {max}, not {value:?}").into())
}

pub(crate) enum Fault {
    Listen(SocketAddr, io::Error),
    Signal(io::Error),
    Serve(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, cause) => write!(f, "cannot listen on {address}: {cause}"),
            Self::Signal(cause) => write!(f, "cannot wait for Ctrl-C: {cause}"),
            Self::Serve(cause) => write!(f, "cannot serve: {cause}"),
        }
    }
}

fn complain(message: impl fmt::Display) {
    // Unlike `eprintln!`, does not panic if nobody can read it.
    let _ = writeln!(io::stderr(), "graceful_shutdown: {message}");
}
