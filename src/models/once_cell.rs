//! Models of cells that are set once.

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use loom::thread;

use super::{Bound, Cell, Hand, block_on, check, join, rows::Row};
use crate::OnceCell;

struct Shared {
    cell: OnceCell<usize>,
    /// What an attempt uses; one at a time, and all that follow see it.
    data: Cell,
    attempts: AtomicUsize,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            cell: OnceCell::new(),
            data: Cell::new(),
            attempts: AtomicUsize::new(0),
        })
    }

    /// An attempt that fails if its number is below `fail`.
    async fn attempt(&self, fail: usize) -> Result<usize, ()> {
        self.data.change();
        let n = self.attempts.fetch_add(1, SeqCst);
        if n < fail { Err(()) } else { Ok(n) }
    }

    fn init(&self) {
        let init = async || self.attempt(0).await.unwrap();
        assert_eq!(*block_on(self.cell.get_or_init(init)), 0);
        self.data.look();
    }

    /// Tries once; `fail` attempts fail, whoever makes them.
    fn try_init(&self, fail: usize) -> bool {
        let result = block_on(self.cell.get_or_try_init(|| self.attempt(fail)));
        if let Ok(n) = result {
            assert_eq!(*n, fail);
            self.data.look();
        }
        result.is_ok()
    }

    fn wait(&self) {
        block_on(self.cell.wait());
        self.data.look();
    }

    fn set(&self) -> bool {
        // The data belongs to who has the turn, which `set` does not show: it is not used.
        self.cell.set(9).is_ok()
    }
}

fn run(shared: &Arc<Shared>, f: impl FnOnce(&Shared) + 'static) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || f(&shared))
}

/// Never ready: it runs until it is dropped.
fn never() -> impl Future<Output = usize> {
    poll_fn(|_| Poll::Pending)
}

