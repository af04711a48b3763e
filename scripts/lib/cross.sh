# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
#
# Compilers for other targets and instrumented builds; source it, don't run it.
# Includes common.sh.
#
# The standard library of a target comes from rustup. Where rustup can't
# download, it is built from its source (of the very same version: rustup's
# rust-src, else Debian's package) into a copy of the toolchain. The copy
# consists of hard links if it can; the installed toolchain stays as it is.
#
#   COMPIO_SYNC_CROSS   where all of that goes; it may be deleted at any time
#                       (default ~/.cache/compio-sync)
#   COMPIO_SYNC_RUSTUP  "no": don't ask rustup, take Debian's source
#   RUSTUP_LIMIT        seconds for a download by rustup (default 120)

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CROSS=${COMPIO_SYNC_CROSS:-$HOME/.cache/compio-sync}
mkdir -p "$CROSS"
CROSS=$(cd "$CROSS" && pwd)
export COMPIO_SYNC_CROSS=$CROSS

# Suites that may hold a compiler's exact version; the package fits any release
SOURCE_SUITES=(trixie-backports sid forky experimental)

INSTALLED=$(rustc --print sysroot)              # the toolchain that is active here
VERSION=$(rustc -V | cut -d ' ' -f 2)
COPY=$CROSS/rust-$VERSION                       # its copy, with more targets
PLAIN_PATH=$PATH
PLAIN_TARGET_DIR=${CARGO_TARGET_DIR-}

# by_rustup ARGS: let rustup add something to the active toolchain
by_rustup() {
    [ "${COMPIO_SYNC_RUSTUP:-yes}" != no ] && command -v rustup >/dev/null || return 1
    say "rustup $*"
    timeout "${RUSTUP_LIMIT:-120}" rustup "$@" >"$CROSS/rustup.log" 2>&1
}

has_std() { [ -n "$(find "$1/lib/rustlib/$2/lib" -name 'libstd-*.rlib' -print -quit 2>/dev/null)" ]; }
has_source() { [ -e "$1/lib/rustlib/src/rust/library/std/Cargo.toml" ]; }

# use_toolchain SYSROOT: cargo and rustc are now those of the installed
# toolchain or of the copy. Cargo does not tell two builds of one standard
# library apart, hence a target directory for each.
use_toolchain() {
    if [ "$1" = "$INSTALLED" ]; then
        PATH=$PLAIN_PATH
        if [ -n "$PLAIN_TARGET_DIR" ]; then export CARGO_TARGET_DIR=$PLAIN_TARGET_DIR; else unset CARGO_TARGET_DIR; fi
    else
        PATH=$1/bin:$PLAIN_PATH
        export CARGO_TARGET_DIR=${PLAIN_TARGET_DIR:-$CRATE_DIR/target}/rust-copy
    fi
    hash -r
}

# use_target TRIPLE: make cargo able to build for it
use_target() {
    if [ "${COMPIO_SYNC_RUSTUP:-yes}" != no ] && has_std "$INSTALLED" "$1"; then
        use_toolchain "$INSTALLED"
    elif [ ! -e "$COPY/lib/rustlib/$1/.built" ] && by_rustup target add "$1"; then
        use_toolchain "$INSTALLED"
    else
        make_copy
        use_toolchain "$COPY"
        build_std "$1"
    fi
}

# use_source: make cargo able to build the standard library itself
use_source() {
    if [ "${COMPIO_SYNC_RUSTUP:-yes}" != no ] && { has_source "$INSTALLED" || by_rustup component add rust-src; }; then
        use_toolchain "$INSTALLED"
    else
        make_copy
        use_toolchain "$COPY"
    fi
}

