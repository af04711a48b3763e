//! Linux 6.17 and later lose private futex waits that were armed before the process started its
//! first thread. Ours are shared. The standard test harness starts threads before any test, so
//! this is a program of its own.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
#[path = "linux/expect.rs"]
mod expect;

#[cfg(target_os = "linux")]
fn main() {
    use std::{sync::Arc, thread, time::Duration};

    use compio_runtime::{Runtime, spawn};
    use compio_sync::{Event, backend};

    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            assert_eq!(expect::announced(), None, "{error}");
            println!("no runtime can be made here: {error}");
            return;
        }
    };
    let expected = expect::expected_of(&runtime);
    let event = Arc::new(Event::new());
    let doorbell = runtime.block_on(async {
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let event = event.clone();
                spawn(async move { event.wait().await })
            })
            .collect();
        let doorbell = backend();
        assert_eq!(doorbell, expected);
        // Through the driver, so that the wait is armed before there is a second thread.
        while event.waiter_count() < 100 {
            compio::runtime::time::sleep(Duration::from_millis(1)).await;
        }
        compio::runtime::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(threads(), 1, "the first thread has to come later");

        let watchdog = thread::spawn({
            let event = event.clone();
            move || {
                thread::sleep(Duration::from_millis(20));
                event.set();
                thread::sleep(Duration::from_secs(180));
                eprintln!("a wake-up was lost");
                std::process::exit(1);
            }
        });
        for task in tasks {
            task.await.unwrap();
        }
        drop(watchdog);
        assert_eq!(backend(), expected, "as it was");
        doorbell
    });
    println!("test result: ok. a wait armed before the first thread was woken ({doorbell})");
}

#[cfg(target_os = "linux")]
fn threads() -> usize {
    let Ok(all) = std::fs::read_dir("/proc/self/task") else {
        return 1;
    };
    // The kernel may have made some of its own, to work for the ring.
    let is_ours = |name: &String| !name.starts_with("iou-");
    all.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(is_ours)
        .count()
}
