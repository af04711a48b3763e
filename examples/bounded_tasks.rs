//! Hashes every regular file of a tree on several compio runtimes, and never has more
//! than a given number of files open in all of them together.
//!
//! ```text
//! cargo run --release --example bounded_tasks -- [PATH] [--open N] [--threads T] [--list]
//! ```
//!
//! One [`Semaphore`] is shared by all the runtimes. A worker takes a permit before it opens
//! a file and gives it back when the file is closed, so the limit holds whichever runtime
//! the worker is on.

use std::{
    borrow::Cow,
    collections::VecDeque,
    ffi::OsStr,
    fmt, fs,
    io::{self, BufWriter, Write},
    num::NonZero,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use compio::{
    BufResult,
    fs::{File, OpenOptions},
    io::AsyncReadAt,
    runtime::{ResumeUnwind, Runtime, spawn, spawn_blocking},
};
use compio_sync::{Backend, Semaphore, backend};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

const HELP: &str = "\
Hashes (SHA-256) every regular file under PATH.

Usage: bounded_tasks [PATH] [--open N] [--threads T] [--list]

  PATH         a directory or a regular file [default: .]
  --open N     have at most N files open at once [default: 64]
  --threads T  use T runtimes, each on its own thread [default: one for each processor]
  --list       print what `sha256sum -c` reads, sorted by name; the summary goes to stderr
  --help       print this

PATH may be a symbolic link; those below it are skipped, as are devices, pipes and sockets.
Whatever cannot be read is named on stderr, and the rest is still hashed.

Exit status: 0 all was hashed, 1 something could not be read or written, 2 bad usage or PATH.";

/// The most runtimes one may ask for: each has a thread and a ring.
const MAX_THREADS: usize = 1024;
/// The most workers of one runtime: more would only wait.
const MAX_WORKERS: usize = 256;
/// How many names are listed ahead.
const BATCH: usize = 256;
/// The largest read.
const CHUNK: u64 = 128 * 1024;

type Sha256Sum = [u8; 32];

fn main() -> ExitCode {
    let started = Args::parse().and_then(|args| match args {
        Some(args) => Ok(Some((Root::new(&args.path)?, args))),
        None => Ok(None),
    });
    match started {
        Ok(Some((root, args))) => run(&args, root),
        Ok(None) => {
            // A reader that has gone is no reason to fail.
            let _ = writeln!(io::stdout(), "{HELP}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            complain(&fault);
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args, root: Root) -> ExitCode {
    let job = Arc::new(Job {
        bar: progress_bar(&root),
        walk: Mutex::new(Walk::new(root.clone())),
        // A walk finds what is in a directory; a lone file is all there is to do.
        queue: Mutex::new((!root.is_dir).then(PathBuf::new).into_iter().collect()),
        root,
        walking: Semaphore::new(1),
        permits: Semaphore::new(args.open),
        limit: args.open,
        open: AtomicUsize::new(0),
        most_open: AtomicUsize::new(0),
        bytes: AtomicU64::new(0),
        faults: AtomicUsize::new(0),
        sums: args.list.then(Mutex::default),
    });

    let start = Instant::now();
    let runtimes = run_threads(&job, args.threads, args.open.min(MAX_WORKERS));
    let elapsed = start.elapsed();
    job.bar.finish_and_clear();
    if runtimes.is_empty() {
        return ExitCode::from(2);
    }

    let summary = job.summary(&runtimes, elapsed);
    let written = match &job.sums {
        // The summary is of use even to one who does not read all of the list.
        Some(sums) => {
            print_list(&job.root, &lock(sums)).and(io::stderr().write_all(summary.as_bytes()))
        }
        None => io::stdout().write_all(summary.as_bytes()),
    };
    match written {
        // A reader that leaves has seen enough, as `head` has.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            job.report(&Fault::Output(error));
        }
        _ => {}
    }
    ExitCode::from(u8::from(job.faults.load(Relaxed) != 0))
}

/// Runs the workers to the end on `threads` runtimes. One that cannot be started is
/// reported; the others do its share.
fn run_threads(job: &Arc<Job>, threads: usize, workers: usize) -> Vec<(Backend, u64)> {
    thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|_| thread::Builder::new().spawn_scoped(scope, move || run_runtime(job, workers)))
            .collect();
        let mut runtimes = Vec::new();
        for thread in started {
            let done = thread.and_then(|thread| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            match done {
                Ok(done) => runtimes.push(done),
                Err(error) => job.report(&Fault::Runtime(error)),
            }
        }
        runtimes
    })
}

fn run_runtime(job: &Arc<Job>, workers: usize) -> io::Result<(Backend, u64)> {
    Runtime::new()?.block_on(async {
        let workers: Vec<_> = (0..workers).map(|_| spawn(work(job.clone()))).collect();
        let mut files = 0;
        for worker in workers {
            files += worker
                .await
                .resume_unwind()
                .expect("no worker is cancelled");
        }
        Ok((backend(), files))
    })
}

/// Hashes files until there are no more, and says how many it did.
async fn work(job: Arc<Job>) -> u64 {
    let mut files = 0;
    while let Some(path) = job.next_file().await {
        match job.hash(&path).await {
            Ok(sum) => {
                files += 1;
                if let Some(sums) = &job.sums {
                    lock(sums).push((path, sum));
                }
            }
            Err(fault) => job.report(&fault),
        }
        job.bar.inc(1);
    }
    files
}

/// What all the workers on all the runtimes share.
struct Job {
    root: Root,
    walk: Mutex<Walk>,
    /// Names that are listed but not taken; all names are relative to the root.
    queue: Mutex<VecDeque<PathBuf>>,
    /// Held by the worker that has the walk go on.
    walking: Semaphore,
    /// One for each file that may be open.
    permits: Semaphore,
    limit: usize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    bytes: AtomicU64,
    faults: AtomicUsize,
    sums: Option<Mutex<Vec<(PathBuf, Sha256Sum)>>>,
    bar: ProgressBar,
}

impl Job {
    async fn next_file(self: &Arc<Self>) -> Option<PathBuf> {
        loop {
            if let Some(path) = lock(&self.queue).pop_front() {
                return Some(path);
            }
            // One is enough to list more; the others wait without blocking their runtimes.
            let _walking = self.walking.acquire().await;
            if !lock(&self.queue).is_empty() {
                continue;
            }
            let job = self.clone();
            let listed = spawn_blocking(move || job.list_more()).await;
            if !listed.resume_unwind().expect("the walk is not cancelled") {
                return None;
            }
        }
    }

    fn list_more(&self) -> bool {
        let mut walk = lock(&self.walk);
        let files = walk.by_ref().filter_map(|found| match found {
            Ok(path) => Some(path),
            Err(fault) => {
                self.report(&fault);
                None
            }
        });
        let batch: VecDeque<_> = files.take(BATCH).collect();
        let more = !batch.is_empty();
        *lock(&self.queue) = batch;
        more
    }

    async fn hash(&self, name: &Path) -> Result<Sha256Sum, Fault> {
        // Held until the file is closed.
        let _permit = self.permits.acquire().await;
        let open = self.open.fetch_add(1, Relaxed) + 1;
        assert!(open <= self.limit, "{open} files are open at once");
        self.most_open.fetch_max(open, Relaxed);
        let sum = self.hash_open(name).await;
        self.open.fetch_sub(1, Relaxed);
        sum
    }

    async fn hash_open(&self, name: &Path) -> Result<Sha256Sum, Fault> {
        let file = open_options().open(self.root.real(name)).await;
        let file = file.map_err(self.root.fault("open", name))?;
        let sum = self.read(&file, name).await;
        // Merely dropped, it may be closed some time later.
        let closed = file.close().await;
        let sum = sum?;
        closed.map_err(self.root.fault("close", name))?;
        Ok(sum)
    }

    async fn read(&self, file: &File, name: &Path) -> Result<Sha256Sum, Fault> {
        let meta = file
            .metadata()
            .await
            .map_err(self.root.fault("read", name))?;
        // Something else may have taken its place since it was listed.
        if !meta.is_file() {
            return Err(Fault::NotAFile(self.root.shown(name)));
        }
        let mut hasher = Sha256::new();
        // The length is but a hint: the file may be growing.
        let mut buffer = Vec::with_capacity(meta.len().clamp(512, CHUNK) as usize);
        let mut at = 0;
        loop {
            buffer.clear();
            let BufResult(read, filled) = file.read_at(buffer, at).await;
            buffer = filled;
            match read {
                Ok(0) => return Ok(hasher.finalize().into()),
                Ok(len) => {
                    hasher.update(&buffer);
                    at += len as u64;
                    self.bytes.fetch_add(len as u64, Relaxed);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.root.fault("read", name)(error)),
            }
        }
    }

    fn report(&self, fault: &Fault) {
        self.faults.fetch_add(1, Relaxed);
        self.bar.suspend(|| complain(fault));
    }

    fn summary(&self, runtimes: &[(Backend, u64)], elapsed: Duration) -> String {
        let files: u64 = runtimes.iter().map(|(_, files)| files).sum();
        let bytes = self.bytes.load(Relaxed);
        let seconds = elapsed.as_secs_f64().max(1e-9);
        let mut text = format!(
            "{files} files, {bytes} bytes in {seconds:.3} s: {:.0} files/s, {}/s\n\
             most files open at once: {} (limit {})\nfailed: {}\n",
            files as f64 / seconds,
            HumanBytes((bytes as f64 / seconds) as u64),
            self.most_open.load(Relaxed),
            self.limit,
            self.faults.load(Relaxed),
        );
        for (index, (backend, files)) in runtimes.iter().enumerate() {
            text += &format!("runtime {index}: {backend}, {files} files\n");
        }
        text
    }
}

fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use compio::driver::op::OFlags;
        // A link that took the place of the file is not followed, and a pipe does not
        // block.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits() as i32);
    }
    options
}

