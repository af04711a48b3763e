//! A bounded buffer between two runtimes, each on a thread of its own.
//!
//! ```text
//! cargo run --example condvar_signaling
//! ```

use std::{collections::VecDeque, thread};

use compio::runtime::Runtime;
use compio_sync::{Condvar, Mutex};

const CAPACITY: usize = 4;
const ITEMS: u64 = 10_000;

struct Buffer<T> {
    state: Mutex<State<T>>,
    not_full: Condvar,
    not_empty: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    longest: usize,
    closed: bool,
}

impl<T> Buffer<T> {
    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                longest: 0,
                closed: false,
            }),
            not_full: Condvar::new(),
            not_empty: Condvar::new(),
        }
    }

    /// Waits for room.
    async fn push(&self, item: T) {
        let state = self.state.lock().await;
        let mut state = self
            .not_full
            .wait_while(state, |state| state.items.len() == CAPACITY)
            .await;
        state.items.push_back(item);
        state.longest = state.longest.max(state.items.len());
        self.not_empty.notify_one();
    }

    /// Waits for an item. `None` once the buffer is closed and empty.
    async fn pop(&self) -> Option<T> {
        let state = self.state.lock().await;
        let mut state = self
            .not_empty
            .wait_while(state, |state| state.items.is_empty() && !state.closed)
            .await;
        let item = state.items.pop_front();
        self.not_full.notify_one();
        item
    }

    async fn close(&self) {
        self.state.lock().await.closed = true;
        self.not_empty.notify_all();
    }
}

fn main() {
    let buffer = Buffer::new();

    thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = Runtime::new().expect("a runtime");
            runtime.block_on(async {
                for item in 0..ITEMS {
                    buffer.push(item).await;
                }
                buffer.close().await;
            });
        });

        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let mut received = 0;
            while let Some(item) = buffer.pop().await {
                assert_eq!(item, received, "items arrive in order, each once");
                received += 1;
            }
            assert_eq!(received, ITEMS);
            println!("woken through: {}", compio_sync::backend());
        });
    });

    let state = buffer.state.into_inner();
    assert!(state.items.is_empty() && state.longest <= CAPACITY);
    println!(
        "{ITEMS} items, in order; never more than {} in the buffer",
        state.longest
    );
}
