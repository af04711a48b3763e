#!/usr/bin/env bash
#
# Measure which lines the tests reach, with both feature sets.
#
#   scripts/coverage.sh [CARGO LLVM-COV REPORT ARGS...]
#
#   scripts/coverage.sh --html
#   scripts/coverage.sh --lcov --output-path lcov.info
#
# Needs cargo-llvm-cov, and installs it if it is not there.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

command -v cargo-llvm-cov >/dev/null || cargo install --locked cargo-llvm-cov
rustup component add llvm-tools >/dev/null 2>&1 || true

cargo llvm-cov clean
cargo llvm-cov test --no-report
cargo llvm-cov test --no-report --no-default-features
cargo llvm-cov report "$@"
