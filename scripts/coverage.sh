#!/usr/bin/env bash
#
# Measure which lines of src/ the tests reach, with both feature sets together.
#
#   scripts/coverage.sh [LCOV FILE]
#
# Prints a table, and the lines that are not reached; writes an lcov file if one is named.
# Fails if fewer than 95 of 100 lines are reached. The models and what is built for them
# alone are left out, and so are the files of other platforms: they are not compiled here.
#
# Needs llvm-cov and llvm-profdata that know the compiler's format: those of rustup's
# component llvm-tools, else Debian's (as many versions back as there are), unpacked below
# target/. The documentation's examples are not counted.
#
#   COVERAGE_MIN   lines of 100 that must be reached  (default 95)

# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

lcov=${1:-}
[ -z "$lcov" ] || lcov=$(realpath -m "$lcov")
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CRATE_DIR/target}/coverage
work=$CARGO_TARGET_DIR/profiles

# tools: sets `llvm` to a command that runs llvm-$1 with the rest
find_tools() {
    local bin major debian
    bin=$(rustc --print target-libdir)/../bin
    if [ ! -x "$bin/llvm-cov" ] && command -v rustup >/dev/null; then
        timeout 120 rustup component add llvm-tools >/dev/null 2>&1 || true
    fi
    if [ -x "$bin/llvm-cov" ]; then
        tools=("$bin")
        return
    fi
    major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    debian=$CACHE/llvm-$major
    if [ ! -e "$debian/complete" ]; then
        say "Debian's llvm-$major"
        private_apt "$CACHE/apt-llvm" sid || die "no list of Debian's packages"
        rm -rf "$debian"
        mkdir -p "$debian/packages"
        # With all that it needs, the C library too: this system may be older.
        local packages
        packages=$(papt apt-get install -s --no-install-recommends "llvm-$major" 2>/dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
        [ -n "$packages" ] || die "Debian has no llvm-$major"
        # shellcheck disable=SC2086  # one word for each package
        (cd "$debian/packages" && papt apt-get download $packages >/dev/null 2>&1) || die "cannot download llvm-$major"
        for p in "$debian"/packages/*.deb; do dpkg-deb -x "$p" "$debian"; done
        rm -rf "$debian/packages"
        touch "$debian/complete"
    fi
    local lib=$debian/usr/lib/x86_64-linux-gnu
    tools=("$lib/ld-linux-x86-64.so.2" --library-path "$lib:$debian/usr/lib/llvm-$major/lib" "$debian/usr/lib/llvm-$major/bin")
}
llvm() {
    local last=$((${#tools[@]} - 1)) tool=$1
    shift
    "${tools[@]:0:last}" "${tools[last]}/llvm-$tool" "$@"
}

find_tools
llvm profdata --version >/dev/null || die "llvm-profdata does not run"
rm -rf "$work"
mkdir -p "$work"
export RUSTFLAGS="-C instrument-coverage ${RUSTFLAGS:-}"

objects=()
for features in '' --no-default-features; do
    say "tests ${features:-with default features}"
    # Those that end by being killed leave no profile.
    export LLVM_PROFILE_FILE=$work/build-%p.profraw
    # shellcheck disable=SC2086  # nothing if empty
    while IFS= read -r binary; do
        # The next build may take its place.
        copy=$work/$((${#objects[@]} / 2))-$(basename "$binary")
        cp "$binary" "$copy"
        objects+=(-object "$copy")
        say "${copy##*/}"
        LLVM_PROFILE_FILE=$work/test-%p-%m.profraw "$copy" --quiet </dev/null
    done < <(cargo test --quiet --lib --tests $features --no-run --message-format=json |
        sed -n 's/.*"test":true.*"executable":"\([^"]*\)".*/\1/p')
done
rm -f "$work"/build-*
[ ${#objects[@]} -gt 0 ] || die "no tests were built"

llvm profdata merge -sparse "$work"/test-*.profraw -o "$work/all.profdata"
# the first binary is named without the option
set -- "${objects[@]:1}" -instr-profile "$work/all.profdata" \
    -ignore-filename-regex="^$CRATE_DIR/(src/models|tests|benches|examples)/|/(registry|rustc)/|/src/.*/tests\.rs|/src/sys/(loom|shuttle)\.rs|_loom\.rs"
[ -z "$lcov" ] || llvm cov export -format=lcov "$@" >"$lcov"
llvm cov export -format=lcov "$@" >"$work/all.lcov"

# Our own table: each line counts as reached if any instance of it is. The unit tests
# that stand at the end of a file are not counted.
python3 - "$work/all.lcov" "$CRATE_DIR/src/" "${COVERAGE_MIN:-95}" <<'P'
import sys
report, src, least = sys.argv[1], sys.argv[2], float(sys.argv[3])
lines = {}
for line in open(report):
    if line.startswith("SF:"):
        name = line[3:].strip()
        here = lines.setdefault(name, {}) if name.startswith(src) else None
        if here is not None:
            text = open(name).read().split("\n")
            end = next((n for n, l in enumerate(text, 1) if l.startswith("mod tests {")), len(text) + 1)
    elif line.startswith("DA:") and here is not None:
        at, count = line[3:].split(",")[:2]
        if int(at) < end:
            here[int(at)] = here.get(int(at), 0) + int(count)
total = reached = 0
print(f"{'file':32} lines reached")
for name, here in sorted(lines.items()):
    missing = sorted(at for at, count in here.items() if not count)
    total += len(here)
    reached += len(here) - len(missing)
    print(f"{name[len(src):]:32} {len(here):5} {100 * (1 - len(missing) / max(1, len(here))):6.1f} %  {' '.join(map(str, missing))}")
share = 100 * reached / max(1, total)
print(f"{'in all':32} {total:5} {share:6.1f} %")
sys.exit(share < least)
P
