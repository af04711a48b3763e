#!/usr/bin/env bash
#
# Check the dependencies: known vulnerabilities, licences, sources, duplicates.
#
#   scripts/deny.sh [advisories|bans|licenses|sources]...     all by default
#
# deny.toml says what is allowed. Needs cargo-deny, and installs it if it is not
# there; advisories need a network.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
cargo deny check "$@"
