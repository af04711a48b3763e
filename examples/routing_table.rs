//! A routing table that one task reloads while tasks of several runtimes route by it.
//!
//! ```text
//! cargo run --release --example routing_table
//! ```
//!
//! Each version of the table sends key `k` to shard `(k + version) % SHARDS`, so a router that
//! saw a part of one version and a part of another would notice. Each runtime also adds a route
//! that is missing, by an upgrade: it looks first, and writes only if nobody has added it. In
//! the end all that was counted must add up.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use compio::runtime::{Runtime, spawn};
use compio_sync::{RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard};

const RUNTIMES: usize = 3;
const ROUTERS: usize = 50;
const LOOKUPS: usize = 200;
const RELOADS: usize = 100;
const KEYS: usize = 1000;
const SHARDS: usize = 16;

struct Table {
    version: usize,
    routes: Vec<usize>,
    /// Routes that were added by hand: the key, and the runtime that has added it.
    added: Vec<(usize, usize)>,
}

static TABLE: RwLock<Table> = RwLock::new(Table {
    version: 0,
    routes: Vec::new(),
    added: Vec::new(),
});
static ROUTED: AtomicUsize = AtomicUsize::new(0);
/// So that all are there at once.
static BEGIN: Barrier = Barrier::new(RUNTIMES);

/// What a whole table sends a key to.
fn shard(key: usize, version: usize) -> usize {
    (key + version) % SHARDS
}

/// Writes the next version, and checks it before anybody else can write.
async fn reload() {
    let mut table = TABLE.write().await;
    table.version += 1;
    let version = table.version;
    table.routes.clear();
    for key in 0..KEYS {
        table.routes.push(shard(key, version));
    }
    // From here on others read as well.
    let table = RwLockWriteGuard::downgrade(table);
    assert_eq!(table.version, version);
    assert_eq!(table.routes.len(), KEYS);
}

/// Routes some keys, each by the whole of one version.
async fn route(mut key: usize) {
    for _ in 0..LOOKUPS {
        key = (key * 31 + 7) % KEYS;
        let table = TABLE.read().await;
        let (first, last) = (table.routes[0], table.routes[KEYS - 1]);
        assert_eq!(table.routes[key], shard(key, table.version));
        assert_eq!(first, shard(0, table.version), "a part of another version");
        assert_eq!(last, shard(KEYS - 1, table.version));
        ROUTED.fetch_add(1, Relaxed);
    }
}

/// Adds a route unless somebody has; returns whether it did.
async fn add(key: usize, runtime: usize) -> bool {
    let table = TABLE.upgradable_read().await;
    if table.added.iter().any(|(added, _)| *added == key) {
        return false;
    }
    // Nobody adds it in between.
    let mut table = RwLockUpgradableReadGuard::upgrade(table).await;
    table.added.push((key, runtime));
    true
}

/// One runtime; returns how many routes it has added.
fn run(me: usize) -> usize {
    Runtime::new().unwrap().block_on(async {
        BEGIN.wait();
        let routers: Vec<_> = (0..ROUTERS).map(|n| spawn(route(n * 17 + me))).collect();
        let reloader = (me == 0).then(|| {
            spawn(async {
                for _ in 0..RELOADS {
                    reload().await;
                }
            })
        });
        let mut added = 0;
        for key in 0..100 {
            added += usize::from(add(key, me).await);
        }
        for router in routers {
            router.await.unwrap();
        }
        if let Some(reloader) = reloader {
            reloader.await.unwrap();
        }
        added
    })
}

fn main() {
    Runtime::new().unwrap().block_on(reload());
    let added: Vec<usize> = thread::scope(|scope| {
        let runtimes: Vec<_> = (0..RUNTIMES)
            .map(|me| scope.spawn(move || run(me)))
            .collect();
        runtimes
            .into_iter()
            .map(|runtime| runtime.join().unwrap())
            .collect()
    });

    let table = TABLE.blocking_read();
    let routed = ROUTED.load(Relaxed);
    println!("routed {routed} keys on {RUNTIMES} runtimes, each by one whole version");
    println!("version {} after {RELOADS} reloads", table.version);
    println!("routes added by each runtime: {added:?}");
    assert_eq!(routed, RUNTIMES * ROUTERS * LOOKUPS);
    assert_eq!(table.version, 1 + RELOADS);
    for (me, count) in added.iter().enumerate() {
        let by_me = table.added.iter().filter(|(_, by)| *by == me).count();
        assert_eq!(by_me, *count);
    }
    let mut keys: Vec<_> = table.added.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..100).collect::<Vec<_>>(), "each of them once");
}
