//! A task that does this and that to everything, as chance has it.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering::SeqCst},
    task::{Context, Poll, Waker},
};

use compio_sync::{RwLockUpgradableReadGuard, RwLockWriteGuard};

use super::{
    common::{Probe, Random, yield_now},
    world::{PERMITS, Tally, VALUE, World},
};

pub(crate) struct Worker {
    pub(crate) world: Arc<World>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) random: Random,
}

/// A waker that only counts, and its count.
struct Calls(Waker, Arc<Probe>);

impl Calls {
    fn new() -> Self {
        let probe = Probe::new();
        Self(probe.waker(), probe)
    }
}

impl Worker {
    /// Waits for it, or gives up after as many turns as chance has it.
    pub(crate) async fn try_wait<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let turns = self.random.below(5);
        let mut future = pin!(future);
        // Its own turns poll it, too, so whether it was woken is known of a waker of its own alone.
        let calls = self.random.one_in(2).then(Calls::new);
        for _ in 0..=turns {
            let now = poll_fn(|cx| {
                Poll::Ready(match &calls {
                    Some(calls) => future.as_mut().poll(&mut Context::from_waker(&calls.0)),
                    None => future.as_mut().poll(cx),
                })
            })
            .await;
            if let Poll::Ready(output) = now {
                if calls.is_some_and(|calls| calls.1.wakes() > 0) {
                    self.tally.woken.fetch_add(1, SeqCst);
                }
                return Some(output);
            }
            yield_now().await;
        }
        self.tally.dropped.fetch_add(1, SeqCst);
        None
    }

    /// Waits for it to the end. Only its waker polls it again.
    pub(crate) async fn wait<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut waited = false;
        let output = poll_fn(|cx| {
            let poll = future.as_mut().poll(cx);
            waited |= poll.is_pending();
            poll
        })
        .await;
        self.tally.woken.fetch_add(u64::from(waited), SeqCst);
        self.tally.ended.fetch_add(1, SeqCst);
        output
    }

    pub(crate) async fn pause(&mut self) {
        for _ in 0..self.random.below(3) {
            yield_now().await;
        }
    }

    async fn permits(&mut self, world: &World) {
        let n = 1 + self.random.below(PERMITS);
        let permit = if self.random.one_in(2) {
            self.try_wait(world.semaphore.acquire_many(n)).await
        } else {
            Some(self.wait(world.semaphore.acquire_many(n)).await)
        };
        self.pause().await;
        drop(permit);
    }

    async fn mutex(&mut self, world: &World) {
        let guard = if self.random.one_in(2) {
            self.try_wait(world.mutex.lock()).await
        } else {
            Some(self.wait(world.mutex.lock()).await)
        };
        if let Some(mut guard) = guard {
            assert_eq!(guard.0, guard.1);
            guard.0 += 1;
            if self.random.one_in(3) {
                // Whoever is dropped here has done both or neither.
                guard.1 += 1;
                self.pause().await;
                return;
            }
            guard.1 += 1;
        }
    }

    async fn condvar(&mut self, world: &World) {
        if self.random.one_in(3) {
            *self.wait(world.turns.lock()).await += 1;
            if self.random.one_in(2) {
                world.changed.notify_all();
            } else {
                world.changed.notify_one();
            }
        } else {
            let guard = self.wait(world.turns.lock()).await;
            let seen = *guard;
            let wait = world.changed.wait_while(guard, |now| *now == seen);
            let _done = self.try_wait(wait).await;
        }
    }

    async fn notify(&mut self, world: &World) {
        match self.random.below(6) {
            0 => world.notify.notify_waiters(),
            1 => world.notify.notify_one(),
            2 => world.notify.notify_last(),
            _ => {
                let _done = self.try_wait(world.notify.notified()).await;
            }
        }
    }

    async fn event(&mut self, world: &World) {
        match self.random.below(6) {
            0 => {
                world.event.set();
            }
            1 => {
                world.event.reset();
            }
            _ => {
                let _done = self.try_wait(world.event.wait()).await;
            }
        }
    }

    async fn lock(&mut self, world: &World) {
        match self.random.below(8) {
            0 | 1 => {
                let mut guard = self.wait(world.lock.write()).await;
                guard.0 += 1;
                guard.1 += 1;
                self.pause().await;
                if self.random.one_in(2) {
                    let guard = RwLockWriteGuard::downgrade(guard);
                    assert_eq!(guard.0, guard.1);
                    self.pause().await;
                }
            }
            2 => self.upgrade(world).await,
            _ => {
                let guard = if self.random.one_in(2) {
                    self.try_wait(world.lock.read()).await
                } else {
                    Some(self.wait(world.lock.read()).await)
                };
                if let Some(guard) = guard {
                    assert_eq!(guard.0, guard.1);
                    self.pause().await;
                }
            }
        }
    }

    /// Reads, and writes what it has read and one more; either wait may be given up.
    async fn upgrade(&mut self, world: &World) {
        let Some(guard) = self.try_wait(world.lock.upgradable_read()).await else {
            return;
        };
        let seen = *guard;
        assert_eq!(seen.0, seen.1);
        self.pause().await;
        let upgrade = RwLockUpgradableReadGuard::upgrade(guard);
        if let Some(mut guard) = self.try_wait(upgrade).await {
            assert_eq!(*guard, seen, "somebody has written in between");
            *guard = (seen.0 + 1, seen.1 + 1);
            self.pause().await;
            if self.random.one_in(2) {
                let _reads = RwLockWriteGuard::downgrade_to_upgradable(guard);
                self.pause().await;
            }
        }
    }

    /// Fills the cell, unless chance or giving up prevents it; or waits until somebody has.
    async fn cell(&mut self, world: &World) {
        let value = match self.random.below(4) {
            0 => self.try_wait(world.cell.wait()).await,
            1 => {
                // Refused while another fills it, or when it is full.
                let _refused = world.cell.set(VALUE);
                world.cell.get()
            }
            _ => {
                let fails = self.random.one_in(2);
                let fill = world.cell.get_or_try_init(async || {
                    yield_now().await;
                    if fails { Err(()) } else { Ok(VALUE) }
                });
                self.try_wait(fill).await.and_then(Result::ok)
            }
        };
        if let Some(value) = value {
            assert_eq!(*value, VALUE);
        }
    }

    async fn tokens(&mut self, world: &World) {
        if self.random.one_in(4) {
            let old = world.change_child();
            // Sometimes by the drop of another handle.
            if self.random.one_in(2) {
                old.cancel();
            } else {
                drop(old.drop_guard());
            }
            return;
        }
        let token = world.child().child_token();
        if self.random.one_in(2) {
            let _done = self.try_wait(token.cancelled()).await;
        } else {
            let work = token.run_until_cancelled(yield_now());
            let _done = self.try_wait(work).await;
        }
    }

    async fn gates(&mut self, world: &World) {
        match self.random.below(4) {
            0 => {
                let guard = world.group.add();
                self.pause().await;
                drop(guard);
            }
            1 => {
                world.latch.count_down();
            }
            2 => {
                let _done = self.try_wait(world.latch.wait()).await;
            }
            _ => {
                let _done = self.try_wait(world.group.wait()).await;
            }
        }
    }

    pub(crate) async fn work(mut self, steps: usize) {
        let world = Arc::clone(&self.world);
        for _ in 0..steps {
            match self.random.below(11) {
                0 | 1 => self.permits(&world).await,
                2 => self.mutex(&world).await,
                3 => self.condvar(&world).await,
                4 => self.notify(&world).await,
                5 => self.event(&world).await,
                6 => self.lock(&world).await,
                7 => self.cell(&world).await,
                8 => self.tokens(&world).await,
                9 => self.gates(&world).await,
                _ => {
                    let _done = self.try_wait(world.barrier.wait()).await;
                }
            }
        }
    }
}
