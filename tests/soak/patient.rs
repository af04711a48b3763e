//! Those who never give up, and go on only if their waker is called: each wake-up that is lost stops
//! one of them for ever. Beside them there are others who come and give up, and whom nobody waits for.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use compio_sync::{
    Barrier, CancellationToken, Event, Latch, Notify, OnceCell, WaitGroup, WaitGroupGuard,
};

use super::{
    common::{Random, orders::Orders, runtime, spawn, until, yield_now},
    worker::Worker,
    world::{Tally, VALUE, World},
};

const PARTIES: usize = 3;
/// Of each kind on each of two runtimes.
const PATIENT: usize = 2;
const IMPATIENT: usize = 2;

/// What opens once.
struct Round {
    event: Event,
    latch: Latch,
    group: Arc<WaitGroup>,
    cell: OnceCell<u64>,
    token: CancellationToken,
}

pub(crate) struct Patience {
    orders: Orders,
    notify: Notify,
    /// How many have the one notification that there is.
    inside: AtomicUsize,
    barrier: Barrier,
    rounds: Vec<Round>,
    /// The round that is to be opened next.
    round: AtomicUsize,
    /// How many of the patient ones are not done.
    left: AtomicUsize,
}

impl Patience {
    pub(crate) fn new(rounds: usize) -> Self {
        Self {
            orders: Orders::new(),
            notify: Notify::new(),
            inside: AtomicUsize::new(0),
            barrier: Barrier::new(PARTIES),
            rounds: (0..rounds)
                .map(|_| Round {
                    event: Event::new(),
                    latch: Latch::new(PARTIES),
                    group: Arc::default(),
                    cell: OnceCell::new(),
                    token: CancellationToken::new(),
                })
                .collect(),
            round: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
        }
    }

    /// The round that is being played, or the last.
    fn now(&self) -> &Round {
        &self.rounds[self.round.load(SeqCst).min(self.rounds.len() - 1)]
    }

    pub(crate) fn parts(&self) -> [&dyn Debug; 10] {
        let Round {
            event,
            latch,
            group,
            cell,
            token,
        } = self.now();
        let Self {
            orders,
            notify,
            barrier,
            round,
            left,
            ..
        } = self;
        [
            orders, notify, barrier, round, left, event, latch, group, cell, token,
        ]
    }

    pub(crate) fn check(&self) {
        self.orders.check();
        let mut waiters = self.notify.waiter_count() + self.barrier.waiter_count();
        for round in &self.rounds {
            waiters += round.event.waiter_count() + round.latch.waiter_count();
            waiters += round.group.waiter_count() + round.cell.waiter_count();
            waiters += round.token.waiter_count();
        }
        assert_eq!(waiters, 0, "somebody still waits");
    }
}

/// Who plays what, to the end.
async fn patient(mut worker: Worker, kind: usize) {
    let world = Arc::clone(&worker.world);
    let game = &world.patience;
    for round in &game.rounds {
        match kind {
            0 => {
                worker.wait(game.notify.notified()).await;
                hand_on(&mut worker, game).await;
            }
            1 => {
                let _leads = worker.wait(game.barrier.wait()).await;
            }
            2 => worker.wait(round.event.wait()).await,
            3 => worker.wait(round.latch.wait()).await,
            4 => worker.wait(round.group.wait()).await,
            5 => worker.wait(round.token.cancelled()).await,
            6 => assert_eq!(*worker.wait(round.cell.wait()).await, VALUE),
            _ => loop {
                let fails = worker.random.one_in(2);
                let fill = round.cell.get_or_try_init(async || {
                    // Those of the cell come to every round.
                    until(|| round.cell.waiter_count() > 0).await;
                    if fails { Err(()) } else { Ok(VALUE) }
                });
                if worker.wait(fill).await.is_ok() {
                    break;
                }
            },
        }
    }
    game.left.fetch_sub(1, SeqCst);
}

