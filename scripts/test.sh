#!/usr/bin/env bash
#
# Run all tests, those in the documentation too.
#
#   scripts/test.sh [default|generic|all] [CARGO TEST ARGS...] [-- TEST ARGS...]
#
#   default   with the default features: the doorbell of this platform
#   generic   without: the doorbell that works everywhere
#   all       one after the other; this is what no name means
#
#   scripts/test.sh generic --test semaphore_tests -- fair

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

features=all
case ${1:-} in default|generic|all) features=$1; shift;; esac

if [ "$features" != generic ]; then
    say "tests, default features"
    cargo test "$@"
fi
if [ "$features" != default ]; then
    say "tests, no default features"
    cargo test --no-default-features "$@"
fi
