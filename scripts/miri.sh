#!/usr/bin/env bash
#
# Run tests under Miri, which finds undefined behaviour and leaks.
#
#   scripts/miri.sh [CARGO TEST ARGS...] [-- TEST ARGS...]
#
#   MIRIFLAGS=-Zmiri-many-seeds=0..16 scripts/miri.sh --test condvar_tests
#
# Without arguments, the unit tests, all tests/*_tests.rs, misuse_tests and
# peers_tests. All is run twice, by the rules of Stacked Borrows and of Tree Borrows.
# Miri knows no io_uring, so it works on a copy where compio has the poll driver
# alone, without our default features, and with lib/miri-shim.rs. Tests see COMPIO_SYNC_SLOW=1; one that Miri
# can't run is left out with `miri` in a `cfg` or `cfg_attr`.
#
#   MIRI_TOOLCHAIN   the toolchain  (default nightly)
#
# Fails where Miri can't be had.

# shellcheck source=lib/tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/tree.sh"

toolchain=${MIRI_TOOLCHAIN:-nightly}
if ! cargo "+$toolchain" miri --version >/dev/null 2>&1; then
    rustup toolchain install "$toolchain" --profile minimal --component miri --component rust-src ||
        die "Miri can't be had: no toolchain '$toolchain' with the components miri and rust-src"
fi
rustup component add --toolchain "$toolchain" rust-src >/dev/null 2>&1 || die "Miri can't be had: no rust-src for '$toolchain'"

if [ $# = 0 ]; then
    set -- --lib --test misuse_tests --test peers_tests
    for file in tests/*_tests.rs; do set -- "$@" --test "$(basename "$file" .rs)"; done
fi
use_copy miri
sed -i.old -E '/^compio = \{/{
    s/default-features = [a-z]+,? *//
    s/\{ */{ default-features = false, /
    s/features = \[/features = ["runtime", "polling", /
}' Cargo.toml
cat "$LIB/miri-shim.rs" >>src/lib.rs

# Miri's epoll is edge-triggered only, and knows no priorities. That will do for the one
# descriptor of a runtime without I/O: an eventfd, read and registered anew each time.
polling=$(cargo metadata --format-version 1 | grep -oE '[^"]*/polling-3[^"/]*/Cargo.toml')
cp -R "$(dirname "$polling")" polling
chmod -R u+w polling
sed -i.old 's/ | Epoll::PRI$//; s/EventFlags::ONESHOT/EventFlags::ET/; s/\(PollMode::Level => .*\)empty()/\1ET/' polling/src/epoll.rs
printf '\n[patch.crates-io]\npolling = { path = "polling" }\n' >>Cargo.toml
if cargo tree --no-default-features -e features -i compio-driver | grep 'compio-driver feature "io-uring"'; then
    die "compio has its io_uring driver still"
fi
export COMPIO_SYNC_SLOW=1
# Without isolation: the clock, epoll and the number of CPUs are the machine's.
export MIRIFLAGS="-Zmiri-disable-isolation ${MIRIFLAGS:-}"
say "$(cargo "+$toolchain" miri --version)"
# By both sets of rules for what may alias.
for rules in '' -Zmiri-tree-borrows; do
    say "rules: ${rules:-Stacked Borrows}"
    MIRIFLAGS="$MIRIFLAGS $rules" cargo "+$toolchain" miri test --no-default-features "$@"
done