/// Where the tree is, and how its names are shown.
#[derive(Clone)]
struct Root {
    shown: PathBuf,
    real: PathBuf,
    is_dir: bool,
}

impl Root {
    fn new(path: &Path) -> Result<Self, Fault> {
        let failed = |cause| Fault::Path("start at", path.to_owned(), cause);
        let meta = fs::metadata(path).map_err(failed)?;
        if !meta.is_dir() && !meta.is_file() {
            return Err(Fault::NotAFile(path.to_owned()));
        }
        // On Windows a canonical path may be long and hold reserved names. Elsewhere only a
        // link needs one, as no link is followed later.
        let real = if cfg!(windows) || path.is_symlink() {
            fs::canonicalize(path).map_err(failed)?
        } else {
            path.to_owned()
        };
        // `sha256sum -c` takes a bare dash for its input.
        let shown = Path::new(if path == "-" {
            "./-".as_ref()
        } else {
            path.as_os_str()
        });
        Ok(Self {
            shown: shown.to_owned(),
            real,
            is_dir: meta.is_dir(),
        })
    }

    fn shown(&self, name: &Path) -> PathBuf {
        join(&self.shown, name)
    }

    fn real(&self, name: &Path) -> PathBuf {
        join(&self.real, name)
    }

    fn fault(&self, doing: &'static str, name: &Path) -> impl FnOnce(io::Error) -> Fault {
        move |cause| Fault::Path(doing, self.shown(name), cause)
    }
}

