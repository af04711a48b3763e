//! Linux 6.17 and later lose private futex waits that were armed before the process started its
//! first thread, and some do if it was before its first child process. Ours are shared. The
//! standard test harness starts threads before any test, so this is a program of its own, which
//! runs itself once for each of the two.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
#[path = "linux/asleep.rs"]
mod asleep;
#[cfg(target_os = "linux")]
#[path = "linux/expect.rs"]
mod expect;
#[cfg(target_os = "linux")]
#[path = "linux/fork.rs"]
mod fork;

#[cfg(target_os = "linux")]
fn main() {
    if let Ok(first) = std::env::var("FIRST") {
        return armed_before(&first);
    }
    if let Err(error) = compio_runtime::Runtime::new() {
        assert_eq!(expect::announced(), None, "{error}");
        println!("no runtime can be made here: {error}");
        return;
    }
    for first in ["thread", "child process"] {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .env("FIRST", first)
            .status()
            .unwrap();
        assert!(status.success(), "{first}: {status}");
    }
}

#[cfg(target_os = "linux")]
fn armed_before(first: &str) {
    use std::{sync::Arc, thread, time::Duration};

    let event = Arc::new(compio_sync::Event::new());
    let (runtime, tasks) = fork::armed(&event);
    assert_eq!(threads(), 1, "the first thread has to come later");
    let child = match first {
        "thread" => None,
        _ => Some(fork::child()),
    };
    // SAFETY: only asks for a number.
    let me = unsafe { libc::gettid() };
    let watchdog = thread::spawn(move || {
        asleep::wait_until_asleep(me);
        event.set();
        thread::sleep(Duration::from_secs(180));
        eprintln!("a wake-up was lost");
        std::process::exit(1);
    });
    fork::is_woken(&runtime, tasks);
    child.into_iter().for_each(fork::has_ended_well);
    drop(watchdog);
    let doorbell = expect::expected_of(&runtime);
    println!("test result: ok. a wait armed before the first {first} was woken ({doorbell})");
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
