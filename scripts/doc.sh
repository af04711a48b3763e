#!/usr/bin/env bash
#
# Build the documentation with both feature sets; warnings are errors.
#
#   scripts/doc.sh [CARGO DOC ARGS...]

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

export RUSTDOCFLAGS="-D warnings ${RUSTDOCFLAGS:-}"
say "documentation, no default features"
cargo doc --no-deps --no-default-features "$@"
say "documentation, default features"
cargo doc --no-deps "$@"