# The copy of the installed toolchain, with the library's source in it
make_copy() {
    local stamp source
    stamp="$INSTALLED $(rustc -vV | sha256sum | cut -c 1-16)"
    [ "$(cat "$COPY/.copy-of" 2>/dev/null)" != "$stamp" ] || return 0
    if [ ! -x "$INSTALLED/bin/rustc" ] || [ "$INSTALLED" = /usr ]; then die "the toolchain in $INSTALLED can't be copied"; fi
    find_source
    say "copying $INSTALLED, with the source in $source"
    rm -rf "$COPY"
    cp -al "$INSTALLED" "$COPY" 2>/dev/null || { rm -rf "$COPY"; cp -a "$INSTALLED" "$COPY"; }
    rm -rf "$COPY/share/doc" "$COPY/lib/rustlib/src"
    mkdir -p "$COPY/lib/rustlib/src"
    ln -s "$source" "$COPY/lib/rustlib/src/rust"
    echo "$stamp" >"$COPY/.copy-of"
}

# Name the library's source in $source
find_source() {
    local suite package tmp=$CROSS/source.tmp
    source=$INSTALLED/lib/rustlib/src/rust
    if [ "${COMPIO_SYNC_RUSTUP:-yes}" != no ] && { has_source "$INSTALLED" || by_rustup component add rust-src; }; then
        return 0
    fi
    source=$CROSS/rust-src-$VERSION
    [ ! -e "$source/library/std/Cargo.toml" ] || return 0
    for suite in "${SOURCE_SUITES[@]}"; do
        private_apt "$CROSS/apt-$suite" "$suite" || continue
        package=$(papt apt-cache madison rust-src |
            awk -v v="$VERSION" '{split($3, a, "[+]")} a[1] == v {print $3; exit}')
        [ -n "$package" ] || continue
        say "rust-src $package from $suite"
        rm -rf "$tmp" "$source"
        mkdir -p "$tmp"
        (cd "$tmp" && papt apt-get -q=2 download "rust-src=$package" && dpkg -x ./*.deb .) || continue
        mv "$tmp/usr/src/rustc-$VERSION" "$source"
        rm -rf "$tmp"
        return 0
    done
    die "no source of Rust $VERSION's standard library, neither from rustup nor in ${SOURCE_SUITES[*]}"
}

# build_std TRIPLE: into the copy, once. Optimized where tests are to run, in
# the quicker way where there are only checks.
build_std() {
    local triple=$1 profile=checks dir=$CROSS/build-std lib=$COPY/lib/rustlib/$1/lib object
    [ ! -e "$COPY/lib/rustlib/$triple/.built" ] || return 0
    case $triple in
        *-windows-gnu)       profile=release; need gcc-mingw-w64-x86-64-win32;;
        aarch64-*-linux-gnu) profile=release;;
    esac
    say "building the standard library of $triple ($profile)"
    mkdir -p "$dir"
    cat >"$dir/Cargo.toml" <<'T'
[package]
name = "build-std"
edition = "2021"

[lib]
path = "lib.rs"

[workspace]

[profile.release]
debug = "line-tables-only"

[profile.checks]
inherits = "dev"
debug = false
incremental = false
T
    echo '#![no_std]' >"$dir/lib.rs"
    (
        cd "$dir"
        unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER CARGO_BUILD_RUSTC_WRAPPER
        rm -rf "target/$triple"
        RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$dir/target cargo build -q --profile "$profile" --target "$triple" \
            -Z build-std=std,panic_unwind,proc_macro,test
    ) || die "can't build the standard library of $triple"
    rm -rf "$lib"
    mkdir -p "$lib"
    find "$dir/target/$triple/$profile/deps" -name '*.rlib' ! -name 'libbuild_std-*' -exec cp {} "$lib/" \;
    case $triple in
        *-windows-gnu)      # the objects that rustc puts around every program
            for object in rsbegin rsend; do
                RUSTC_BOOTSTRAP=1 rustc --cap-lints allow --edition 2024 --target "$triple" --crate-type lib --emit=obj \
                    -o "$lib/$object.o" "$COPY/lib/rustlib/src/rust/library/rtstartup/$object.rs"
            done;;
    esac
    rm -rf "$dir/target/$triple"
    touch "$COPY/lib/rustlib/$triple/.built"
}
