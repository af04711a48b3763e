//! Consumers of a condition variable who take only what they are told of: if a notification is lost,
//! its item stays behind for ever.

use std::{future::poll_fn, pin::pin, task::Poll};

use super::{Random, yield_now};
use compio_sync::{Condvar, Mutex};

#[derive(Debug, Default)]
struct State {
    /// How many wait who do not give up, or have been told and are on their way.
    patient: usize,
    items: usize,
    /// How many of the patient ones have been told with all others and are on their way.
    due: usize,
    /// How often all were told.
    calls: usize,
    over: bool,
}

#[derive(Debug)]
pub(crate) struct Orders {
    state: Mutex<State>,
    told: Condvar,
}

impl Orders {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::default()),
            told: Condvar::new(),
        }
    }

    /// Waits until it is over, and returns how many items it took. Calls `tick` when it was told.
    pub(crate) async fn patient(&self, tick: impl Fn()) -> usize {
        let mut taken = 0;
        let mut state = self.state.lock().await;
        while !state.over {
            state.patient += 1;
            state = self.told.wait(state).await;
            tick();
            state.patient -= 1;
            if state.over {
                break;
            } else if state.items > 0 {
                state.items -= 1;
                taken += 1;
            } else {
                state.due = state.due.checked_sub(1).expect("nobody has told it");
            }
        }
        taken
    }

    /// The same, but gives up again and again. It is not waited for.
    pub(crate) async fn impatient(&self, mut random: Random) -> usize {
        let mut taken = 0;
        loop {
            let state = self.state.lock().await;
            if state.over {
                return taken;
            }
            let calls = state.calls;
            let mut wait = pin!(self.told.wait(state));
            for _ in 0..=random.below(6) {
                let now = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
                if let Poll::Ready(mut state) = now {
                    // Told with all others, it was not told of an item.
                    if state.calls == calls {
                        assert!(state.over || state.items > 0, "nobody has told it");
                        taken += usize::from(state.items > 0);
                        state.items = state.items.saturating_sub(1);
                    }
                    break;
                }
                yield_now().await;
            }
        }
    }

    /// Tells one of an item, or all, `n` times, whenever somebody is sure to wait. Each time it
    /// waits until all that follows has happened. Returns how many items there were.
    pub(crate) async fn produce(&self, n: usize, mut random: Random) -> usize {
        let mut made = 0;
        for _ in 0..n {
            let mut state = self.state.lock().await;
            while state.patient == 0 || state.items + state.due > 0 {
                drop(state);
                yield_now().await;
                state = self.state.lock().await;
            }
            let one = !random.one_in(3);
            if one {
                made += 1;
                state.items = 1;
            } else {
                state.due = state.patient;
                state.calls += 1;
            }
            let mut state = Some(state);
            // Who comes after all were counted is not to be told with them.
            if one && random.one_in(2) {
                state = None;
            }
            if one {
                self.told.notify_one();
            } else {
                self.told.notify_all();
            }
            // With the mutex locked, they wait for it now.
            for _ in 0..random.below(4) {
                yield_now().await;
            }
            drop(state);
        }
        let mut state = self.state.lock().await;
        while state.items + state.due > 0 {
            drop(state);
            yield_now().await;
            state = self.state.lock().await;
        }
        state.over = true;
        self.told.notify_all();
        made
    }

    pub(crate) fn check(&self) {
        let waiters = (self.state.waiter_count(), self.told.waiter_count());
        assert_eq!(waiters, (0, 0), "somebody still waits");
        assert!(self.state.try_lock().is_some(), "a mutex is still locked");
    }
}
