#!/usr/bin/env bash
#
# Run tests under Miri, which finds undefined behaviour and leaks.
#
#   scripts/miri.sh [CARGO TEST ARGS...] [-- TEST ARGS...]
#
#   MIRIFLAGS=-Zmiri-many-seeds=0..16 scripts/miri.sh --test condvar_tests
#
# Without arguments, the unit tests and all in tests/. It has no io_uring, so
# compio's poll driver is built in. Tests see COMPIO_SYNC_SLOW=1; one that Miri
# can't run has `#[cfg_attr(miri, ignore = "why")]`.
#
#   MIRI_TOOLCHAIN   the toolchain  (default nightly)
#
# Fails where Miri can't be had.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

toolchain=${MIRI_TOOLCHAIN:-nightly}
if ! cargo "+$toolchain" miri --version >/dev/null 2>&1; then
    rustup toolchain install "$toolchain" --profile minimal --component miri --component rust-src ||
        die "Miri can't be had: no toolchain '$toolchain' with the components miri and rust-src"
fi
rustup component add --toolchain "$toolchain" rust-src >/dev/null 2>&1 || die "Miri can't be had: no rust-src for '$toolchain'"

[ $# -gt 0 ] || set -- --lib --tests
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CRATE_DIR/target}/miri
export COMPIO_SYNC_SLOW=1
# Without isolation: the clock, epoll and the number of CPUs are the machine's.
export MIRIFLAGS="-Zmiri-disable-isolation ${MIRIFLAGS:-}"
say "$(cargo "+$toolchain" miri --version)"
cargo "+$toolchain" miri test "${POLLING[@]}" "$@"
