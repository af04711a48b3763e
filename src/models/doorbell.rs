//! Models of the doorbells of the kernels: how they are armed again.

use std::{collections::VecDeque, sync::Arc};

use loom::{
    sync::{Condvar, Mutex},
    thread,
};

use super::{Bound, Cell, both, check, join, rows::Row};
use crate::{Event, sys::slot::Slot, waiter_queue::Futex};

/// Each event is set by a thread of its own, and awaited after the one before.
fn rung<const EVENTS: usize>(refuses: bool) {
    let events = Arc::new([(); EVENTS].map(|()| Event::new()));
    let setters = std::array::from_fn::<_, EVENTS, _>(|at| {
        let events = Arc::clone(&events);
        thread::spawn(move || assert!(!events[at].set()))
    });
    let futex = Futex::new(refuses);
    let runtime = futex.hang();
    futex.block_on(&runtime, async {
        for event in &*events {
            // Two waiters: who sets it sends them.
            both(event.wait(), event.wait()).await;
        }
    });
    drop(runtime);
    join(setters);
}

#[test]
fn futex_is_rung() {
    let rows = [Row::IsSent, Row::WordHasChanged, Row::WaitIsEnded];
    check(Bound::LightOrAll(3), &rows, || rung::<1>(false));
}

#[test]
fn futex_is_rung_by_two() {
    let rows = [Row::IsSent, Row::WordHasChanged, Row::WaitIsEnded];
    check(Bound::Light(2), &rows, || rung::<2>(false));
}

/// The kernel refuses the wait, and the waker of the drain task takes over.
#[test]
fn futex_is_refused() {
    check(Bound::LightOrAll(3), &[Row::IsSent], || rung::<1>(true));
}

/// A slot whose packets come through a queue, which stands for the port.
struct Port {
    slot: Slot,
    queue: Mutex<VecDeque<usize>>,
    came: Condvar,
    /// What the operations are made of, by their addresses.
    operations: [Cell; 5],
    mail: Mutex<usize>,
}

const FIRST: usize = 2;

impl Port {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            slot: Slot::new(),
            queue: Mutex::default(),
            came: Condvar::new(),
            operations: [(); 5].map(|()| Cell::new()),
            mail: Mutex::new(0),
        })
    }

    fn post(&self, operation: usize) -> Result<(), ()> {
        self.operations[operation].look();
        self.queue.lock().unwrap().push_back(operation);
        self.came.notify_one();
        Ok(())
    }

    fn refuse(&self, operation: usize) -> Result<(), ()> {
        self.operations[operation].look();
        Err(())
    }

    fn ring(&self) {
        self.slot.ring(|operation| self.post(operation)).unwrap();
    }

    fn posted(&self) -> usize {
        self.queue.lock().unwrap().len()
    }

    /// By the runtime: makes an operation and enters it.
    fn enter(&self, operation: usize) -> bool {
        self.operations[operation].change();
        self.slot.wait(operation)
    }

    /// By the runtime: takes a packet in, after which the operation's memory is free.
    fn take_in(&self, operation: usize) {
        let mut queue = self.queue.lock().unwrap();
        while queue.is_empty() {
            queue = self.came.wait(queue).unwrap();
        }
        assert_eq!(queue.pop_front(), Some(operation));
        self.operations[operation].change();
    }
}

fn with(port: &Arc<Port>, f: impl FnOnce(&Port) + 'static) -> thread::JoinHandle<()> {
    let port = Arc::clone(port);
    thread::spawn(move || f(&port))
}

/// Two post and ring; the runtime looks for mail, and enters an operation until it has all.
#[test]
fn slot_is_rung_by_two() {
    let rows = [
        Row::SlotWaits,
        Row::SlotIsRung,
        Row::SlotStaysRung,
        Row::SlotIsAnswered,
        Row::SlotPosts,
    ];
    check(Bound::Light(3), &rows, || {
        let port = Port::new();
        let others = [(), ()].map(|()| {
            with(&port, |port| {
                *port.mail.lock().unwrap() += 1;
                port.ring();
            })
        });
        let mut operation = FIRST;
        while *port.mail.lock().unwrap() < 2 {
            if port.enter(operation) {
                port.take_in(operation);
            }
            operation += 1;
        }
        join(others);
        assert_eq!(port.posted(), 0, "posted to nobody");
    });
}

/// The operation is cancelled while two ring: it ends once, by whomever.
#[test]
fn slot_is_ended() {
    let rows = [
        Row::SlotWaits,
        Row::SlotIsRung,
        Row::SlotPosts,
        Row::SlotEndsNothing,
    ];
    check(Bound::Light(3), &rows, || {
        let port = Port::new();
        let others = [(), ()].map(|()| with(&port, Port::ring));
        let waits = port.enter(FIRST);
        port.slot.end(|operation| port.post(operation)).unwrap();
        if waits {
            port.take_in(FIRST);
        }
        join(others);
        assert_eq!(port.posted(), 0, "posted after it had ended");
    });
}

/// A packet is refused while another rings: the operation waits on, or the other has ended it.
#[test]
fn slot_is_refused() {
    let rows = [
        Row::SlotIsRefused,
        Row::SlotIsRefusedAndRung,
        Row::SlotPosts,
        Row::SlotIsRung,
    ];
    check(Bound::All, &rows, || {
        let port = Port::new();
        assert!(port.enter(FIRST));
        let others = [
            with(&port, Port::ring),
            with(&port, |port| {
                let _ = port.slot.ring(|operation| port.refuse(operation));
            }),
        ];
        join(others);
        if port.posted() == 0 {
            port.ring();
        }
        port.take_in(FIRST);
        assert_eq!(port.posted(), 0, "posted twice");
    });
}
