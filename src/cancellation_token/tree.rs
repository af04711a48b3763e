//! Which token is whose child, and how a cancellation finds them all.
//!
//! All tokens of a tree share one [`Tree`], and all links are indices into one table behind one
//! lock, so no step takes two tokens' locks and nothing is followed that may be gone. The lock is
//! held for a bounded number of steps, with no waker and no user's value touched; only a table
//! that is full is copied under it, to twice the size.
//!
//! # States of an entry
//!
//! | state | its token | children | goes to |
//! | --- | --- | --- | --- |
//! | `Held` | has handles | any | free, or `Inner`, by the drop of the last; `Doomed` |
//! | `Inner` | has none any more | two or more | free, when one is left, which takes its place; `Doomed` |
//! | `Doomed` | is cancelled | are being taken out by the canceller | free, or `Awaited`, by the canceller |
//! | `Awaited` | is cancelled and being dropped | none | free, by that drop |
//!
//! `Inner` keeps a line of tokens whose elders are gone short: there are fewer `Inner` entries
//! than `Held` ones, each change touches a few entries, and no drop leads to another.
//!
//! Invariant `ONE CANCELLER`: a cancelled entry is taken out of its parent at once and becomes a
//! root. So the doomed entries are disjoint paths, each from the root that a canceller began with
//! to where it is, and nobody else ends them.

use super::node::{GONE, Node};
use crate::{
    sys::sync::{Arc, Lock, Ordering, note},
    waiter_queue::WaiterQueue,
};

pub(super) const NONE: usize = usize::MAX;

/// How many steps are made under the lock in one go.
const STEPS: usize = if cfg!(loom) { 2 } else { 32 };

pub(super) struct Tree {
    entries: Lock<Entries>,
    /// Those that waited for tokens which are cancelled, on their way to be woken as one batch.
    /// Locked after the queue that they come from.
    pub(super) gone: WaiterQueue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Held,
    Inner,
    /// And whether its node, which could not be told any more, is going to come.
    Doomed {
        awaited: bool,
    },
    Awaited,
    Free,
}

/// The states as the models see them.
pub(crate) mod state {
    pub(crate) const HELD: usize = 0;
    pub(crate) const INNER: usize = 1;
    pub(crate) const DOOMED: usize = 2;
    pub(crate) const DOOMED_AND_AWAITED: usize = 3;
    pub(crate) const AWAITED: usize = 4;
    pub(crate) const FREE: usize = 5;
}

impl State {
    fn number(self) -> usize {
        match self {
            Self::Held => state::HELD,
            Self::Inner => state::INNER,
            Self::Doomed { awaited: false } => state::DOOMED,
            Self::Doomed { awaited: true } => state::DOOMED_AND_AWAITED,
            Self::Awaited => state::AWAITED,
            Self::Free => state::FREE,
        }
    }
}

struct Entry {
    state: State,
    parent: usize,
    /// Of its children, which are linked in a circle.
    first: usize,
    /// Of those that are free, too.
    next: usize,
    prev: usize,
    /// As long as it is `Held`. Never the last reference to the memory when it is dropped: whoever
    /// drops it under the lock has the node, or the node's drop waits for the lock.
    node: std::sync::Weak<Node>,
}

struct Entries {
    table: Vec<Entry>,
    free: usize,
}

/// The tokens that a few steps have found.
pub(super) type Found = [Option<Arc<Node>>; STEPS];

impl Tree {
    /// With a root at 0, whose node is to be made and told next.
    pub(super) fn new() -> Self {
        Self {
            entries: Lock::new(Entries {
                table: Vec::new(),
                free: NONE,
            }),
            gone: WaiterQueue::at(GONE),
        }
    }

    /// Makes `node`, which nobody else knows yet, a child of `parent`, or a root. Returns false if
    /// the parent is cancelled.
    pub(super) fn enter(&self, node: &Arc<Node>, parent: Option<&Node>) -> bool {
        let mut entries = self.entries.lock();
        // Relaxed: `place` is only written under the lock, as below.
        let parent = parent.map(|parent| parent.place.load(Ordering::Relaxed));
        if parent == Some(NONE) {
            return false;
        }
        let at = entries.take(Entry {
            state: State::Held,
            parent: NONE,
            first: NONE,
            next: NONE,
            prev: NONE,
            node: Arc::downgrade(node),
        });
        if let Some(parent) = parent {
            entries.link(at, parent);
        }
        node.place.store(at, Ordering::Relaxed);
        true
    }

    /// By the drop of `node`: its last handle is gone.
    pub(super) fn leave(&self, node: &Node) {
        let mut entries = self.entries.lock();
        // Relaxed: under the lock.
        let at = node.place.load(Ordering::Relaxed);
        if at == NONE {
            return;
        }
        match entries.table[at].state {
            State::Held => entries.leave(at),
            State::Doomed { .. } => entries.pass(at, State::Doomed { awaited: false }),
            State::Awaited => entries.give_back(at),
            State::Inner | State::Free => unreachable!("its node is dropped once"),
        }
    }

