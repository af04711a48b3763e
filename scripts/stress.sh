#!/usr/bin/env bash
#
# Run the stress tests for longer than `cargo test` does.
#
#   scripts/stress.sh [CARGO TEST ARGS...] [-- TEST ARGS...]
#
#   STRESS=100 scripts/stress.sh --no-default-features
#
# They are built with optimizations and run one at a time.
#
#   STRESS   how many times as many rounds as in `cargo test`  (default 20)

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cargo_args=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do cargo_args+=("$1"); shift; done
[ $# = 0 ] || shift

export STRESS=${STRESS:-20}
say "stress tests, STRESS=$STRESS"
# Old versions of bash take an empty array for an unset one.
cargo test --release --test stress ${cargo_args[@]+"${cargo_args[@]}"} -- --test-threads=1 "$@"
