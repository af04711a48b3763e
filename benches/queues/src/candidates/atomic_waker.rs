//! An `AtomicWaker` for one that waits alone, and a list under `parking_lot`'s mutex for those
//! who come while it waits.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    task::Waker,
};

use atomic_waker::AtomicWaker;
use parking_lot::Mutex;

use super::{baseline::Numbered, woken_again::Wakers};

const EMPTY: usize = 0;
/// Somebody writes to the waker or takes it.
const BUSY: usize = 1;
const ALONE: usize = 2;
/// The rest of the word counts who has waited alone.
const STATES: usize = 4;

#[derive(Debug, Default)]
pub struct SingleOrMany {
    state: AtomicUsize,
    single: AtomicWaker,
    many: Mutex<Numbered>,
    /// So that nobody locks for nothing.
    length: AtomicUsize,
}

#[derive(Debug)]
pub enum Ticket {
    /// With what the state was.
    Single(usize),
    Many(u64),
}

impl SingleOrMany {
    /// Gets hold of the one that waits alone.
    fn seize(&self, known: usize) -> bool {
        let busy = known - ALONE + BUSY;
        self.state
            .compare_exchange(known, busy, SeqCst, SeqCst)
            .is_ok()
    }

    fn take(&self, known: usize) -> Option<Waker> {
        let waker = self.single.take();
        self.state
            .store((known - ALONE).wrapping_add(STATES), SeqCst);
        waker
    }
}

impl Wakers for SingleOrMany {
    type Ticket = Ticket;

    fn push(&self, waker: &Waker) -> Ticket {
        let state = self.state.load(SeqCst);
        if state % STATES == EMPTY
            && self.length.load(SeqCst) == 0
            && self
                .state
                .compare_exchange(state, state + BUSY, SeqCst, SeqCst)
                .is_ok()
        {
            self.single.register(waker);
            self.state.store(state + ALONE, SeqCst);
            return Ticket::Single(state + ALONE);
        }
        let waker = waker.clone();
        let mut many = self.many.lock();
        self.length.fetch_add(1, SeqCst);
        Ticket::Many(many.push(waker))
    }

    fn update(&self, ticket: &Ticket, waker: &Waker) -> bool {
        match ticket {
            Ticket::Single(known) => {
                let is_there = self.seize(*known);
                if is_there {
                    self.single.register(waker);
                    self.state.store(*known, SeqCst);
                }
                is_there
            }
            Ticket::Many(number) => self.many.lock().update(*number, waker),
        }
    }

    fn remove(&self, ticket: &Ticket) -> bool {
        let waker = match ticket {
            Ticket::Single(known) => {
                if !self.seize(*known) {
                    return false;
                }
                self.take(*known)
            }
            Ticket::Many(number) => {
                let mut many = self.many.lock();
                let waker = many.remove(*number);
                if waker.is_some() {
                    self.length.fetch_sub(1, SeqCst);
                }
                waker
            }
        };
        waker.is_some()
    }

    fn wake(&self, n: usize) {
        let mut left = n;
        while left > 0 {
            let state = self.state.load(SeqCst);
            let waker = if state % STATES == ALONE {
                if !self.seize(state) {
                    continue;
                }
                self.take(state)
            } else if self.length.load(SeqCst) > 0 {
                let mut many = self.many.lock();
                let waker = many.pop();
                if waker.is_some() {
                    self.length.fetch_sub(1, SeqCst);
                }
                waker
            } else if state % STATES == BUSY {
                // It comes or goes, and looks at the permits afterwards; `update` does not.
                std::thread::yield_now();
                continue;
            } else {
                return;
            };
            if let Some(waker) = waker {
                waker.wake();
                left -= 1;
            }
        }
    }
}
