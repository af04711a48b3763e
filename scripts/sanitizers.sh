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
# address looks for leaks as well; what tests leak on purpose they keep in
# reach (keep and forget in tests/common). What is left out is of compio alone,
# in lib/*-suppressions.txt. thread knows no threads in a child that was forked
# from several, so a test of that is left out.
#
# See lib/cross.sh for where the standard library's source comes from.

# shellcheck source=lib/cross.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/cross.sh"

skip=()
case ${1:-} in
    thread)       skip=(--skip a_child_process_has_runtimes_of_its_own)
                  export COMPIO_SYNC_SLOW=1
                  export TSAN_OPTIONS="suppressions=$LIB/tsan-suppressions.txt ${TSAN_OPTIONS:-}";;
    address|leak) export LSAN_OPTIONS="suppressions=$LIB/lsan-suppressions.txt ${LSAN_OPTIONS:-}"
                  export ASAN_OPTIONS="detect_leaks=1 ${ASAN_OPTIONS:-}";;
    *)            usage 2;;
esac
# What is left out is named by its functions.
command -v llvm-symbolizer >/dev/null || need llvm
sanitizer=$1
shift

triple=$(rustc -vV | sed -n 's/^host: //p')
use_source
export CARGO_TARGET_DIR=${PLAIN_TARGET_DIR:-$CRATE_DIR/target}/sanitize-$sanitizer
export RUSTC_BOOTSTRAP=1
# With frame pointers, or what is told of a leak ends at the allocator.
export RUSTFLAGS="-Z sanitizer=$sanitizer -C force-frame-pointers=yes ${RUSTFLAGS:-}"
export RUSTDOCFLAGS="-Z sanitizer=$sanitizer ${RUSTDOCFLAGS:-}"
cargo_args=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do cargo_args+=("$1"); shift; done
[ $# = 0 ] || shift
exec cargo test -Z build-std=std,panic_unwind,proc_macro,test --target "$triple" "${cargo_args[@]}" -- "${skip[@]}" "$@"
