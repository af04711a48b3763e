//! Cancellation tokens: ours, and that of tokio-util in tokio's column.

use std::future::ready;

use compio_sync::CancellationToken as Ours;
use tokio_util::sync::CancellationToken as TokioUtils;

use super::{Cells, Notifier, NotifierWork, cell, of};
use crate::workloads::{herd::Herd, repeat, repeat_in_task};

/// Nobody has cancelled it.
pub(crate) fn looks() -> Cells {
    of([
        (
            "compio-sync",
            cell(|n| repeat(n, &Ours::new(), |token| token.is_cancelled())),
        ),
        (
            "tokio",
            cell(|n| repeat(n, &TokioUtils::new(), |token| token.is_cancelled())),
        ),
    ])
}

/// Of a future that is ready, so nobody waits.
pub(crate) fn runs() -> Cells {
    of([
        (
            "compio-sync",
            cell(|n| {
                repeat_in_task(n, Ours::new(), async |token| {
                    token.run_until_cancelled(ready(1_u64)).await
                })
            }),
        ),
        (
            "tokio",
            cell(|n| {
                repeat_in_task(n, TokioUtils::new(), async |token| {
                    token.run_until_cancelled(ready(1_u64)).await
                })
            }),
        ),
    ])
}

/// A child is made, and dropped.
pub(crate) fn children() -> Cells {
    of([
        (
            "compio-sync",
            cell(|n| repeat(n, &Ours::new(), |token| token.child_token())),
        ),
        (
            "tokio",
            cell(|n| repeat(n, &TokioUtils::new(), |token| token.child_token())),
        ),
    ])
}

impl Notifier for Ours {
    fn new() -> Self {
        Self::new()
    }
    fn notified(&self) -> impl Future {
        self.cancelled()
    }
    fn notify_all(&self) {
        self.cancel();
    }
}

impl Notifier for TokioUtils {
    fn new() -> Self {
        Self::new()
    }
    fn notified(&self) -> impl Future {
        self.cancelled()
    }
    fn notify_all(&self) {
        self.cancel();
    }
}

/// A herd waits for the cancellation.
pub(crate) fn herds(herd: Herd) -> Cells {
    of([
        ("compio-sync", cell(move |n| herd.run::<Ours>(n))),
        ("tokio", cell(move |n| herd.run::<TokioUtils>(n))),
    ])
}
