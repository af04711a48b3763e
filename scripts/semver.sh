#!/usr/bin/env bash
#
# Check that the public interface changed no more than the version number says.
#
#   scripts/semver.sh [REVISION]
#
# Compares with REVISION, by default the last release (the newest tag v*). Needs
# cargo-semver-checks, and installs it if it is not there.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

base=${1:-$(git describe --tags --match 'v[0-9]*' --abbrev=0 2>/dev/null || true)}
if [ -z "$base" ]; then
    say "no release yet: there is nothing to compare with"
    exit 0
fi
command -v cargo-semver-checks >/dev/null || cargo install --locked cargo-semver-checks
say "compared with $base"
cargo semver-checks --baseline-rev "$base"
