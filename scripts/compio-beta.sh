#!/usr/bin/env bash
#
# Run the tests against the next release of compio, from the same source.
#
#   scripts/compio-beta.sh [CARGO ARGS...]       cargo test by default
#
#   scripts/compio-beta.sh test --no-default-features --test semaphore_tests
#   scripts/compio-beta.sh clippy --all-targets -- -D warnings
#
# It works on a copy of the tree, with other versions in Cargo.toml: those below.

# shellcheck source=lib/tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/tree.sh"

next_version() {
    case $1 in
        compio)                                       echo 0.20.0-beta.1;;
        compio-executor)                              echo 0.2.0-beta.1;;
        compio-driver|compio-runtime)                 echo 0.13.0-beta.1;;
        compio-fs|compio-net)                         echo 0.13.0-beta.1;;
        compio-buf)                                   echo 0.9.0-beta.1;;
        compio-io)                                    echo 0.11.0-beta.1;;
        *) die "scripts/compio-beta.sh does not know the next version of $1";;
    esac
}

use_copy compio-beta

changed=()
while read -r crate; do
    next=$(next_version "$crate")
    sed -E -i.old "s/^($crate *= *)\"[^\"]*\"/\1\"=$next\"/; s/^($crate *=.*version *= *)\"[^\"]*\"/\1\"=$next\"/" Cargo.toml
    changed+=("$crate $next")
done < <(sed -nE 's/^(compio(-[a-z-]+)?) *=.*/\1/p' Cargo.toml | sort -u)
[ ${#changed[@]} -gt 0 ] || die "Cargo.toml names no crate of compio's"

[ $# -gt 0 ] || set -- test
cargo metadata --format-version 1 >/dev/null    # brings the lock file up to date
for crate in "${changed[@]}"; do
    # No other version next to it, or the tests would be of that one.
    [ "$(locked "${crate% *}")" = "${crate#* }" ] || die "not built with $crate, but: $(locked "${crate% *}")"
done
say "cargo $* with ${changed[*]}"
cargo "$@"
