#!/usr/bin/env bash
#
# Build the tests for Windows and run them under Wine.
#
#   scripts/windows.sh             all tests once; windows_specific 25 times; what
#                                  depends on the port with compio's iocp-global, too;
#                                  and the examples
#   scripts/windows.sh CARGO TEST ARGS... [-- TEST ARGS...]
#   scripts/windows.sh examples    the examples; bounded_tasks on awkward names, and on a
#                                  file that another program keeps for itself
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

# One server for all programs. Else each has one that ends soon after it, and now and then takes a
# program with it that comes just then: "wine client error: Connection reset by peer".
server=$(command -v wineserver64 || command -v wineserver || true)
[ -n "$server" ] || server=/usr/lib/wine/wineserver64
if [ -x "$server" ]; then
    export WINEPREFIX=$PREFIX
    "$server" -w
    "$server" -p
    trap '"$server" -k || true' EXIT
fi

cargo_for_windows() {
    cargo --config "target.$TRIPLE.linker='x86_64-w64-mingw32-gcc'" --config "target.$TRIPLE.runner=['$LIB/wine-run']" \
        "$1" --target $TRIPLE "${@:2}"
}
cargo_test() { cargo_for_windows test "$@"; }

# Opens a file, shares it with nobody, and runs a program meanwhile
make_hold() {
    x86_64-w64-mingw32-gcc -O2 -o "$1" -x c - <<'C'
#include <process.h>
#include <windows.h>

int main(int argc, char **argv)
{
    if (argc < 3 || CreateFileA(argv[1], GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE)
        return 99;
    return _spawnv(_P_WAIT, argv[2], (const char *const *)argv + 2);
}
C
}

examples() {
    local dir=$CACHE/windows-examples bin long status=0 files listed reported
    cargo_for_windows build --example bounded_tasks --example basic_semaphore --example condvar_signaling
    bin=$(cd "${CARGO_TARGET_DIR:-target}/$TRIPLE/debug/examples" && pwd)
    "$LIB/wine-run" "$bin/basic_semaphore.exe"
    "$LIB/wine-run" "$bin/condvar_signaling.exe"

    rm -rf "$dir"
    mkdir -p "$dir"
    make_hold "$dir/hold.exe"
    cp "$bin/bounded_tasks.exe" "$dir"
    cd "$dir" || die "no $dir"
    # longer than MAX_PATH; device names; what Windows does not allow in names, but may meet
    long=tree/$(printf 'a%.0s' {1..120})/$(printf 'b%.0s' {1..120})
    mkdir -p tree/sub "$long"
    for name in plain 'two  spaces' 'ünï 日本' con.txt aux 'end.' 'end ' 'co:lon' 'what?' 'st*r' 'sub/nul' held; do
        echo "$name" >"tree/$name"
    done
    echo far >"$long/far"
    for n in {1..300}; do echo "$n" >"tree/sub/$n"; done
    files=$(find tree -type f | wc -l)
    "$LIB/wine-run" hold.exe 'tree\held' bounded_tasks.exe --open 8 --threads 2 --list tree >list 2>errors || status=$?
    listed=$(wc -l <list)
    reported=$(grep -c '^bounded_tasks: cannot' errors || true)
    say "bounded_tasks: $files files, $listed hashed, $reported reported, exit status $status"
    grep -v 'bounded_tasks: cannot' errors || true
    sha256sum --quiet -c list || die "wrong sums"
    grep -F 'bounded_tasks: cannot open "tree\\held"' errors || { cat errors >&2; die "the held file is not reported"; }
    for name in plain 'two  spaces' 'ünï 日本' "${long#tree/}/far" sub/300; do
        grep -qF "  tree/$name" list || { cat errors >&2; die "not hashed: $name"; }
    done
    if [ "$status" != 1 ] || [ $((listed + reported)) != "$files" ]; then cat errors >&2; die "not all was hashed or reported"; fi
    cd "$CRATE_DIR" || die "no $CRATE_DIR"
}

if [ "${1:-}" = examples ]; then
    examples
    exit
elif [ $# -gt 0 ]; then
    cargo_test "$@"
    exit
fi
say "all tests"
REPEAT=1 cargo_test --tests
say "windows_specific, ${REPEAT:-25} times"
REPEAT=${REPEAT:-25} cargo_test --test windows_specific
say "compio's iocp-global"
REPEAT=1 cargo_test --features compio/iocp-global --lib --test windows_specific --test delivery_tests --test runtimes_tests
say "the examples"
examples
