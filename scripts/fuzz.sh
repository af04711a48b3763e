#!/usr/bin/env bash
#
# Run random programs beside the models of the primitives (tests/model_tests.rs), many more
# than `cargo test` does.
#
#   scripts/fuzz.sh [OPERATIONS] [TEST FILTER...]
#   scripts/fuzz.sh --guided [SECONDS] [PRIMITIVE...]
#
#   scripts/fuzz.sh 1000000000 condvar
#   scripts/fuzz.sh --guided 600 once_cell
#
# OPERATIONS, in all the tests, are 20 million if not given; that takes less than a minute.
# What goes wrong is shrunk to a short program and printed.
#
# --guided is libFuzzer with the address sanitizer, on Linux: it keeps programs that reach
# code that no other has reached, in target/fuzz/corpus, and changes them further. SECONDS are
# 120 if not given, for all the primitives together. It works with a stable compiler
# (RUSTC_BOOTSTRAP), without cargo-fuzz. The first build takes minutes.

# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

# fuzz PRIMITIVE SECONDS: says how much ran; shows what fails, as short as it gets in a minute
fuzz() {
    local primitive=$1 seconds=$2 corpus=$DIR/corpus/$1 log=$DIR/$1.log crash=$DIR/crashes/$1
    export COMPIO_SYNC_FUZZ_PRIMITIVE=$primitive
    mkdir -p "$corpus" "$DIR/crashes"
    rm -f "$crash"
    if "$PROGRAM" "${LIMITS[@]}" -max_total_time="$seconds" -print_final_stats=1 \
        -exact_artifact_path="$crash" "$corpus" >"$log" 2>&1; then
        awk -v name="$primitive" '
            /^stat::number_of_executed_units:/ {programs = $2}
            /^operations:/ {operations = $2}
            $3 == "cov:" {reached = $4}
            END {printf "%s: %d operations in %d programs, %d places reached\n", name, operations, programs, reached}
        ' "$log"
        return
    fi
    # Without a program something else is wrong.
    [ -e "$crash" ] || { tail -n 40 "$log" >&2; return 1; }
    say "$primitive: a program fails; making it shorter"
    # It may write none if this one is as short as can be. It takes no other limit of length.
    rm -f "$crash.short"
    "$PROGRAM" -timeout=60 -minimize_crash=1 -max_total_time=60 \
        -exact_artifact_path="$crash.short" "$crash" >"$log" 2>&1 || true
    [ -e "$crash.short" ] || cp "$crash" "$crash.short"
    COMPIO_SYNC_FUZZ_SHOW=1 "$PROGRAM" -timeout=60 -handle_abrt=0 "$crash.short" 2>&1 | grep -v '^INFO: ' || true
    say "$primitive fails; the bytes are in $crash.short"
    return 1
}

guided() {
    local seconds=120 triple primitive all failed=0
    case ${1:-} in [0-9]*) seconds=$1; shift;; esac
    need g++
    triple=$(rustc -vV | sed -n 's/^host: //p')
    DIR=$CRATE_DIR/target/fuzz
    PROGRAM=$DIR/$triple/release/programs
    # No program needs as much as a second. The bytes are what tests/model/bytes.rs reads at most.
    LIMITS=(-timeout=60 -max_len=766 -len_control=20)
    say "building"
    # What cargo-fuzz passes.
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$DIR RUSTFLAGS="-Cpasses=sancov-module
        -Cllvm-args=-sanitizer-coverage-level=4
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
        -Cllvm-args=-sanitizer-coverage-pc-table
        -Cllvm-args=-sanitizer-coverage-trace-compares
        -Cllvm-args=-simplifycfg-branch-fold-threshold=0
        -Ccodegen-units=1 -Zsanitizer=address ${RUSTFLAGS:-}" \
        cargo build --release --locked --manifest-path fuzz/Cargo.toml --target "$triple"
    # If it is not told one, it names all; to libFuzzer that is a crash, of which nothing is kept.
    mapfile -t all < <("$PROGRAM" -exact_artifact_path=/dev/null 2>/dev/null)
    [ $# -gt 0 ] || set -- "${all[@]}"
    for primitive in "$@"; do
        case " ${all[*]} " in *" $primitive "*) ;; *) die "no $primitive; there are: ${all[*]}";; esac
    done
    say "$((seconds / $#)) seconds each: $*"
    for primitive in "$@"; do
        fuzz "$primitive" $((seconds / $#)) || failed=1
    done
    return "$failed"
}

case ${1:-} in --guided) shift; guided "$@"; exit;; esac

export COMPIO_SYNC_FUZZ_OPS=20000000
case ${1:-} in [0-9]*) COMPIO_SYNC_FUZZ_OPS=$1; shift;; esac

say "$COMPIO_SYNC_FUZZ_OPS operations"
# Old versions of bash take an empty array for an unset one.
cargo test --quiet --release --test model_tests -- --nocapture ${@+"$@"}
