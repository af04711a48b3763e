//! crossbeam's queue of wakers. Nothing can be taken out of its middle, so who leaves marks its
//! entry, which stays until it is at the front.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    task::Waker,
};

use atomic_waker::AtomicWaker;
use crossbeam_queue::SegQueue;

use super::woken_again::Wakers;

const WAITING: u8 = 0;
const OVER: u8 = 1;

#[derive(Debug)]
pub struct Entry {
    state: AtomicU8,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
pub struct Entries(SegQueue<Arc<Entry>>);

impl Wakers for Entries {
    type Ticket = Arc<Entry>;

    fn push(&self, waker: &Waker) -> Arc<Entry> {
        let entry = Arc::new(Entry {
            state: AtomicU8::new(WAITING),
            waker: AtomicWaker::new(),
        });
        entry.waker.register(waker);
        self.0.push(entry.clone());
        entry
    }

    fn update(&self, ticket: &Arc<Entry>, waker: &Waker) -> bool {
        ticket.waker.register(waker);
        ticket.state.load(SeqCst) == WAITING
    }

    fn remove(&self, ticket: &Arc<Entry>) -> bool {
        let was = ticket.state.swap(OVER, SeqCst);
        ticket.waker.take();
        was == WAITING
    }

    fn wake(&self, n: usize) {
        let mut left = n;
        while left > 0 {
            let Some(entry) = self.0.pop() else {
                return;
            };
            if entry.state.swap(OVER, SeqCst) == WAITING {
                entry.waker.wake();
                left -= 1;
            }
        }
    }
}
