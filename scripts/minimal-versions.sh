#!/usr/bin/env bash
#
# Check that the library builds with the lowest versions that Cargo.toml allows:
# of its own dependencies, then of theirs as well.
#
#   scripts/minimal-versions.sh [CARGO CHECK ARGS...]
#
# It works on a copy, without dev-dependencies, and with a stable compiler
# (RUSTC_BOOTSTRAP for choosing the versions, not for the build).

# shellcheck source=lib/tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/tree.sh"

use_copy minimal-versions

# Dev-dependencies would raise the versions that the library shares with them.
awk '/^\[/ {skip = /dev-dependencies/} !skip' Cargo.toml >Cargo.toml.new
mv Cargo.toml.new Cargo.toml

for versions in direct-minimal-versions minimal-versions; do
    say "$versions"
    rm -f Cargo.lock
    RUSTC_BOOTSTRAP=1 cargo "-Z$versions" update --quiet
    cargo tree --depth 1
    cargo check --lib "$@"
    cargo check --lib --no-default-features "$@"
done