/// The one who was notified notifies the next.
async fn hand_on(worker: &mut Worker, game: &Patience) {
    assert_eq!(game.inside.fetch_add(1, SeqCst), 0);
    worker.pause().await;
    game.inside.fetch_sub(1, SeqCst);
    if worker.random.one_in(2) {
        game.notify.notify_one();
    } else {
        game.notify.notify_last();
    }
}

async fn impatient(mut worker: Worker) {
    let world = Arc::clone(&worker.world);
    let game = &world.patience;
    while game.left.load(SeqCst) > 0 {
        let round = game.now();
        match worker.random.below(9) {
            0 | 1 => {
                if worker.try_wait(game.notify.notified()).await.is_some() {
                    hand_on(&mut worker, game).await;
                }
            }
            2 | 3 => {
                let _done = worker.try_wait(game.barrier.wait()).await;
            }
            4 => drop(worker.try_wait(round.event.wait()).await),
            5 => drop(worker.try_wait(round.latch.wait()).await),
            6 => {
                let guard = round.group.add();
                worker.pause().await;
                drop(guard);
                let _done = worker.try_wait(round.group.wait()).await;
            }
            7 => {
                let child = round.token.child_token();
                let _done = worker.try_wait(child.cancelled()).await;
            }
            _ => {
                let fill = round.cell.get_or_try_init(async || {
                    yield_now().await;
                    Err(())
                });
                let _done = worker.try_wait(fill).await;
            }
        }
        yield_now().await;
    }
}

/// Opens all rounds, each when all wait for it who do not give up.
fn open(game: &Patience, guards: Vec<WaitGroupGuard<'_>>) {
    let wait = |count: &dyn Fn() -> usize| {
        while count() < 2 * PATIENT {
            thread::yield_now();
        }
    };
    for (round, guard) in game.rounds.iter().zip(guards) {
        wait(&|| round.event.waiter_count());
        round.event.set();
        wait(&|| round.latch.waiter_count());
        round.latch.count_down_by(PARTIES);
        wait(&|| round.group.waiter_count());
        drop(guard);
        wait(&|| round.token.waiter_count());
        round.token.cancel();
        game.round.fetch_add(1, SeqCst);
    }
}

pub(crate) fn play(world: &Arc<World>, tally: &Arc<Tally>, seed: u64) {
    let game = &world.patience;
    // Only PARTIES stay at the barrier, all of the first runtime.
    game.left.store(2 * PATIENT * 7 + PARTIES, SeqCst);
    game.notify.notify_one();
    let guards = game.rounds.iter().map(|round| round.group.add()).collect();
    thread::scope(|scope| {
        for at in 0..2 {
            scope.spawn(move || {
                tally.runtimes.fetch_add(1, SeqCst);
                runtime().block_on(async {
                    let mut seeds = seed * 1000 + at * 500;
                    let mut worker = || {
                        seeds += 1;
                        Worker {
                            world: Arc::clone(world),
                            tally: Arc::clone(tally),
                            random: Random::new(seeds),
                        }
                    };
                    let mut tasks = Vec::new();
                    for kind in 0..8 {
                        let many = match (kind, at) {
                            (1, 0) => PARTIES,
                            (1, _) => 0,
                            _ => PATIENT,
                        };
                        tasks.extend((0..many).map(|_| spawn(patient(worker(), kind))));
                    }
                    for _ in 0..IMPATIENT {
                        tasks.push(spawn(impatient(worker())));
                        let Worker { world, random, .. } = worker();
                        tasks.push(spawn(async move {
                            world.patience.orders.impatient(random).await;
                        }));
                    }
                    for _ in 0..PATIENT {
                        let Worker { world, tally, .. } = worker();
                        tasks.push(spawn(async move {
                            let tick = || {
                                tally.ended.fetch_add(1, SeqCst);
                            };
                            world.patience.orders.patient(tick).await;
                        }));
                    }
                    if at == 1 {
                        let Worker { world, random, .. } = worker();
                        tasks.push(spawn(async move {
                            let orders = &world.patience.orders;
                            orders.produce(world.patience.rounds.len(), random).await;
                        }));
                    }
                    for task in tasks {
                        task.await.unwrap();
                    }
                });
            });
        }
        scope.spawn(|| open(game, guards));
    });
}
