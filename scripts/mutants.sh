#!/usr/bin/env bash
#
# Do the models see it? Breaks the sources in one place at a time and runs the models
# (scripts/loom.sh light) on each broken copy, until one fails.
#
#   scripts/mutants.sh [FILTER...]    only mutants whose name contains one of these
#   scripts/mutants.sh --list [FILTER...]
#
# A run that was ended goes on where it was, as long as the sources are the same.
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
ORDERED=(permits.rs mutex/raw.rs rwlock/raw.rs notify.rs event.rs gate.rs condvar.rs
    once_cell/turn.rs cancellation_token/node.rs cancellation_token/tree.rs waiter_queue/waiter.rs
    waiter_queue/shares.rs waiter_queue/blocking.rs waiter_queue/send.rs waiter_queue/mail.rs
    sys/slot.rs)
TABLE=$CRATE_DIR/scripts/mutants.txt
KNOWN=$CRATE_DIR/scripts/mutants-known.txt
WORK=${CARGO_TARGET_DIR:-$CRATE_DIR/target}/mutants
COPY=$WORK/crate
LIMIT=${MUTANT_SECONDS:-180}

list=
if [ "${1:-}" = --list ]; then list=1; shift; fi
[ $# -gt 0 ] || set -- ''
filters=("$@")

is_wanted() {
    local filter
    for filter in "${filters[@]}"; do
        case $1 in *"$filter"*) return 0;; esac
    done
    return 1
}

# all: one mutant a line: name, file, Perl code
all() {
    local file n
    for file in "${ORDERED[@]}"; do
        n=$(grep -v '^ *//' "$CRATE_DIR/src/$file" | grep -oE 'Ordering::(AcqRel|Acquire|Release)' | wc -l) || true
        for ((i = 1; i <= n; i++)); do
            # the i-th that is not in a comment; the name tells its line's text
            printf '%s\t%s\t%s\n' "$(relaxed "$file")$i" "$file" "my \$k = 0; $(
                each_ordering "++\$k == $i ? q(Ordering::Relaxed) : \$&")"
        done
    done
    grep -v '^#' "$TABLE"
}

# relaxed FILE: what the names of its weakened orderings begin with
relaxed() { printf 'relaxed-%s-' "${1//\//-}"; }

# each_ordering EXPRESSION: Perl code that puts it in the place of each ordering
each_ordering() {
    printf '%s' "s{^(?!\\s*//)(.*)\$}{my \$l = \$1; \$l =~ s/Ordering::(AcqRel|Acquire|Release)/$1/ge; \$l}gem"
}

export RUSTFLAGS="--cfg loom -A warnings" CARGO_TARGET_DIR=$WORK/target RUST_BACKTRACE=0
# Most of the time goes into building.
export CARGO_PROFILE_LOOM_INCREMENTAL=true CARGO_PROFILE_LOOM_OPT_LEVEL=1 CARGO_PROFILE_LOOM_DEBUG=0

BROKEN='it does not compile'

# models_of FILE: the models that are most likely to see a change there
models_of() {
    case $1 in
        waiter_queue/home.rs | waiter_queue/batch.rs) echo home::;;
        waiter_queue/shares.rs) echo shares::;;
        waiter_queue/drain.rs | sys/slot.rs) echo doorbell::;;
        waiter_queue/classes.rs) echo once_cell::;;
        waiter_queue/*) echo queue::;;
        */*) echo "${1%%/*}::";;
        *) echo "${1%.rs}::";;
    esac
}

# failing BINARY [FILTER]: runs its models, and says where they failed, or nothing
failing() {
    local log=$WORK/log pid
    (cd "$COPY" && exec timeout "$LIMIT" "$1" --nocapture --test-threads 2 ${2:+"$2"}) >"$log" 2>&1 &
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

# build: makes the models of the copy $binary, which is empty if it does not compile
build() {
    (cd "$COPY" && cargo test --quiet --profile loom --lib --no-run --message-format=json 2>"$WORK/errors") |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >"$WORK/binary"
    binary=$(tail -n 1 "$WORK/binary")
    [ -n "$binary" ] || tail -n 20 "$WORK/errors" >&2
}

# try [MODELS]: runs the models of $binary, these first; says where they failed, or nothing
try() {
    local by=
    if [ -z "$binary" ]; then
        echo "$BROKEN"
        return
    fi
    [ -z "${1:-}" ] || by=$(failing "$binary" "$1")
    [ -n "$by" ] || by=$(failing "$binary")
    [ -z "$by" ] || printf '%s\n' "$by"
}

# build_switched: a copy of which $RELAXED tells at run time what is Relaxed: building takes longer than running
build_switched() {
    local file
    copy
    for file in "${ORDERED[@]}"; do
        perl -0pi -e "my \$k = 0; $(each_ordering "++\$k; \"crate::relaxed(\\\"$(relaxed "$file")\$k\\\", \$&)\"")" "$COPY/src/$file"
    done
    cat >>"$COPY/src/lib.rs" <<'EOF'
fn relaxed(name: &str, order: sys::sync::Ordering) -> sys::sync::Ordering {
    static RELAXED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    match RELAXED.get_or_init(|| std::env::var("RELAXED").unwrap_or_default()) == name {
        true => sys::sync::Ordering::Relaxed,
        false => order,
    }
}
EOF
    build
    [ -n "$binary" ] || die "the orderings cannot be switched"
    cp "$binary" "$SWITCHED"
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

sources=$(cd "$CRATE_DIR" && find Cargo.lock scripts/mutants.sh scripts/mutants.txt src -type f | sort | xargs sha256sum | sha256sum)
RESULTS=$WORK/results-${sources:0:16}
SWITCHED=$WORK/switched-${sources:0:16}

if [ -z "$list" ] && [ ! -e "$RESULTS" ]; then
    # Models that fail on sound sources would kill every mutant.
    build_switched
    by=$(LIMIT=$((3 * LIMIT)) && try)
    [ -z "$by" ] || die "the models fail on the sources as they are: $by"
    : >"$RESULTS"
fi

start=$SECONDS killed=0 survived=0 wrong=0 unusable=
while IFS=$'\t' read -r name file code <&3; do
    is_wanted "$name" || continue
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
    if grep -q "^$name"$'\t' "$RESULTS"; then
        by=$(sed -n "s/^$name\t//p" "$RESULTS" | head -n 1)
    else
        case $name in
            relaxed-*)
                [ -e "$SWITCHED" ] || build_switched
                binary=$SWITCHED
                by=$(RELAXED=$name try "$(models_of "$file")");;
            *)
                build
                by=$(try "$(models_of "$file")");;
        esac
        printf '%s\t%s\n' "$name" "$by" >>"$RESULTS"
    fi
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