fn join(root: &Path, name: &Path) -> PathBuf {
    // Joining nothing would add a slash.
    if name.as_os_str().is_empty() {
        root.to_owned()
    } else {
        root.join(name)
    }
}

/// The regular files of a tree. It keeps one directory open, and the names of those to come.
struct Walk {
    root: Root,
    dirs: Vec<PathBuf>,
    listing: Option<(PathBuf, fs::ReadDir)>,
}

impl Walk {
    fn new(root: Root) -> Self {
        let dirs = root.is_dir.then(PathBuf::new).into_iter().collect();
        Self {
            root,
            dirs,
            listing: None,
        }
    }
}

impl Iterator for Walk {
    type Item = Result<PathBuf, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((dir, entries)) = &mut self.listing else {
                let dir = self.dirs.pop()?;
                match fs::read_dir(self.root.real(&dir)) {
                    Ok(entries) => self.listing = Some((dir, entries)),
                    Err(cause) => return Some(Err(self.root.fault("list", &dir)(cause))),
                }
                continue;
            };
            match entries.next() {
                None => self.listing = None,
                Some(Ok(entry)) => {
                    let name = dir.join(entry.file_name());
                    match entry.file_type() {
                        Ok(kind) if kind.is_dir() => self.dirs.push(name),
                        Ok(kind) if kind.is_file() => return Some(Ok(name)),
                        Ok(_) => {}
                        Err(cause) => return Some(Err(self.root.fault("examine", &name)(cause))),
                    }
                }
                Some(Err(cause)) => {
                    let fault = self.root.fault("list", dir)(cause);
                    // Asked again, some systems would say the same for ever.
                    self.listing = None;
                    return Some(Err(fault));
                }
            }
        }
    }
}

