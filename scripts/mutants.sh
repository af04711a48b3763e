#!/usr/bin/env bash
#
# Do the models see it? Breaks the sources in one place at a time and runs the models
# (scripts/loom.sh light) on each broken copy, until one fails.
#
#   scripts/mutants.sh [FILTER]       only mutants whose name contains FILTER
#   scripts/mutants.sh --list [FILTER]
#
# Every Acquire and Release in the sources below is made Relaxed, and each line of
# mutants.txt is applied. Prints `killed` or `SURVIVED` and where the models failed;
# mutants.txt and the list below say what is known to survive, and why. Exits with 1 if
# a mutant survives that is not known to, or the other way round, or changes nothing.
#
# The sources here are not touched: the copies are in target/mutants.

# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

# Where the order of memory matters.
ORDERED=(permits.rs mutex/raw.rs notify.rs event.rs gate.rs condvar.rs once_cell/turn.rs
    cancellation_token/node.rs cancellation_token/tree.rs waiter_queue/waiter.rs
    waiter_queue/blocking.rs)
TABLE=$CRATE_DIR/scripts/mutants.txt
KNOWN=$CRATE_DIR/scripts/mutants-known.txt
WORK=${CARGO_TARGET_DIR:-$CRATE_DIR/target}/mutants
COPY=$WORK/crate
LIMIT=${MUTANT_SECONDS:-180}

list=
if [ "${1:-}" = --list ]; then list=1; shift; fi
filter=${1:-}

# all: one mutant a line: name, file, Perl code
all() {
    local file n
    for file in "${ORDERED[@]}"; do
        n=$(grep -v '^ *//' "$CRATE_DIR/src/$file" | grep -oE 'Ordering::(Acquire|Release)' | wc -l)
        for ((i = 1; i <= n; i++)); do
            # the i-th that is not in a comment; the name tells its line's text
            printf '%s\t%s\t%s\n' "relaxed-${file##*/}-$i" "$file" \
                "my \$k = 0; s{^(?!\\s*//)(.*)\$}{my \$l = \$1; \$l =~ s/Ordering::\\K(Acquire|Release)/++\$k == $i ? q(Relaxed) : \$1/ge; \$l}gem"
        done
    done
    grep -v '^#' "$TABLE"
}

export RUSTFLAGS="--cfg loom -A warnings" CARGO_TARGET_DIR=$WORK/target RUST_BACKTRACE=0
export CARGO_PROFILE_LOOM_INCREMENTAL=true

BROKEN='it does not compile'

# try: builds the copy and runs its models; says where they failed, or nothing
try() {
    local log=$WORK/log binary pid
    (cd "$COPY" && cargo test --quiet --profile loom --lib --no-run --message-format=json 2>"$WORK/errors") |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >"$WORK/binary"
    binary=$(tail -n 1 "$WORK/binary")
    if [ -z "$binary" ]; then
        tail -n 20 "$WORK/errors" >&2
        echo "$BROKEN"
        return
    fi
    (cd "$COPY" && exec timeout "$LIMIT" "$binary" --nocapture --test-threads 2) >"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        if grep -q 'panicked at' "$log"; then
            sleep 0.2
            kill "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
    if ! wait "$pid" || grep -q 'panicked at' "$log"; then
        sed -n "s/^thread '\(models::\)\{0,1\}\([^']*\)'.*panicked at.*/\2/p" "$log" | head -n 1 | grep . || echo 'it did not end, or aborted'
    fi
}

copy() {
    mkdir -p "$COPY"
    rm -rf "$COPY/src"
    cp -r "$CRATE_DIR"/{Cargo.lock,src} "$COPY"
    # without the tests and benchmarks, which are not copied
    awk '/^\[/ {skip = /^\[\[/} !skip' "$CRATE_DIR/Cargo.toml" >"$COPY/Cargo.toml"
    [ ! -e "$CRATE_DIR/README.md" ] || cp "$CRATE_DIR/README.md" "$COPY"
}

mkdir -p "$WORK"
exec 4>"$WORK/lock"
flock -n 4 || die "another run works in $WORK"

if [ -z "$list" ]; then
    # Models that fail on sound sources would kill every mutant.
    copy
    by=$(LIMIT=$((3 * LIMIT)) && try)
    [ -z "$by" ] || die "the models fail on the sources as they are: $by"
fi

start=$SECONDS killed=0 survived=0 wrong=0 unusable=
while IFS=$'\t' read -r name file code <&3; do
    case $name in *"$filter"*) ;; *) continue;; esac
    copy
    perl -0pi -e "$code" "$COPY/src/$file"
    changed=$(diff "$CRATE_DIR/src/$file" "$COPY/src/$file" | sed -n 's/^> *//p' | head -n 1) || true
    if cmp -s "$CRATE_DIR/src/$file" "$COPY/src/$file"; then
        unusable="$unusable $name" wrong=1
        continue
    fi
    if [ -n "$list" ]; then
        printf '%s: %s\n' "$name" "$changed"
        continue
    fi
    by=$(try)
    known=$(sed -n "s/^$name\t//p" "$KNOWN")
    if [ "$by" = "$BROKEN" ]; then
        unusable="$unusable $name" wrong=1
    elif [ -n "$by" ]; then
        killed=$((killed + 1))
        printf 'killed    %-40s %s\n' "$name" "$by"
        [ -z "$known" ] || { wrong=1; printf '          it is listed as a survivor\n'; }
    else
        survived=$((survived + 1))
        printf 'SURVIVED  %-40s %s\n' "$name" "${known:-NOT EXPLAINED: $changed}"
        [ -n "$known" ] || wrong=1
    fi
done 3< <(all)
[ -z "$unusable" ] || printf 'ERROR: these change nothing, or do not compile:%s\n' "$unusable" >&2
[ -n "$list" ] || say "$killed killed, $survived survived, $((SECONDS - start)) s"
exit "$wrong"
