//! Tasks of one runtime that go on together: at a barrier, or when a value is there.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use compio::runtime::spawn;

use super::{each, in_task, turn};

/// For one task to pass a barrier, of which each task does so many.
pub(crate) fn pass<B: 'static>(
    tasks: usize,
    n: u64,
    barrier: Rc<B>,
    wait: impl AsyncFn(&B) -> bool + Copy + 'static,
) -> Vec<f64> {
    in_task(async move {
        let generations = n.div_ceil(tasks as u64);
        let leaders = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let (barrier, leaders) = (barrier.clone(), leaders.clone());
                spawn(async move {
                    for _ in 0..generations {
                        if wait(&barrier).await {
                            leaders.set(leaders.get() + 1);
                        }
                    }
                })
            })
            .collect();
        let passes = tasks.len() as u64 * generations;
        let start = Instant::now();
        for task in tasks {
            task.await.unwrap_or_else(|_| panic!("a task"));
        }
        let took = start.elapsed();
        assert_eq!(leaders.get(), generations);
        each(took, passes)
    })
}

/// For one task to have a value that all ask for at once, and that the first of them makes.
/// That the tasks are spawned does not count.
pub(crate) fn race<C: 'static>(
    tasks: usize,
    n: u64,
    new: impl Fn() -> C + 'static,
    ask: impl AsyncFn(&C) -> u64 + Copy + 'static,
) -> Vec<f64> {
    in_task(async move {
        let rounds = n.div_ceil(tasks as u64);
        let mut took = Duration::ZERO;
        for _ in 0..rounds {
            let cell = Rc::new(new());
            let asking: Vec<_> = (0..tasks)
                .map(|_| {
                    let cell = cell.clone();
                    spawn(async move { ask(&cell).await })
                })
                .collect();
            let start = Instant::now();
            for task in asking {
                assert_eq!(task.await.unwrap_or_else(|_| panic!("a task")), 1);
            }
            took += start.elapsed();
        }
        each(took, rounds * tasks as u64)
    })
}

/// A value that takes a turn to make, so that the others wait for it.
pub(crate) async fn made() -> u64 {
    turn().await;
    1
}