/// A bar on stderr if that is a terminal, else one that draws nothing.
fn progress_bar(root: &Root) -> ProgressBar {
    let bar = ProgressBar::no_length();
    if !bar.is_hidden() {
        let style =
            ProgressStyle::with_template("{bar:40} {pos} of {len} files, {elapsed}, {eta} left")
                .expect("the template is valid");
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(100));
        // Counted in passing, as the walk that feeds the workers is hardly ahead of them.
        let (bar, walk) = (bar.clone(), Walk::new(root.clone()));
        thread::spawn(move || bar.set_length(walk.filter(Result::is_ok).count().max(1) as u64));
    }
    bar
}

fn print_list(root: &Root, sums: &[(PathBuf, Sha256Sum)]) -> io::Result<()> {
    let mut lines: Vec<_> = sums
        .iter()
        .map(|(name, sum)| (root.shown(name), sum))
        .collect();
    lines.sort_by(|(a, _), (b, _)| shown_bytes(a).cmp(&shown_bytes(b)));
    let mut out = BufWriter::new(io::stdout().lock());
    for (name, sum) in lines {
        print_line(&mut out, &shown_bytes(&name), sum)?;
    }
    out.flush()
}

/// Prints what GNU's `sha256sum` would: a line whose name is escaped starts with a backslash.
fn print_line(out: &mut impl Write, name: &[u8], sum: &Sha256Sum) -> io::Result<()> {
    if name.iter().any(|byte| b"\\\n\r".contains(byte)) {
        out.write_all(b"\\")?;
    }
    for byte in sum {
        write!(out, "{byte:02x}")?;
    }
    out.write_all(b"  ")?;
    for byte in name {
        match byte {
            b'\\' => out.write_all(b"\\\\")?,
            b'\n' => out.write_all(b"\\n")?,
            b'\r' => out.write_all(b"\\r")?,
            byte => out.write_all(&[*byte])?,
        }
    }
    out.write_all(b"\n")
}

/// The very bytes of the name.
#[cfg(unix)]
fn shown_bytes(path: &Path) -> Cow<'_, [u8]> {
    use std::os::unix::ffi::OsStrExt;
    Cow::Borrowed(path.as_os_str().as_bytes())
}

/// UTF-8 with U+FFFD for unpaired surrogates, and slashes, which need no escaping.
#[cfg(not(unix))]
fn shown_bytes(path: &Path) -> Cow<'_, [u8]> {
    Cow::Owned(path.to_string_lossy().replace('\\', "/").into_bytes())
}

struct Args {
    path: PathBuf,
    open: usize,
    threads: usize,
    list: bool,
}

impl Args {
    /// `None` stands for `--help`.
    fn parse() -> Result<Option<Self>, Fault> {
        use lexopt::prelude::*;
        let mut path = None;
        let mut args = Self {
            path: PathBuf::from("."),
            open: 64,
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            list: false,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("open") => {
                    args.open = number("--open", &parser.value()?, Semaphore::MAX_PERMITS)?;
                }
                Long("threads") => {
                    args.threads = number("--threads", &parser.value()?, MAX_THREADS)?;
                }
                Long("list") => args.list = true,
                Long("help") | Short('h') => return Ok(None),
                Value(value) if path.is_none() => path = Some(PathBuf::from(value)),
                other => return Err(other.unexpected().into()),
            }
        }
        args.path = path.unwrap_or(args.path);
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

/// A fault is one line whatever is in the name, which is quoted.
enum Fault {
    /// What could not be done to what, and why.
    Path(&'static str, PathBuf, io::Error),
    NotAFile(PathBuf),
    Runtime(io::Error),
    Output(io::Error),
    Usage(lexopt::Error),
}

impl From<lexopt::Error> for Fault {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(doing, path, cause) => write!(f, "cannot {doing} {path:?}: {cause}"),
            Self::NotAFile(path) => write!(f, "{path:?} is not a regular file"),
            Self::Runtime(cause) => write!(f, "cannot start a runtime: {cause}"),
            Self::Output(cause) => write!(f, "cannot write the result: {cause}"),
            Self::Usage(error) => write!(f, "{error} (try --help)"),
        }
    }
}

fn complain(message: impl fmt::Display) {
    // Unlike `eprintln!`, does not panic if nobody can read it.
    let _ = writeln!(io::stderr(), "bounded_tasks: {message}");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
