#!/usr/bin/env bash
#
# Run the models of src/models: small programs on the crate's own sources, in every
# order that the memory model allows (loom).
#
#   scripts/loom.sh [light|full] [TEST FILTER...]
#
#   scripts/loom.sh light mutex::
#
# light, the default, takes less than a minute or two and bounds how often a model of
# many steps is preempted; full, for before a release, goes one further or has no bound
# at all. Each model prints how many orders it tried and how long that took, and fails
# unless it reaches the rows of the state tables that it names.
#
# To see what a failing model did: LOOM_LOCATION=1 and RUST_BACKTRACE=1.

# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

set=light
case ${1:-} in light|full) set=$1; shift;; esac

export LOOM_SET=$set
export RUSTFLAGS="--cfg loom ${RUSTFLAGS:-}"
start=$SECONDS
# One at a time: the times are then those of the models.
cargo test --quiet --profile loom --lib -- --nocapture --test-threads "${LOOM_THREADS:-1}" "$@" |
    grep --line-buffered -v '^\.*$'
say "loom $set: $((SECONDS - start)) s"
