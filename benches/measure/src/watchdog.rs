//! Ends the program if a contestant hangs, and says which.

use std::{
    process, thread,
    time::{Duration, Instant},
};

use std::sync::{Mutex, PoisonError};

static GUARDED: Mutex<Option<(String, Instant)>> = Mutex::new(None);

/// From now on `what` has so long.
pub(crate) fn guard(what: String, limit: Duration) {
    let mut guarded = GUARDED.lock().unwrap_or_else(PoisonError::into_inner);
    if guarded.is_none() {
        thread::spawn(watch);
    }
    *guarded = Some((what, Instant::now() + limit));
}

fn watch() {
    loop {
        thread::sleep(Duration::from_secs(1));
        let guarded = GUARDED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((what, deadline)) = &*guarded
            && Instant::now() > *deadline
        {
            eprintln!("error: {what} does not end");
            process::exit(1);
        }
    }
}
