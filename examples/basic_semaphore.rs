//! Ten tasks share three slots, and one task takes all three at once.
//!
//! ```text
//! cargo run --example basic_semaphore
//! ```

use std::{cell::Cell, rc::Rc, time::Duration};

use compio_sync::Semaphore;

const SLOTS: usize = 3;
const TASKS: usize = 10;

/// How many work now, and how many did at most.
#[derive(Default)]
struct Working {
    now: Cell<usize>,
    most: Cell<usize>,
}

#[compio::main]
async fn main() {
    // The tasks of one runtime can share it by `Rc`; those of several do by `Arc`.
    let slots = Rc::new(Semaphore::new(SLOTS));
    let working = Rc::new(Working::default());

    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (slots, working) = (slots.clone(), working.clone());
            compio::runtime::spawn(async move {
                let _slot = slots.acquire().await;
                working.now.update(|now| now + 1);
                working.most.update(|most| most.max(working.now.get()));
                compio::time::sleep(Duration::from_millis(5)).await;
                working.now.update(|now| now - 1);
                // The slot is free again as soon as `_slot` is dropped.
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
    assert_eq!(working.most.get(), SLOTS);

    // Several permits are taken in one step, so two tasks that each have half of what they
    // want can't wait for each other.
    let all = slots.acquire_many(SLOTS).await;
    assert!(slots.try_acquire().is_none());

    // A wait that is given up costs nobody anything.
    let late = compio::time::timeout(Duration::from_millis(5), slots.acquire()).await;
    assert!(late.is_err());
    drop(all);
    assert_eq!(slots.available_permits(), SLOTS);

    println!(
        "{TASKS} tasks, at most {} at a time; all {SLOTS} slots are free again",
        working.most.get()
    );
}
