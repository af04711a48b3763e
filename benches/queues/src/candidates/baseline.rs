//! The baseline: std's mutex around a ring of wakers. Each has a number, so that one can leave.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    task::Waker,
};

use super::woken_again::Wakers;

#[derive(Debug, Default)]
pub struct Numbered {
    next: u64,
    wakers: VecDeque<(u64, Waker)>,
}

impl Numbered {
    pub(super) fn push(&mut self, waker: Waker) -> u64 {
        self.next += 1;
        self.wakers.push_back((self.next, waker));
        self.next
    }

    fn find(&self, number: u64) -> Option<usize> {
        self.wakers
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()
    }

    pub(super) fn update(&mut self, number: u64, waker: &Waker) -> bool {
        let place = self.find(number);
        if let Some(place) = place {
            self.wakers[place].1.clone_from(waker);
        }
        place.is_some()
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Waker> {
        let place = self.find(number)?;
        self.wakers.remove(place).map(|(_, waker)| waker)
    }

    pub(super) fn pop(&mut self) -> Option<Waker> {
        self.wakers.pop_front().map(|(_, waker)| waker)
    }
}

#[derive(Debug, Default)]
pub struct Baseline(Mutex<Numbered>);

impl Baseline {
    fn with<T>(&self, work: impl FnOnce(&mut Numbered) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wakers for Baseline {
    type Ticket = u64;

    fn push(&self, waker: &Waker) -> u64 {
        let waker = waker.clone();
        self.with(|queue| queue.push(waker))
    }

    fn update(&self, ticket: &u64, waker: &Waker) -> bool {
        self.with(|queue| queue.update(*ticket, waker))
    }

    fn remove(&self, ticket: &u64) -> bool {
        self.with(|queue| queue.remove(*ticket)).is_some()
    }

    fn wake(&self, n: usize) {
        for _ in 0..n {
            let Some(waker) = self.with(Numbered::pop) else {
                return;
            };
            waker.wake();
        }
    }
}
