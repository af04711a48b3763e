#!/usr/bin/env bash
# Builds the examples and runs them; bounded_tasks is compared with sha256sum on a tree of
# 20,000 files with awkward names.
#
#   scripts/check-examples.sh
#
# EXAMPLES_DIR=DIR runs the examples that are in DIR, as far as they are there, and builds
# nothing.
#
# Needs bash, perl and the GNU find, sort and sha256sum.
set -euo pipefail

readonly files=20000
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/check-examples.XXXXXX")
failures=0
child=

cleanup() {
    if [[ -n $child ]]; then
        kill -KILL "$child" 2>/dev/null || true
    fi
    chmod -R u+rwX "$tmp/denied" 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# check NAME COMMAND...: the command must succeed.
check() {
    local name=$1
    shift
    if "$@" >"$tmp/check" 2>&1; then
        printf '%-60s ok\n' "$name"
    else
        printf '%-60s FAILED\n' "$name"
        sed -n '1,10{s/^/    /;p;}' "$tmp/check"
        failures=$((failures + 1))
    fi
}

skip() {
    printf '%-60s skipped: %s\n' "$1" "$2"
}

# run NAME ARG...: runs bounded_tasks, with its output in NAME.out, NAME.err and NAME.status.
run() {
    local name=$1 status=0
    shift
    "${as[@]}" "$bounded" "$@" >"$tmp/$name.out" 2>"$tmp/$name.err" </dev/null || status=$?
    echo "$status" >"$tmp/$name.status"
}

status_is() {
    local status
    status=$(<"$tmp/$1.status")
    [[ $status == "$2" ]] || {
        echo "exit status $status, not $2"
        cat "$tmp/$1.err"
        return 1
    }
}

lines_are() {
    local lines
    lines=$(wc -l <"$1")
    ((lines == $2)) || {
        echo "$((lines)) lines, not $2"
        cat "$1"
        return 1
    }
}

is_empty() {
    [[ ! -s $1 ]] || {
        echo "not empty:"
        cat "$1"
        return 1
    }
}

has() {
    grep -q -a -e "$2" "$1" || {
        echo "no '$2' in:"
        cat "$1"
        return 1
    }
}

has_no_control() {
    ! LC_ALL=C grep -q -a $'[\r\033\b]' "$@" || {
        echo "control characters in: $*"
        return 1
    }
}

# reference PATH: what sha256sum says of the regular files under PATH, sorted by line. Split
# by xargs, so that a thousand names do not make one command too long.
reference() {
    find "$1" -type f -print0 | xargs -0 sha256sum | LC_ALL=C sort
}

same_lines() {
    LC_ALL=C sort "$1" >"$tmp/sorted"
    cmp "$tmp/sorted" "$2" || {
        diff "$tmp/sorted" "$2" | head -n 8 | cat -v
        return 1
    }
}

sorted_by_name() {
    # The sums are 64 digits, after a backslash if the name is escaped, and none is here.
    grep -v -a '^[\\]' "$1" | cut -b 67- >"$tmp/names"
    LC_ALL=C sort -c "$tmp/names"
}

most_open_within() {
    local most
    most=$(sed -n 's/^most files open at once: \([0-9]*\) (limit '"$2"')$/\1/p' "$1")
    if [[ -z $most ]] || ((most < 1 || most > $2)); then
        echo "limit $2, but: $(cat "$1")"
        return 1
    fi
}

runtimes_are() {
    local runtimes
    runtimes=$(grep -c -E '^runtime [0-9]+: (futex|iocp|generic), [0-9]+ files$' "$1" || true)
    ((runtimes == $2)) || {
        echo "$runtimes runtimes, not $2"
        cat "$1"
        return 1
    }
}

if [[ -n ${EXAMPLES_DIR:-} ]]; then
    bin=$(cd "$EXAMPLES_DIR" && pwd)
else
    (cd "$repo" && cargo build --release --example bounded_tasks --example basic_semaphore \
        --example condvar_signaling --example graceful_shutdown --example routing_table \
        --example game_of_life --example shared_config --example latched_start)
    bin=${CARGO_TARGET_DIR:-$repo/target}/release/examples
    bin=$(cd "$repo" && cd "$bin" && pwd)
fi

for example in basic_semaphore condvar_signaling routing_table game_of_life shared_config latched_start; do
    if [[ -n ${EXAMPLES_DIR:-} && ! -x $bin/$example ]]; then
        skip "$example" "not in $EXAMPLES_DIR"
    elif command -v timeout >/dev/null; then
        check "$example" timeout 60 "$bin/$example"
    else
        check "$example" "$bin/$example"
    fi
done

# Stopped while a connection is open: what was sent is answered, and all ends in good order.
stopped_gracefully() {
    local address answer status=0
    # What a script starts in the background would ignore the signal.
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV or die' "$bin/graceful_shutdown" --bound 2 \
        >"$tmp/server.out" 2>"$tmp/server.err" </dev/null &
    child=$!
    until address=$(sed -n 's/^listening on 127\.0\.0\.1://p' "$tmp/server.out") && [[ -n $address ]]; do
        kill -0 "$child" || return 1
    done
    exec 3<>"/dev/tcp/127.0.0.1/$address"
    echo first >&3
    read -r answer <&3
    echo second >&3
    kill -INT "$child"
    answer="$answer $(timeout 60 cat <&3)"
    exec 3>&-
    wait "$child" || status=$?
    child=
    cat "$tmp/server.out" "$tmp/server.err"
    echo "answers: $answer, exit status $status"
    [[ $answer == 'first second' && $status == 0 ]] &&
        grep -q '^cut: 0$' "$tmp/server.out" &&
        grep -q '^runtime [0-9]*: 1 connections, 13 bytes$' "$tmp/server.out"
}
if [[ -x $bin/graceful_shutdown ]]; then
    check "graceful_shutdown: answers, then ends" stopped_gracefully
else
    skip graceful_shutdown "not in $bin"
fi

# A copy that another user can run as well.
chmod 755 "$tmp"
cp "$bin/bounded_tasks" "$tmp/bounded_tasks"
chmod 755 "$tmp/bounded_tasks"
bounded=$tmp/bounded_tasks
as=()
cd "$tmp"

# Only newer ones escape a carriage return.
touch $'r\r'
escapes_return=$(sha256sum $'r\r' | grep -c '^[\\]' || true)

# 20,000 files, of which some have names that are hard on a list.
perl -e '
    use strict;
    use warnings;
    my ($root, $total, $return) = @ARGV;
    my $made = 0;
    sub file {
        my ($name, $text) = @_;
        open(my $file, ">", "$root/$name") or die "$root/$name: $!";
        print $file $text or die "$root/$name: $!";
        close($file) or die "$root/$name: $!";
        $made++;
    }
    sub dir {
        mkdir("$root/$_[0]") or die "$root/$_[0]: $!";
    }
    mkdir($root) or die "$root: $!";
    dir("names");
    my @nasty = (
        "with space", " leading", "trailing ", "-", "--list", "-dash", "*star*", "tab\there",
        "quote\x27s \"here\"", "\$(echo)", "back\\slash", "\\", "\\n", "ends\\", "new\nline",
        "\nfirst", "last\n", "\\\n\\", "\x01\x7f", "caf\xc3\xa9", "snow \xe2\x98\x83", "#", "~",
        "...", "\x1b[31mred", "l" x 255,
    );
    push @nasty, "return\rhere", "last\r" if $return;
    # Names that are not UTF-8, which some filesystems refuse.
    for my $name ("latin \xe9", "\xff\xfe", "half \xe2\x98") {
        if (open(my $file, ">", "$root/names/$name")) {
            close($file);
            push @nasty, $name;
        }
    }
    file("names/$_", "in $_\n") for @nasty;
    for my $name ("dir with space", "dir\nnew", "dir\\back", "-dir", "empty dir") {
        dir($name);
        next if $name eq "empty dir";
        file("$name/$_", "$name $_") for "a", "b\nc", "-x";
    }
    my $deep = "deep";
    for my $level (1 .. 40) {
        dir($deep);
        file("$deep/at $level", "level $level\n");
        $deep .= "/d";
    }
    dir("empty");
    file("empty/$_", "") for 1 .. 200;
    dir("sizes");
    for my $size (1, 55, 56, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 131071, 131072,
        131073, 262144, 262145) {
        file("sizes/$size", "x" x $size);
    }
    file("sizes/large", join("", map { pack("N4", $_, $_ * 7, $_ ^ 0x5a5a, 3) } 1 .. 400_000));
    my $dir = "";
    for (my $n = 0; $made < $total; $n++) {
        if ($n % 250 == 0) {
            $dir = sprintf("many%03d", $n / 250);
            dir($dir);
        }
        file("$dir/file $n", "$n\n" x ($n % 40));
    }
' tree "$files" "$escapes_return"
ln -s names/-dash tree/link-to-file
ln -s .. tree/deep/loop
ln -s loop-b tree/loop-a
ln -s loop-a tree/loop-b
ln -s nowhere tree/dangling
mkfifo tree/fifo

reference tree >tree.reference
check "the tree has $files files" lines_are <(find tree -type f -printf '\n') "$files"

run list --list tree
check "--list: exit status 0" status_is list 0
check "--list: sha256sum -c accepts it" sha256sum -c --quiet list.out
check "--list: the same lines as sha256sum prints" same_lines list.out tree.reference
check "--list: sorted by name" sorted_by_name list.out
check "--list: the summary is on stderr" has list.err "^$files files, "
check "no progress bar in a pipe, on stderr" has_no_control list.err

(cd tree && find . -type f -print0 | xargs -0 sha256sum | LC_ALL=C sort) >dot.reference
(cd tree && run dot --list)
check "PATH defaults to the current directory" same_lines dot.out dot.reference

# The arguments of script(1) are not the same everywhere.
if command -v script >/dev/null && script -q -e -c true /dev/null >/dev/null 2>&1 </dev/null; then
    TERM=xterm script -q -e -c "'$bounded' tree" /dev/null >terminal.out </dev/null
    check "a progress bar on a terminal" has terminal.out " of $files files"
else
    skip "a progress bar on a terminal" "no script(1) that takes -c"
fi

run limit --open 3 --threads 2 tree
check "--open 3 --threads 2: exit status 0" status_is limit 0
check "--open 3 --threads 2: at most 3 files open" most_open_within limit.out 3
check "--open 3 --threads 2: two runtimes" runtimes_are limit.out 2
check "--open 3 --threads 2: all files" has limit.out "^$files files, "
check "--open 3 --threads 2: nothing on stderr" is_empty limit.err
check "no progress bar in a pipe, on stdout" has_no_control limit.out

run one --open 1 --threads 3 --list tree
check "--open 1 --threads 3: the same list" cmp one.out list.out
check "--open 1 --threads 3: at most 1 file open" most_open_within one.err 1
run wide --open=1000 --threads=1 --list tree
check "--open=1000 --threads=1: the same list" cmp wide.out list.out

run file --list $'tree/names/new\nline'
sha256sum $'tree/names/new\nline' >file.reference
check "PATH is a regular file" cmp file.out file.reference
ln -s tree/names linked
run linked --list linked
reference linked/ >linked.reference
check "PATH is a link to a directory" same_lines linked.out linked.reference
printf dash >./-
run dash --list -
check "PATH is a dash" sha256sum -c --quiet dash.out

run missing no-such-path
check "PATH is missing: exit status 2" status_is missing 2
check "PATH is missing: one line" lines_are missing.err 1
check "PATH is missing: it is named" has missing.err no-such-path
run special tree/fifo
check "PATH is a fifo: exit status 2" status_is special 2
run dangling tree/dangling
check "PATH is a dangling link: exit status 2" status_is dangling 2

usage() {
    run usage "$@"
    status_is usage 2 && lines_are usage.err 1 && is_empty usage.out
}
check "--open 0" usage --open 0
check "--open many" usage --open many
check "--open without a number" usage --open
check "--threads 0" usage --threads 0
check "an unknown option" usage --no-such-option
check "two paths" usage tree tree
run help --help
check "--help: exit status 0" status_is help 0
check "--help: on stdout" has help.out '^Usage:'

# A reader that leaves early.
set +e
"$bounded" --list tree 2>closed.err | head -n 1 >closed.out
closed=("${PIPESTATUS[@]}")
set -e
echo "${closed[0]}" >closed.status
check "a closed pipe: exit status 0" status_is closed 0
check "a closed pipe: one line is read" cmp closed.out <(head -n 1 list.out)
check "a closed pipe: no panic" has closed.err '^failed: 0$'
if [[ -w /dev/full ]]; then
    status=0
    "$bounded" --list tree >/dev/full 2>full.err || status=$?
    echo "$status" >full.status
    check "a full disk: exit status 1" status_is full 1
    check "a full disk: reported" has full.err 'cannot write the result'
else
    skip "a full disk" "no /dev/full"
fi

# Permission bits do not bind root, so it becomes someone else.
mkdir denied denied/dir denied/rest
echo secret >denied/file
echo secret >denied/dir/inside
for ((n = 0; n < 600; n++)); do
    echo "$n" >"denied/rest/$n"
done
reference denied/rest >denied.reference
chmod -R go+rX denied
chmod 000 denied/file denied/dir
if ((EUID != 0)); then
    can_deny=1
elif setpriv --reuid=65534 --regid=65534 --clear-groups "$bounded" --help >/dev/null 2>&1; then
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    can_deny=1
else
    can_deny=0
fi
if ((can_deny)); then
    run denied --list denied
    as=()
    check "an unreadable file and directory: exit status 1" status_is denied 1
    check "an unreadable file is reported" has denied.err 'cannot open "denied/file": '
    check "an unreadable directory is reported" has denied.err 'cannot list "denied/dir": '
    check "both are counted" has denied.err '^failed: 2$'
    check "nothing else is lost" same_lines denied.out denied.reference
else
    skip "an unreadable file and directory" "root can read all, and there is no setpriv"
fi

# A path that is too long to open by name: this binds root as well.
mkdir long
echo short >long/short
perl -e '
    chdir("long") or die;
    for (1 .. 20) {
        mkdir("d" x 250) or die "mkdir: $!";
        chdir("d" x 250) or die "chdir: $!";
        open(my $file, ">", "f") or die "open: $!";
    }
'
run long --list long
check "a path that is too long: exit status 1" status_is long 1
check "a path that is too long: counted" has long.err '^failed: 1$'
check "a path that is too long: sha256sum -c accepts the rest" sha256sum -c --quiet long.out
check "a path that is too long: nothing else is lost" has long.out '  long/short$'

# Files that vanish between the listing and the opening. All are listed at once, and with one
# file open at a time the rest must wait for a large one: it is stopped there, and they go.
# Large ones stand first, last and between, whatever the order of the directory is.
vanish() {
    local size=$1 n
    rm -rf vanish
    mkdir vanish
    for ((n = 0; n < 60; n++)); do
        if ((n % 20 == 0 || n == 59)); then
            truncate -s "$size" "vanish/large $n"
        fi
        echo "$n" >"vanish/small $n"
    done
    "$bounded" --open 1 --threads 1 --list vanish >vanish.out 2>vanish.err </dev/null &
    child=$!
    if [[ -d /proc/$child/fd ]]; then
        for ((n = 0; n < 1000; n++)); do
            if find "/proc/$child/fd" -lname '*/large *' 2>/dev/null | grep -q .; then
                break
            fi
        done
    else
        sleep 0.2
    fi
    kill -STOP "$child" 2>/dev/null || true
    rm vanish/small*
    kill -CONT "$child" 2>/dev/null || true
    n=0
    wait "$child" || n=$?
    child=
    echo "$n" >vanish.status
    grep -q 'cannot open "vanish/small .*No such file' vanish.err
}
# If it was stopped too late or too early, the large ones were not large enough.
for size in 64M 256M 1G; do
    if vanish "$size"; then
        break
    fi
done
vanished=$(grep -c 'cannot open "vanish/small .*No such file' vanish.err || true)
check "vanished files: exit status 1" status_is vanish 1
check "vanished files: each is reported and counted" has vanish.err "^failed: $((vanished))\$"
check "vanished files: some did" test "$vanished" -ge 1
grep -v 'vanish/small' vanish.out >vanish.large || true
reference vanish >vanish.reference
check "vanished files: nothing else is lost" same_lines vanish.large vanish.reference
check "vanished files: all are listed or reported" test \
    "$((vanished + $(grep -c 'vanish/small' vanish.out || true)))" -eq 60

if ((failures)); then
    echo "$failures checks FAILED"
    exit 1
fi
echo "all checks passed"
