#!/usr/bin/env bash
#
# Build the tests for Windows and run them under Wine.
#
#   scripts/windows.sh             all tests once; windows_specific 25 times; and what
#                                  depends on the port with compio's iocp-global, too
#   scripts/windows.sh CARGO TEST ARGS... [-- TEST ARGS...]
#   scripts/windows.sh setup       only prepare: compiler, linker, Wine
#
#   scripts/windows.sh --test semaphore -- --nocapture
#   REPEAT=50 scripts/windows.sh --test notify
#
# Starts from a fresh Debian (root or sudo, to install MinGW and Wine) with
# cargo; only the first run takes long. A binary that hangs is killed and counts as
# failed. Doc tests run only if the arguments say so (--doc).
#
#   REPEAT        runs of each test binary, up to the first failure
#                 (default 1, for windows_specific 25 if there are no arguments)
#   WINE_TIMEOUT  seconds for one run of a binary                    (default 600)
#
# See lib/cross.sh for where the compiler comes from.

# shellcheck source=lib/cross.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/cross.sh"

TRIPLE=x86_64-pc-windows-gnu
PREFIX=$CROSS/wine

# Wine 8 has no bcryptprimitives.dll, from which Rust's standard library takes its random numbers
make_bcryptprimitives() {
    local source=$CROSS/bcryptprimitives.c
    cat >"$source" <<'C'
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length)
{
    while (length > 0) {
        ULONG n = length < 65536 ? (ULONG)length : 65536;
        if (!SystemFunction036(buffer, n))
            return FALSE;
        buffer += n;
        length -= n;
    }
    return TRUE;
}
C
    x86_64-w64-mingw32-gcc -O2 -shared -nostartfiles -Wl,-e,0 -o "$1" "$source" -ladvapi32
}

setup() {
    local version system=$PREFIX/drive_c/windows/system32
    need gcc-mingw-w64-x86-64-win32 wine64
    use_target $TRIPLE
    version=$(REPEAT=1 "$LIB/wine-run" --version)
    if [ "$(cat "$PREFIX/.made-by" 2>/dev/null)" != "$version" ]; then
        say "setting up $version"
        rm -rf "$PREFIX"
        REPEAT=1 WINE_TIMEOUT=180 "$LIB/wine-run" wineboot -i >"$CROSS/wineboot.log" 2>&1 ||
            { tail -n 20 "$CROSS/wineboot.log" >&2; die "wineboot failed"; }
        [ -e "$system/bcryptprimitives.dll" ] || make_bcryptprimitives "$system/bcryptprimitives.dll"
        echo "$version" >"$PREFIX/.made-by"
    fi
    say "$(rustc -V), $version"
}

setup
[ "${1:-}" != setup ] || exit 0

cargo_test() {
    cargo --config "target.$TRIPLE.linker='x86_64-w64-mingw32-gcc'" --config "target.$TRIPLE.runner=['$LIB/wine-run']" \
        test --target $TRIPLE "$@"
}

if [ $# -gt 0 ]; then
    cargo_test "$@"
    exit
fi
say "all tests"
REPEAT=1 cargo_test --tests
say "windows_specific, ${REPEAT:-25} times"
REPEAT=${REPEAT:-25} cargo_test --test windows_specific
say "compio's iocp-global"
REPEAT=1 cargo_test --features compio/iocp-global --lib --test windows_specific --test delivery_tests --test runtimes_tests
