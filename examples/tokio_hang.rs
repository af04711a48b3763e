//! Two runtimes that wake a hundred tasks of each other at once: with `compio_sync::Notify` all
//! are woken; with `tokio::sync::Notify` both runtimes hang on compio 0.19.
//!
//! ```text
//! cargo run --example tokio_hang
//! ```
//!
//! compio 0.19 has places for 64 wakes that come from other threads, and whoever finds them full
//! waits for that runtime to make room. Here each waits for the other, for ever.

use std::{
    cell::Cell,
    process::ExitCode,
    rc::Rc,
    sync::{Arc, Barrier, mpsc},
    thread,
    time::Duration,
};

use compio::{runtime::Runtime, time::sleep};

const TASKS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(5);

trait Notify: Default + Send + Sync + 'static {
    async fn notified(&self);
    fn notify_waiters(&self);
}

impl Notify for compio_sync::Notify {
    async fn notified(&self) {
        self.notified().await;
    }
    fn notify_waiters(&self) {
        self.notify_waiters();
    }
}

impl Notify for tokio::sync::Notify {
    async fn notified(&self) {
        self.notified().await;
    }
    fn notify_waiters(&self) {
        self.notify_waiters();
    }
}

/// A runtime whose tasks wait for `mine`, and which notifies those that wait for `other`.
fn run<N: Notify>(mine: Arc<N>, other: &N, both_wait: &Barrier) {
    Runtime::new().unwrap().block_on(async {
        let waiting = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (mine, waiting) = (mine.clone(), waiting.clone());
                compio::runtime::spawn(async move {
                    // Nobody looks at the count before this task waits: they share a thread.
                    waiting.set(waiting.get() + 1);
                    mine.notified().await;
                })
            })
            .collect();
        while waiting.get() < TASKS {
            sleep(Duration::from_millis(1)).await;
        }
        // Blocks the thread, as any computation does: neither runtime looks for wakes.
        both_wait.wait();
        other.notify_waiters();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Whether all tasks of both runtimes were woken. If not, their two threads spin on.
fn exchange<N: Notify>() -> bool {
    let (a, b) = (Arc::new(N::default()), Arc::new(N::default()));
    let both_wait = Arc::new(Barrier::new(2));
    let (done, is_done) = mpsc::channel();
    for (mine, other) in [(a.clone(), b.clone()), (b, a)] {
        let (both_wait, done) = (both_wait.clone(), done.clone());
        thread::spawn(move || {
            run(mine, &*other, &both_wait);
            done.send(()).unwrap();
        });
    }
    (0..2).all(|_| is_done.recv_timeout(PATIENCE).is_ok())
}

fn report(name: &str, all_woken: bool) {
    let result = if all_woken {
        format!("all {} tasks were woken", 2 * TASKS)
    } else {
        format!("HANGS: nothing has happened for {PATIENCE:?}")
    };
    println!("{name}: {result}");
}

fn main() -> ExitCode {
    let ours = exchange::<compio_sync::Notify>();
    report("compio_sync::Notify", ours);
    report("tokio::sync::Notify", exchange::<tokio::sync::Notify>());
    ExitCode::from(u8::from(!ours))
}
