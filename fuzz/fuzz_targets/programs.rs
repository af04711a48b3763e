//! Programs of `tests/model` that libFuzzer makes, for the primitive that
//! `COMPIO_SYNC_FUZZ_PRIMITIVE` names; without it all names are printed. With
//! `COMPIO_SYNC_FUZZ_SHOW` each program is printed before it runs.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[allow(dead_code, unused_imports, reason = "some is for the tests alone")]
#[path = "../../tests/model/mod.rs"]
mod model;

use std::{
    env,
    ffi::c_int,
    process::exit,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use libfuzzer_sys::fuzz_target;
use model::bytes::{ALL, MOST, Play, SIZE};

/// How many there were.
static OPERATIONS: AtomicU64 = AtomicU64::new(0);

struct Asked {
    play: Play,
    show: bool,
}

static ASKED: LazyLock<Asked> = LazyLock::new(|| {
    let Ok(name) = env::var("COMPIO_SYNC_FUZZ_PRIMITIVE") else {
        ALL.iter().for_each(|one| println!("{}", one.0));
        exit(0);
    };
    let Some((_, play)) = ALL.into_iter().find(|one| one.0 == name) else {
        eprintln!("there is no {name}");
        exit(2);
    };
    atexit(report);
    Asked {
        play,
        show: env::var_os("COMPIO_SYNC_FUZZ_SHOW").is_some(),
    }
});

// libFuzzer ends the process by itself, after it has run for as long as it was told.
unsafe extern "C" {
    safe fn atexit(report: extern "C" fn()) -> c_int;
}

extern "C" fn report() {
    eprintln!("operations: {}", OPERATIONS.load(Relaxed));
}

fuzz_target!(|bytes: &[u8]| {
    let bytes = &bytes[..bytes.len().min(MOST)];
    OPERATIONS.fetch_add((bytes.len() / SIZE) as u64, Relaxed);
    if let Err(wrong) = (ASKED.play)(bytes, ASKED.show) {
        panic!("{wrong}");
    }
});
