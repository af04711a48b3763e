#!/usr/bin/env bash
#
# Run the tests under one of LLVM's sanitizers, on this machine.
#
#   scripts/sanitizers.sh thread|address|leak [CARGO TEST ARGS...] [-- TEST ARGS...]
#
#   scripts/sanitizers.sh thread --test semaphore
#
# The standard library is instrumented too: without that, thread reports races
# that don't exist. It works with a stable compiler (RUSTC_BOOTSTRAP). Linux on
# x86_64 or aarch64. Options go through TSAN_OPTIONS and the like. Builds are
# kept apart in target/sanitize-*. Tests see COMPIO_SYNC_SLOW=1 with thread.
#
# See lib/cross.sh for where the standard library's source comes from.

# shellcheck source=lib/cross.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/cross.sh"

case ${1:-} in
    thread)       export COMPIO_SYNC_SLOW=1
                  export TSAN_OPTIONS="suppressions=$LIB/tsan-suppressions.txt ${TSAN_OPTIONS:-}";;
    # Some tests leak on purpose; that is for the leak sanitizer to tell.
    address)      export ASAN_OPTIONS="detect_leaks=0 ${ASAN_OPTIONS:-}";;
    leak)         ;;
    *)            usage 2;;
esac
sanitizer=$1
shift

triple=$(rustc -vV | sed -n 's/^host: //p')
use_source
export CARGO_TARGET_DIR=${PLAIN_TARGET_DIR:-$CRATE_DIR/target}/sanitize-$sanitizer
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Z sanitizer=$sanitizer ${RUSTFLAGS:-}"
export RUSTDOCFLAGS="-Z sanitizer=$sanitizer ${RUSTDOCFLAGS:-}"
exec cargo test -Z build-std=std,panic_unwind,proc_macro,test --target "$triple" "$@"
