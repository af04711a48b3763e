#!/usr/bin/env bash
#
# Count the instructions of the paths that are taken most, with Valgrind, and compare them with
# those in benches/instructions/baseline.txt. Nothing is timed.
#
#   scripts/instructions.sh [--accept]
#
# More than 2 % worse fails. More than 2 % better rewrites the file, which is to be committed;
# with CI=true in the environment it fails instead, until that is done. --accept rewrites the
# file whatever comes out: for a regression that is meant.
#
# The counts are those of one compiler and one architecture. With others the script says so and
# only reports.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

accept=
case ${1:-} in '') ;; --accept) accept=yes;; *) usage 2;; esac
need valgrind

BASELINE=benches/instructions/baseline.txt
FEW=1000
MANY=3000

unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
export CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$CRATE_DIR/target/benches
cargo build --release --locked --manifest-path benches/instructions/Cargo.toml
binary=$CARGO_TARGET_DIR/release/instructions

# The instructions of a run. From the summary, since the runtime's system calls are not in it.
# The same environment for all, as it lies on the stack.
count() {
    env -i PATH="$PATH" valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

compiler="$(rustc -V), $(rustc -vV | sed -n 's/^host: //p')"
counted=$(mktemp)
trap 'rm -f "$counted"' EXIT
{
    printf '# Instructions for each round; written by scripts/instructions.sh\n'
    printf '# %s\n' "$compiler"
    "$binary" --list | while read -r path; do
        few=$(count "$path" $FEW)
        many=$(count "$path" $MANY)
        awk -v name="$path" -v n=$((many - few)) -v rounds=$((MANY - FEW)) \
            'BEGIN {printf "%8.1f  %s\n", n / rounds, name}'
    done
} >"$counted"

if [ -n "$accept" ] || [ ! -f $BASELINE ]; then
    cp "$counted" $BASELINE
    cat $BASELINE
    say "$BASELINE has been written: commit it"
    exit
fi
status=0
awk '
    /^#/ {next}
    {name = $0; sub(/^ *[0-9.]+  /, "", name)}
    NR == FNR {before[name] = $1; next}
    {
        verdict = "new"; was = "-"
        if (name in before) {
            was = before[name]
            change = $1 / was - 1
            verdict = change > 0.02 ? "WORSE" : change < -0.02 ? "better" : ""
            delete before[name]
        }
        if (verdict == "WORSE") worse = 1
        if (verdict == "better" || verdict == "new") better = 1
        printf "%10s %10.1f  %-7s %s\n", was, $1, verdict, name
    }
    END {
        for (name in before) {printf "%10s %10s  %-7s %s\n", before[name], "-", "gone", name; better = 1}
        exit worse ? 1 : better ? 2 : 0
    }' $BASELINE "$counted" || status=$?
if ! grep -qxF "# $compiler" $BASELINE; then
    say "only reported: $BASELINE is of $(sed -n '2s/^# //p' $BASELINE), this is $compiler"
    exit
fi
case $status in
    0) say "as in $BASELINE";;
    1) die "more instructions than in $BASELINE; if it is meant: scripts/instructions.sh --accept";;
    2)
        [ "${CI:-}" != true ] || die "fewer instructions, or other paths, than in $BASELINE: run scripts/instructions.sh and commit it"
        cp "$counted" $BASELINE
        say "$BASELINE has been updated: commit it";;
    *) die "awk";;
esac
