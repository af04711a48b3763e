# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
#
# Copies of the crate to build in another way; source it, don't run it. Includes
# common.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# use_copy NAME: copy the crate to a place of its own, and go there. Its builds
# are kept apart as well, and from run to run.
use_copy() {
    local dir=$CACHE/$1/tree
    rm -rf "$dir"
    mkdir -p "$dir"
    tar -cf - --exclude=./target --exclude=./.git . | tar -xf - -C "$dir"
    export CARGO_TARGET_DIR=$CACHE/$1/target
    cd "$dir"
}

# locked CRATE: its versions in the lock file, one per line
locked() {
    awk -v name="name = \"$1\"" '$0 == name {getline; gsub(/version = |"/, ""); print}' Cargo.lock
}
