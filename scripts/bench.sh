#!/usr/bin/env bash
#
# Run the benchmarks.
#
#   scripts/bench.sh [CARGO BENCH ARGS...] [-- BENCHMARK ARGS...]
#
#   scripts/bench.sh --bench semaphore
#
# What they print is also kept in target/bench.txt, with the machine's traits.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

[ $# -gt 0 ] || set -- --benches
mkdir -p target
{
    rustc -V
    uname -srm
    cargo bench "$@"
} 2>&1 | tee target/bench.txt
