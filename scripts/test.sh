#!/usr/bin/env bash
#
# Run all tests, those in the documentation too.
#
#   scripts/test.sh [default|generic|polling|all] [CARGO TEST ARGS...] [-- TEST ARGS...]
#
#   default   with the default features: the doorbell of this platform
#   generic   without: the doorbell that works everywhere
#   polling   with the default features, and on Linux with compio's polling driver
#             besides: a runtime decides at run time, and has io_uring if it can
#   all       default, then generic; this is what no name means
#
#   scripts/test.sh generic --test semaphore_tests -- fair
#
# COMPIO_SYNC_EXPECT (see docs/TESTING.md) is set for the tests, unless it is already,
# if what doorbell there is can be told without the crate.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

features=all
case ${1:-} in default|generic|polling|all) features=$1; shift;; esac

# Whether runtimes must have the futex doorbell: a kernel whose io_uring has futex
# operations, and nothing that denies it. Who cannot tell says no, and the tests ask
# the kernel. The crate itself never goes by a version.
has_futexes() {
    local major minor
    [ "$(uname -s)" = Linux ] || return 1
    IFS=. read -r major minor _ <<<"$(uname -r)"
    [ "$major" -gt 6 ] || { [ "$major" = 6 ] && [ "${minor%%[!0-9]*}" -ge 7 ]; } || return 1
    [ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null)" = 0 ] || return 1
    # a container's filter on system calls would be inherited
    grep -q '^Seccomp:[[:space:]]*0$' /proc/self/status
}

# run TITLE DOORBELL CARGO TEST ARGS...: with what to expect, nothing if it is not known
run() {
    local expect=${COMPIO_SYNC_EXPECT:-$2}
    say "tests, $1${expect:+ (expected: the $expect doorbell)}"
    shift 2
    if [ -n "$expect" ]; then
        COMPIO_SYNC_EXPECT=$expect cargo test "$@"
    else
        cargo test "$@"
    fi
}

futex=
if has_futexes; then futex=futex; fi
case $features in
    default|all) run "default features" "$futex" "$@";;
    polling)     run "default features and polling" "$futex" "${POLLING[@]}" "$@";;
esac
case $features in
    generic|all) run "no default features" generic --no-default-features "$@";;
esac
