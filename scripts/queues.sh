#!/usr/bin/env bash
#
# Compare candidates for the queue of waiters, and write docs/benchmarks/queues.md.
#
#   scripts/queues.sh [--quick]
#
# What one thread does runs with a real-time priority if that is permitted; what several do does
# not, so that a thread may be preempted while it holds a lock.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

case ${1:-} in ''|--quick) ;; *) usage 2;; esac
export CARGO_TARGET_DIR=$CRATE_DIR/target/benches
cargo build --release --locked --manifest-path benches/queues/Cargo.toml
cargo test --release --locked --manifest-path benches/queues/Cargo.toml

to=docs/benchmarks/queues.md
[ $# -eq 0 ] || to=target/queues.md
run=()
export PRIORITY='as other programs'
if chrt -f 50 true 2>/dev/null; then
    run=(chrt -f 50)
    PRIORITY='real-time'
fi
say "priority of the first part: $PRIORITY"
{
    cat <<'T'
# Queues of waiters

Written by `scripts/queues.sh`; what they are and what follows is said in [../RESEARCH.md](../RESEARCH.md).

T
    ${run[@]+"${run[@]}"} "$CARGO_TARGET_DIR/release/queues" alone "$@"
    PRIORITY='as other programs'
    "$CARGO_TARGET_DIR/release/queues" threads "$@"
} >"$to.new"
mv "$to.new" "$to"
cat "$to"
