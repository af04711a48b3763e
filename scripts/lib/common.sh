# shellcheck shell=bash
#
# What every script here needs; source it, don't run it. It enters the crate's
# directory, gives the messages one look and finds packages.
#
#   CRATE_DIR          the crate to work on     (default: the parent of scripts/)
#   COMPIO_SYNC_CACHE  downloads, logs, images  (default: target/ci-cache in CRATE_DIR)
#   DEBIAN_MIRROR      a Debian archive's URL   (default: the one this machine's apt uses)
#
# Build jobs are cargo's own business: CARGO_BUILD_JOBS.

set -euo pipefail

SCRIPT=$(readlink -f "$0")
LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CRATE_DIR=$(cd "${CRATE_DIR:-$LIB/../..}" && pwd)
CACHE=${COMPIO_SYNC_CACHE:-$CRATE_DIR/target/ci-cache}
mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd)
cd "$CRATE_DIR"

# Wherever there is no io_uring, compio runs only with its poll driver built in.
# The feature is the dev-dependency's, so it reaches the tests alone.
# shellcheck disable=SC2034  # for the scripts that source this
POLLING=(--features compio/polling)

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# usage STATUS: print the header comment of the script and exit
usage() {
    awk 'NR < 3 {next} !/^#/ {exit} {sub(/^# ?/, ""); print}' "$SCRIPT"
    exit "$1"
}
case ${1:-} in -h|--help) usage 0;; esac

# need PACKAGE...: install the Debian packages that are missing
need() {
    local p missing=() as_root=()
    for p in "$@"; do
        case $(dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null) in
            ii*) ;;
            *) missing+=("$p");;
        esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "not root; please install: ${missing[*]}"
        as_root=(sudo)
    fi
    say "apt-get install ${missing[*]}"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install -y -q --no-install-recommends "${missing[@]}")
    "${install[@]}" >"$CACHE/apt.log" 2>&1 && return 0
    # no package lists yet, or stale ones
    "${as_root[@]}" apt-get update -q >>"$CACHE/apt.log" 2>&1 || true
    "${install[@]}" >>"$CACHE/apt.log" 2>&1 || { tail -n 20 "$CACHE/apt.log" >&2; die "apt-get install ${missing[*]}"; }
}

debian_mirror() {
    local uri=${DEBIAN_MIRROR:-}
    # the first URI named for this release, in either format of apt's sources
    if [ -z "$uri" ]; then
        uri=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list 2>/dev/null |
            awk '{sub(/\[[^]]*\]/, "")} $1 == "URIs:" || $1 == "deb" {u = $2; sub(/\/+$/, "", u); if (u ~ /\/debian(\.list)?$/) {print u; exit}}')
    fi
    [ -n "$uri" ] || die "this machine's apt names no Debian archive: set DEBIAN_MIRROR"
    printf '%s\n' "${uri%/}"
}

# private_apt STATE SUITE...: from now on `papt TOOL ARGS` is apt for these
# suites alone, with state and cache of its own below STATE. The machine's apt
# is not touched, signatures are checked as ever. Lists are refreshed daily.
private_apt() {
    local dir=$1 suite mirror options key=/usr/share/keyrings/debian-archive-keyring.gpg
    shift
    need debian-archive-keyring
    mirror=$(debian_mirror)
    mkdir -p "$dir"/{etc/{apt.conf.d,preferences.d,sources.list.d,trusted.gpg.d},lists/partial,cache/archives/partial}
    : >"$dir/status"
    for suite in "$@"; do
        options=signed-by=$key
        case $suite in
            # an archive's copies of these may lag behind their short validity
            sid|experimental|forky) options+=' check-valid-until=no';;
        esac
        case $suite in
            # .../debian-security, or for a file of mirrors .../debian-security.list
            *-security) printf 'deb [%s] %s %s main\n' "$options" "${mirror%/debian*}/debian-security${mirror##*/debian}" "$suite";;
            *)          printf 'deb [%s] %s %s main\n' "$options" "$mirror" "$suite";;
        esac
    done >"$dir/sources.new"
    cat >"$dir/apt.conf" <<C
Dir::Etc "$dir/etc";
Dir::Etc::parts "$dir/etc/apt.conf.d";
Dir::State "$dir";
Dir::State::lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
C
    PRIVATE_APT_CONF=$dir/apt.conf
    if ! cmp -s "$dir/sources.new" "$dir/etc/sources.list" ||
        [ -z "$(find "$dir/updated" -mmin -1440 2>/dev/null)" ]; then
        cp "$dir/sources.new" "$dir/etc/sources.list"
        # a suite that has gone from the archive must not spoil the others
        papt apt-get -q update >"$dir/update.log" 2>&1 || true
        if [ -n "$(find "$dir/lists" -maxdepth 1 -name '*_Packages*' -print -quit)" ]; then
            touch "$dir/updated"
        else
            tail -n 10 "$dir/update.log" >&2
            return 1
        fi
    fi
}
papt() { APT_CONFIG=$PRIVATE_APT_CONF "$@"; }
