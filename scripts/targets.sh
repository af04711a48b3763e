#!/usr/bin/env bash
#
# Check the crate for platforms that can't be run here; run its tests on one.
#
#   scripts/targets.sh [TRIPLE...] [-- CARGO ARGS...]        clippy, which checks too
#   scripts/targets.sh test-aarch64 [CARGO TEST ARGS...]     under QEMU's user mode
#
#   scripts/targets.sh x86_64-unknown-freebsd -- --no-default-features
#   scripts/targets.sh test-aarch64 --test mutex
#
# A check covers all targets of the crate (tests, examples, benches) and any
# warning fails it. If a dependency of these needs a C compiler of the target
# that isn't there, only the library is checked, and the report says so.
#
# test-aarch64 builds the tests with compio's poll driver, as QEMU's user mode
# has no io_uring. It installs QEMU and a linker (Debian, root or sudo). The
# tests see COMPIO_SYNC_SLOW=1. A binary is killed after TEST_TIMEOUT seconds
# (default 600).
#
# See lib/cross.sh for where the compilers come from.

# shellcheck source=lib/cross.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/cross.sh"

CHECKED=(
    aarch64-apple-darwin x86_64-apple-darwin x86_64-unknown-freebsd
    aarch64-unknown-linux-gnu i686-unknown-linux-gnu x86_64-pc-windows-gnu
)

test_aarch64() {
    local triple=aarch64-unknown-linux-gnu
    need gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
    use_target $triple
    export COMPIO_SYNC_SLOW=1
    exec cargo --config "target.$triple.linker='aarch64-linux-gnu-gcc'" \
        --config "target.$triple.runner=['timeout', '-k', '10', '${TEST_TIMEOUT:-600}', 'qemu-aarch64', '-L', '/usr/aarch64-linux-gnu']" \
        test --target $triple "${POLLING[@]}" "$@"
}

# clippy_for TRIPLE [ARGS]: with what this run's arguments want
clippy_for() {
    cargo clippy --quiet --target "$@" "${cargo_args[@]}" -- -D warnings
}

# check TRIPLE: report it in one line, and what is wrong before that
check() {
    local triple=$1 what=--all-targets note='' log=$CACHE/check-$1.log
    use_target "$triple"
    case $triple in
        # the io-uring crate's bindings are for 64 bits and refuse to compile; to check, they do
        i686-*-linux-*) export RUSTFLAGS="${RUSTFLAGS:-} --cfg=io_uring_skip_arch_check";;
    esac
    if ! clippy_for "$triple" $what >"$log" 2>&1; then
        if ! grep -q 'failed to run custom build command' "$log" || {
            what=--lib
            note=" (the library alone: a build script of another dependency failed, see $log)"
            log=$log.lib
            ! clippy_for "$triple" $what >"$log" 2>&1
        }; then
            cat "$log"
            printf '%-28s FAILED%s\n' "$triple" "$note"
            return 1
        fi
    fi
    printf '%-28s ok%s\n' "$triple" "$note"
}

if [ "${1:-}" = test-aarch64 ]; then
    shift
    test_aarch64 "$@"
fi

triples=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do triples+=("$1"); shift; done
cargo_args=("${@:2}")
[ ${#triples[@]} -gt 0 ] || triples=("${CHECKED[@]}")

failed=()
for triple in "${triples[@]}"; do
    # in a subshell: what it sets, and a die in it, are for this target alone
    (check "$triple") || failed+=("$triple")
done
[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
