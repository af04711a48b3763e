#!/usr/bin/env bash
#
# Run the stress tests for longer than `cargo test` does, and then everything at once (tests/soak.rs).
#
#   scripts/stress.sh [MINUTES] [CARGO TEST ARGS...] [-- TEST ARGS...]
#
#   STRESS=100 scripts/stress.sh 30 --no-default-features
#
# They are built with optimizations and run one at a time; MINUTES is how long the last one takes,
# 1 if nothing is said. It prints what all primitives look like if nothing happens any more.
#
#   STRESS   how many times as many rounds as in `cargo test`  (default 20)

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

minutes=1
case ${1:-} in [0-9]*) minutes=$1; shift;; esac
cargo_args=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do cargo_args+=("$1"); shift; done
[ $# = 0 ] || shift

export STRESS=${STRESS:-20}
say "stress tests, STRESS=$STRESS"
# Old versions of bash take an empty array for an unset one.
cargo test --release --test stress ${cargo_args[@]+"${cargo_args[@]}"} -- --test-threads=1 "$@"
say "soak, $minutes minutes"
SOAK_SECONDS=$((minutes * 60)) cargo test --release --test soak ${cargo_args[@]+"${cargo_args[@]}"}