    /// Cancels `node` alone. Returns where the walk over its descendants begins, or `NONE` if
    /// there are none; nothing at all if it has been cancelled before.
    pub(super) fn begin(&self, node: &Node) -> Option<usize> {
        let mut entries = self.entries.lock();
        // Relaxed: under the lock.
        let at = node.place.load(Ordering::Relaxed);
        if at == NONE {
            return None;
        }
        let parent = entries.table[at].parent;
        entries.unlink(at);
        entries.tidy(parent);
        entries.doom(at, Some(node));
        if entries.table[at].first == NONE {
            entries.end(at);
            return Some(NONE);
        }
        Some(at)
    }

    /// Goes on with the walk from `at`. Returns where it is then; at the end, `NONE`.
    pub(super) fn walk(&self, mut at: usize, found: &mut Found) -> usize {
        let mut entries = self.entries.lock();
        for found in found {
            let child = entries.table[at].first;
            if child == NONE {
                let parent = entries.table[at].parent;
                entries.unlink(at);
                entries.end(at);
                at = parent;
                if at == NONE {
                    break;
                }
            } else {
                let node = entries.table[child].node.upgrade();
                entries.doom(child, node.as_deref());
                *found = node;
                at = child;
            }
        }
        at
    }

    #[cfg(test)]
    fn used(&self) -> usize {
        let entries = self.entries.lock();
        let is_used = |entry: &&Entry| entry.state != State::Free;
        entries.table.iter().filter(is_used).count()
    }
}

impl Entries {
    fn take(&mut self, entry: Entry) -> usize {
        let at = self.free;
        if at == NONE {
            self.table.push(entry);
            return self.table.len() - 1;
        }
        self.free = self.table[at].next;
        self.table[at] = entry;
        at
    }

    fn pass(&mut self, at: usize, to: State) {
        let state = &mut self.table[at].state;
        note("Entry", state.number(), to.number());
        *state = to;
    }

    fn give_back(&mut self, at: usize) {
        self.pass(at, State::Free);
        self.table[at].next = self.free;
        self.free = at;
    }

    /// Makes `at` the last child of `parent`.
    fn link(&mut self, at: usize, parent: usize) {
        let first = self.table[parent].first;
        if first == NONE {
            self.table[parent].first = at;
            (self.table[at].prev, self.table[at].next) = (at, at);
        } else {
            let last = self.table[first].prev;
            (self.table[at].prev, self.table[at].next) = (last, first);
            self.table[last].next = at;
            self.table[first].prev = at;
        }
        self.table[at].parent = parent;
    }

    /// Makes `at` a root.
    fn unlink(&mut self, at: usize) {
        let Entry {
            parent, next, prev, ..
        } = self.table[at];
        if parent == NONE {
            return;
        }
        if next == at {
            self.table[parent].first = NONE;
        } else {
            self.table[prev].next = next;
            self.table[next].prev = prev;
            if self.table[parent].first == at {
                self.table[parent].first = next;
            }
        }
        self.table[at].parent = NONE;
    }

    /// The only child.
    fn only_child(&self, at: usize) -> Option<usize> {
        let first = self.table[at].first;
        (first != NONE && self.table[first].next == first).then_some(first)
    }

    /// Puts the only child of `at` in its place.
    fn pull_up(&mut self, at: usize, child: usize) {
        let Entry {
            parent, next, prev, ..
        } = self.table[at];
        self.table[child].parent = parent;
        if parent != NONE && next != at {
            (self.table[child].prev, self.table[child].next) = (prev, next);
            self.table[prev].next = child;
            self.table[next].prev = child;
        }
        if parent != NONE && self.table[parent].first == at {
            self.table[parent].first = child;
        }
        self.give_back(at);
    }

    /// After `at` may have lost a child.
    fn tidy(&mut self, at: usize) {
        if at != NONE
            && self.table[at].state == State::Inner
            && let Some(child) = self.only_child(at)
        {
            self.pull_up(at, child);
        }
    }

    fn leave(&mut self, at: usize) {
        self.table[at].node = std::sync::Weak::new();
        if self.table[at].first == NONE {
            let parent = self.table[at].parent;
            self.unlink(at);
            self.give_back(at);
            self.tidy(parent);
        } else if let Some(child) = self.only_child(at) {
            self.pull_up(at, child);
        } else {
            self.pass(at, State::Inner);
        }
    }

    /// Cancels what is at `at`; its `node`, if that is still there to be told.
    fn doom(&mut self, at: usize, node: Option<&Node>) {
        let awaited = self.table[at].state == State::Held && node.is_none();
        self.pass(at, State::Doomed { awaited });
        self.table[at].node = std::sync::Weak::new();
        if let Some(node) = node {
            // Relaxed: under the lock.
            node.place.store(NONE, Ordering::Relaxed);
            // Release: pairs with the acquire of whoever sees it cancelled.
            node.cancelled.store(true, Ordering::Release);
        }
    }

    /// The canceller is done with what is at `at`, which has no children.
    fn end(&mut self, at: usize) {
        if self.table[at].state == (State::Doomed { awaited: true }) {
            self.pass(at, State::Awaited);
        } else {
            self.give_back(at);
        }
    }
}

/// How many entries a token's tree has in use.
#[cfg(test)]
pub(super) fn used(node: &Node) -> usize {
    node.tree.used()
}
