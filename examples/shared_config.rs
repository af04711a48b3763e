//! A file that many tasks of several runtimes need is read and parsed once, by the first that
//! asks and succeeds.
//!
//! ```text
//! cargo run --example shared_config
//! ```

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
};

use compio::runtime::{Runtime, spawn};
use compio_sync::{Lazy, OnceCell};

const RUNTIMES: usize = 3;
const TASKS: usize = 20;

type Config = BTreeMap<String, u64>;

static CONFIG: OnceCell<Config> = OnceCell::new();
static READS: AtomicUsize = AtomicUsize::new(0);

/// Where the file is: found out once, by whoever needs it first.
static PATH: Lazy<PathBuf> = Lazy::new(|| {
    Box::pin(async {
        let name = format!("compio-sync-{}.conf", std::process::id());
        std::env::temp_dir().join(name)
    })
});

fn parse(text: &str) -> io::Result<Config> {
    let wrong = |line| io::Error::new(io::ErrorKind::InvalidData, format!("not a setting: {line}"));
    text.lines()
        .map(|line| {
            let (name, value) = line.split_once('=').ok_or_else(|| wrong(line))?;
            let value = value.trim().parse().map_err(|_| wrong(line))?;
            Ok((name.trim().to_owned(), value))
        })
        .collect()
}

async fn read(path: &Path) -> io::Result<Config> {
    READS.fetch_add(1, SeqCst);
    let text = compio::fs::read(path).await?;
    parse(&String::from_utf8_lossy(&text))
}

/// The file, by whoever asks first; if it cannot be read, the next one tries.
async fn config() -> io::Result<&'static Config> {
    let path = PATH.get().await;
    CONFIG.get_or_try_init(|| read(path)).await
}

fn main() {
    // It is not there yet, and then it is not complete: two attempts fail.
    let in_runtime = |expected| {
        let error = Runtime::new()
            .expect("a runtime")
            .block_on(config())
            .expect_err("an attempt that fails");
        assert_eq!(error.kind(), expected);
        println!("an attempt failed: {error}");
    };
    in_runtime(io::ErrorKind::NotFound);
    let path = PATH.blocking_get();
    std::fs::write(path, "workers = 4\nlim").expect("a file in the temporary directory");
    in_runtime(io::ErrorKind::InvalidData);
    std::fs::write(path, "workers = 4\nlimit = 16\n").expect("the same file");

    thread::scope(|scope| {
        // A plain thread waits for it as well.
        scope.spawn(|| assert_eq!(CONFIG.blocking_wait()["limit"], 16));
        for _ in 0..RUNTIMES {
            scope.spawn(|| {
                Runtime::new().expect("a runtime").block_on(async {
                    let tasks: Vec<_> = (0..TASKS)
                        .map(|_| spawn(async { config().await.map(|config| config["workers"]) }))
                        .collect();
                    for task in tasks {
                        let workers = task.await.expect("no task panics");
                        assert_eq!(workers.expect("the file is there"), 4);
                    }
                });
            });
        }
    });
    std::fs::remove_file(path).expect("nobody else removes it");
    assert_eq!(READS.load(SeqCst), 3, "twice in vain");
    println!(
        "{} tasks of {RUNTIMES} runtimes: read once, {:?}",
        RUNTIMES * TASKS,
        CONFIG.get().expect("set")
    );
}
