#!/usr/bin/env bash
#
# Run the same work through this crate and its rivals, in one run, and write what came out to
# docs/benchmarks/rivals.md and rivals.svg.
#
#   scripts/compare.sh [--quick] [WORKLOAD...]
#
# A WORKLOAD selects those whose name contains it. With a selection, or with --quick, which runs
# fewer rounds, the results go to target/ instead. It runs with a real-time priority if that is
# permitted, and says so. See docs/benchmarks/README.md.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

export CARGO_TARGET_DIR=$CRATE_DIR/target/benches
cargo build --release --locked --manifest-path benches/rivals/Cargo.toml

to=docs/benchmarks
[ $# -eq 0 ] || to=target
run=()
export PRIORITY='as other programs'
if chrt -f 50 true 2>/dev/null; then
    run=(chrt -f 50)
    PRIORITY='real-time'
fi
say "priority: $PRIORITY"
started=$SECONDS
${run[@]+"${run[@]}"} "$CARGO_TARGET_DIR/release/rivals" \
    --markdown "$to/rivals.md" --svg "$to/rivals.svg" "$@"
say "$to/rivals.md, $to/rivals.svg: $((SECONDS - started)) s"
