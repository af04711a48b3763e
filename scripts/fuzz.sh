#!/usr/bin/env bash
#
# Run random programs beside the models of the primitives (tests/model_tests.rs), many more
# than `cargo test` does.
#
#   scripts/fuzz.sh [OPERATIONS] [TEST FILTER...]
#
#   scripts/fuzz.sh 1000000000 condvar
#
# OPERATIONS, in all the tests, are 20 million if not given; that takes less than a minute.
# What goes wrong is shrunk to a short program and printed.

# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

export COMPIO_SYNC_FUZZ_OPS=20000000
case ${1:-} in [0-9]*) COMPIO_SYNC_FUZZ_OPS=$1; shift;; esac

say "$COMPIO_SYNC_FUZZ_OPS operations"
# Old versions of bash take an empty array for an unset one.
cargo test --quiet --release --test model_tests -- --nocapture ${@+"$@"}