#[test]
fn two_initialize() {
    let rows = [
        Row::TurnTaken,
        Row::TurnAwaited,
        Row::CellSet,
        Row::CellSetForCandidates,
    ];
    check(Bound::All, &rows, || {
        let shared = Shared::new();
        let other = run(&shared, Shared::init);
        shared.init();
        join([other]);
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

#[test]
fn one_initializes_and_one_waits() {
    let rows = [Row::ValueAwaited, Row::CellSetForWaiters];
    check(Bound::All, &rows, || {
        let shared = Shared::new();
        let other = run(&shared, Shared::wait);
        shared.init();
        join([other]);
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

#[test]
fn who_gets_the_value_sees_what_was_done_before() {
    check(Bound::All, &[Row::CellSet], || {
        let shared = Shared::new();
        let other = run(&shared, Shared::init);
        if shared.cell.get().is_some() {
            shared.data.look();
        }
        join([other]);
    });
}

/// One fails, the next tries, and sees what the first has done.
#[test]
fn the_first_of_two_fails() {
    let rows = [Row::TurnInVain, Row::CandidatesVacate, Row::TurnAwaited];
    check(Bound::All, &rows, || {
        let shared = Shared::new();
        let other = run(&shared, |shared| {
            shared.try_init(1);
        });
        let mine = shared.try_init(1);
        join([other]);
        // The second attempt was made by whoever did not make the first.
        assert!(shared.cell.is_initialized() || mine);
        assert_eq!(shared.attempts.load(SeqCst), 2);
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

/// The same, with one that waits for the value, whom a failure is no business of.
#[test]
fn the_first_of_two_fails_and_one_waits() {
    let rows = [
        Row::CandidatesVacate,
        Row::ValueAwaited,
        Row::CellSetForWaiters,
    ];
    check(Bound::Light(2), &rows, || {
        let shared = Shared::new();
        let others = [
            run(&shared, |shared| {
                shared.try_init(1);
            }),
            run(&shared, Shared::wait),
        ];
        shared.try_init(1);
        join(others);
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

/// One fails while another, who has waited for its turn, goes, and a third comes.
#[test]
fn one_fails_when_the_next_goes() {
    let rows = [
        Row::TurnInVain,
        Row::CandidatesHaveGone,
        Row::CandidatesVacate,
        Row::Leaves,
        Row::TakesWake,
    ];
    check(Bound::Light(3), &rows, || {
        let shared = Shared::new();
        let other = run(&shared, |shared| {
            shared.try_init(1);
        });
        let mut goes = Hand::new(shared.cell.get_or_init(never));
        // It waits for its turn, or has it.
        assert!(goes.poll().is_pending());
        drop(goes);
        shared.try_init(1);
        join([other]);
        assert_eq!(shared.attempts.load(SeqCst), 2);
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

/// Who was given the turn is dropped before it was polled: the next has it.
#[test]
fn the_chosen_one_goes() {
    let rows = [Row::TurnPassedOn, Row::ChosenGoes, Row::TakesWake];
    check(Bound::Light(3), &rows, || {
        let shared = Shared::new();
        let runs = Hand::waiting(shared.cell.get_or_init(never));
        let chosen = Hand::waiting(shared.cell.get_or_init(never));
        let mut next = Hand::waiting(shared.cell.get_or_init(async || 1));
        let waits = run(&shared, |shared| {
            block_on(shared.cell.wait());
        });
        drop(runs);
        assert_eq!(chosen.alarm.calls(), 1);
        assert_eq!(next.alarm.calls(), 0);
        drop(chosen);
        assert_eq!(next.alarm.calls(), 1);
        assert!(next.poll().is_ready());
        join([waits]);
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

/// Candidates stand in their order before who came earlier for the value, while the last of them
/// goes and another comes.
#[test]
fn who_waits_for_the_value_is_passed_over() {
    let rows = [Row::TurnPassedOn, Row::ChosenGoes, Row::CellSetForWaiters];
    check(Bound::Light(3), &rows, || {
        let shared = Shared::new();
        let runs = Hand::waiting(shared.cell.get_or_init(never));
        let mut waits = Hand::waiting(shared.cell.wait());
        let chosen = Hand::waiting(shared.cell.get_or_init(never));
        let next = Hand::waiting(shared.cell.get_or_init(never));
        let goes = Hand::waiting(shared.cell.get_or_init(never));
        let comes = run(&shared, |shared| {
            block_on(shared.cell.get_or_init(async || 1));
        });
        drop(goes);
        drop(runs);
        assert_eq!((chosen.alarm.calls(), next.alarm.calls()), (1, 0));
        drop(chosen);
        assert_eq!((next.alarm.calls(), waits.alarm.calls()), (1, 0));
        drop(next);
        join([comes]);
        assert!(waits.poll().is_ready());
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

/// Candidates are woken for the value, and one of them goes.
#[test]
fn a_candidate_goes_when_the_cell_is_set() {
    let rows = [Row::CellSetForCandidates, Row::TakesWake];
    check(Bound::Light(3), &rows, || {
        let shared = Shared::new();
        let is_made = AtomicUsize::new(0);
        let mut runs = Hand::waiting(shared.cell.get_or_init(|| {
            poll_fn(|_| match is_made.load(SeqCst) {
                0 => Poll::Pending,
                made => Poll::Ready(made),
            })
        }));
        let goes = Hand::waiting(shared.cell.get_or_init(never));
        let comes = run(&shared, |shared| {
            assert_eq!(*block_on(shared.cell.get_or_init(async || 2)), 1);
        });
        is_made.store(1, SeqCst);
        assert!(runs.poll().is_ready());
        assert_eq!(goes.alarm.calls(), 1);
        drop(goes);
        join([comes]);
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

/// Of those who set, one does; who waits is let through.
#[test]
fn two_set() {
    let rows = [Row::CellSet, Row::CellSetForWaiters];
    check(Bound::Light(3), &rows, || {
        let shared = Shared::new();
        let waits = run(&shared, |shared| {
            assert_eq!(*block_on(shared.cell.wait()), 9);
        });
        let sets = run(&shared, |shared| {
            shared.set();
        });
        let mine = shared.set();
        assert!(mine || shared.cell.get().is_none_or(|value| *value == 9));
        join([waits, sets]);
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

/// A wait for the value goes while it is set.
#[test]
fn one_that_waits_goes() {
    let rows = [Row::Leaves, Row::TakesWake];
    check(Bound::All, &rows, || {
        let shared = Shared::new();
        let goes = Hand::waiting(shared.cell.wait());
        let mut stays = Hand::waiting(shared.cell.wait());
        let other = run(&shared, |shared| assert!(shared.set()));
        drop(goes);
        join([other]);
        assert!(stays.poll().is_ready());
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}

/// The last that waits goes, and its bit with it.
#[test]
fn the_last_goes() {
    let rows = [Row::CandidatesVacate, Row::WaitersVacate];
    check(Bound::LightOrAll(3), &rows, || {
        let shared = Shared::new();
        let mut runs = Hand::new(shared.cell.get_or_init(never));
        assert!(runs.poll().is_pending());
        let candidate = Hand::waiting(shared.cell.get_or_init(never));
        let waits = Hand::waiting(shared.cell.wait());
        let other = run(&shared, |shared| {
            block_on(shared.cell.wait());
        });
        drop(candidate);
        drop(waits);
        drop(runs);
        assert!(shared.set());
        join([other]);
        assert_eq!(shared.cell.waiter_count(), 0);
    });
}
