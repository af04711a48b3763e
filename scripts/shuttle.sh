#!/usr/bin/env bash
#
# Run the programs of src/models/shuttle in orders that the shuttle checker chooses at
# random.
#
#   scripts/shuttle.sh [ITERATIONS] [TEST FILTER...]
#
#   scripts/shuttle.sh 10000000
#   SHUTTLE_RANDOM_SEED=42 scripts/shuttle.sh 5000 mutex
#
# ITERATIONS, of all tests together, are 1000000 if not given; that takes a minute or two, 200000
# less than half a minute.
# What fails prints the order, to be replayed; with the same seed it fails again.

# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

export SHUTTLE_ITERATIONS=1000000
case ${1:-} in [0-9]*) SHUTTLE_ITERATIONS=$1; shift;; esac

export RUSTFLAGS="--cfg loom --cfg shuttle ${RUSTFLAGS:-}"
start=$SECONDS
cargo test --quiet --profile loom --lib -- --nocapture "$@"
say "$SHUTTLE_ITERATIONS orders: $((SECONDS - start)) s"
