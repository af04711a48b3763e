#!/usr/bin/env bash
#
# Run the benchmarks.
#
#   scripts/bench.sh [--save NAME] [CARGO BENCH ARGS...] [-- BENCHMARK ARGS...]
#
#   scripts/bench.sh --bench semaphore
#   scripts/bench.sh --bench mutex -- uncontended
#   scripts/bench.sh --save linux-x86_64
#
# What they print is also kept in target/bench.txt, with the machine's traits, and with
# --save in docs/benchmarks/results/NAME.txt, for compare-benchmarks.py.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

result=target/bench.txt
if [ "${1:-}" = --save ]; then
    result=docs/benchmarks/results/${2:?--save wants a name}.txt
    shift 2
fi
[ $# -gt 0 ] || set -- --benches
mkdir -p target "$(dirname "$result")"
{
    rustc -V
    uname -srm
    echo "processors: $(getconf _NPROCESSORS_ONLN 2>/dev/null || echo "${NUMBER_OF_PROCESSORS:-?}")"
    cargo bench "$@"
} 2>&1 | tee "$result"
[ "$result" = target/bench.txt ] || cp "$result" target/bench.txt
