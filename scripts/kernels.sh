#!/usr/bin/env bash
#
# Run every test binary of the crate under several Linux kernels, in QEMU.
#
#   scripts/kernels.sh [-k PASS]... [-t GLOB]... [CARGO TEST ARGS...] [-- TEST ARGS...]
#   scripts/kernels.sh fetch [PASS]...       only download the kernels
#
# The passes, all of them by default:
#   6.1       io_uring without futex operations
#   6.12      futex operations
#   6.18      processes have a private futex hash, made with their first thread
#   7.2       ... or with their first child process
#   disabled  kernel.io_uring_disabled=2 on 6.12; built with compio's poll driver
#
# -k picks passes, -t test binaries by name (unit tests have the crate's name).
# A filter on test functions belongs behind the --. Doc tests are not run.
#
#   scripts/kernels.sh -k 6.12 -k disabled --release
#   scripts/kernels.sh -k 7.2 -t semaphore -- fair
#
# Each kernel boots once and runs all the binaries one after another: a line per
# binary, the end of its output if it failed. Everything is kept in
# $COMPIO_SYNC_CACHE/kernel-logs/PASS/. The script fails if any binary fails, is
# killed for its time, or gives no result.
#
# The kernels are Debian's, the newest of each series, unpacked and not
# installed. Those once fetched are kept: remove $COMPIO_SYNC_CACHE/kernels to
# get newer ones. A series that has left the archive is replaced by another with
# the same traits.
#
# Needs Debian on x86_64 (elsewhere: DEBIAN_MIRROR), cargo, and root or sudo to
# install QEMU. Emulation is 10 to 20 times slower than the machine: tests see
# COMPIO_SYNC_SLOW=1 and may shrink their loops. They are told which doorbell a
# runtime must have there, by COMPIO_SYNC_EXPECT.
#
#   TEST_TIMEOUT    seconds for one binary in the guest  (default 600)
#   KERNEL_TIMEOUT  seconds for one pass                 (default 1800)
#   GUEST_CPUS, GUEST_ENV='A=1 B=2', ACCEL=kvm           (default 2, none, tcg)

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

ALL_PASSES=(6.1 6.12 6.18 7.2 disabled)

# The kernel series that can serve a pass, best first
series_for() {
    case $1 in
        6.1)      echo 6.1 5.10;;
        6.12)     echo 6.12 6.11 6.10;;
        6.18)     echo 6.18 6.17 6.19;;
        7.2)      echo 7.2 7.3 7.4;;
        disabled) echo 6.12 6.18 7.2;;
        *)        die "no pass called $1; there are: ${ALL_PASSES[*]}";;
    esac
}

# A pass is built as plain or as polling; the latter takes these cargo arguments more.
build_for() { if [ "$1" = disabled ]; then echo polling; else echo plain; fi; }
build_args() { if [ "$1" = polling ]; then printf '%s\n' "${POLLING[@]}"; fi; }

# The doorbell that the runtimes of a pass must have, for the tests to hold the crate to.
expected_doorbell() {
    case " $1 ${cargo_args[*]} " in
        *' 6.1 '*|*' disabled '*|*' --no-default-features '*) echo generic;;
        *) echo futex;;
    esac
}

# What the kernel does not know itself becomes the environment of the guest's first process.
guest_cmdline() {
    if [ "$1" = disabled ]; then echo sysctl.kernel.io_uring_disabled=2; fi
    echo "COMPIO_SYNC_EXPECT=$(expected_doorbell "$1")"
}

SUITES=(bookworm bookworm-security bookworm-backports trixie trixie-security trixie-backports)
LATER_SUITES=(forky sid experimental)   # asked only if those above have nothing

TEST_TIMEOUT=${TEST_TIMEOUT:-600}
KERNEL_TIMEOUT=${KERNEL_TIMEOUT:-1800}
GUEST_CPUS=${GUEST_CPUS:-2}
ACCEL=${ACCEL:-tcg}
KERNELS=$CACHE/kernels
LOGS=$CACHE/kernel-logs
MARK='=====[test binary]'

# ---- kernels ---------------------------------------------------------------

# cached_kernel SERIES: the newest image there is of a series
cached_kernel() {
    find "$KERNELS" -name "$1.[0-9]*.vmlinuz" 2>/dev/null | sort -V | tail -n 1
}

# download_kernel SERIES: the same, from the archive of private_apt. From 6.19
# on, the image is in a package of its own, linux-binary-*.
download_kernel() {
    local package abi tmp
    while read -r package; do
        abi=${package#linux-*-}
        tmp=$KERNELS/tmp
        rm -rf "$tmp"
        mkdir -p "$tmp"
        if (cd "$tmp" && papt apt-get -q=2 download "$package" &&
            dpkg-deb --fsys-tarfile ./*.deb >tar && rm ./*.deb &&
            tar -xf tar --wildcards --no-anchored "vmlinuz*") >"$KERNELS/download.log" 2>&1
        then
            find "$tmp" -type f -name 'vmlinuz*' -exec mv {} "$KERNELS/$abi.vmlinuz" \;
            rm -rf "$tmp"
            return 0
        fi
    done < <(papt apt-cache pkgnames linux- |
        grep -E "^linux-(image|binary)-${1//./\\.}\.[0-9][^ ]*-cloud-amd64\$" |
        sort -t - -k 3rV -k 2,2 | head -n 6)
    rm -rf "$KERNELS/tmp"
    return 1
}

# get_kernel PASS: make sure that a kernel for it is in the cache and name it in $kernel
get_kernel() {
    local series stage
    mkdir -p "$KERNELS"
    for stage in cache release later; do
        case $stage in
            release) private_apt "$KERNELS/apt" "${SUITES[@]}" || continue;;
            later)   private_apt "$KERNELS/apt-later" "${LATER_SUITES[@]}" || continue;;
        esac
        for series in $(series_for "$1"); do
            if [ $stage != cache ]; then
                say "fetching a $series kernel"
                download_kernel "$series" || continue
            fi
            kernel=$(cached_kernel "$series")
            [ -z "$kernel" ] || return 0
        done
    done
    [ ! -e "$KERNELS/download.log" ] || tail -n 5 "$KERNELS/download.log" >&2
    die "no kernel for the pass $1; looked for $(series_for "$1") in ${SUITES[*]} ${LATER_SUITES[*]}"
}

# ---- the guest -------------------------------------------------------------

# Put a file and the shared libraries it needs into the image being made
put() {
    install -D "$1" "$2"
    { ldd "$1" 2>/dev/null || true; } | grep -oE '/[^ ]+' | while read -r lib; do
        [ -e "$root$lib" ] || { mkdir -p "$root${lib%/*}"; cp -L "$lib" "$root$lib"; }
    done || true
}

# make_image BUILD: build the tests, put them into $CACHE/BUILD.initramfs and
# their names into $CACHE/BUILD.tests
make_image() {
    local build=$1 root=$CACHE/guest-$1 exe name n pattern wanted x args=()
    mapfile -t args < <(build_args "$build")
    say "building the tests ($build)"
    cargo test --no-run --message-format=json-render-diagnostics "${args[@]}" "${cargo_args[@]}" >"$CACHE/$build.json"

    rm -rf "$root"
    mkdir -p "$root"/{bin,dev,proc,sys,tmp,etc,root,tests}
    : >"$CACHE/$build.tests"
    while read -r exe; do
        name=$(basename "$exe" | sed -E 's/-[0-9a-f]{16}$//')
        if [ ${#globs[@]} -gt 0 ]; then
            wanted=
            # shellcheck disable=SC2053  # a glob is meant
            for pattern in "${globs[@]}"; do [[ $name == $pattern ]] && wanted=1; done
            [ -n "$wanted" ] || continue
        fi
        n=1 x=$name
        while [ -e "$root/tests/$name" ]; do n=$((n + 1)) name=$x-$n; done
        put "$exe" "$root/tests/$name"
        strip --strip-debug "$root/tests/$name" 2>/dev/null || true
        echo "$name" >>"$CACHE/$build.tests"
    done < <(grep '"profile":{[^}]*"test":true' "$CACHE/$build.json" |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | sort -u)
    [ -s "$CACHE/$build.tests" ] || die "no test binary${globs[*]:+ called ${globs[*]}}"
    sort -o "$CACHE/$build.tests" "$CACHE/$build.tests"

    put "$(command -v busybox)" "$root/bin/busybox"
    for x in sh mount mkdir rm stty reboot cat env ip cut uname timeout; do ln -s busybox "$root/bin/$x"; done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
    {
        [ "$ACCEL" != tcg ] || echo 'export COMPIO_SYNC_SLOW=1'
        echo 'export COMPIO_SYNC_COUNT_CALLS=1'     # nothing forbids that in the guest
        echo 'export RUST_BACKTRACE=1'
        for x in ${GUEST_ENV:-}; do echo "export ${x%%=*}=$(printf %q "${x#*=}")"; done
        echo "limit=$TEST_TIMEOUT mark='$MARK'"
        if [ ${#test_args[@]} -gt 0 ]; then printf 'set --'; printf ' %q' "${test_args[@]}"; echo; fi
    } >"$root/settings"
    install -m 755 "$LIB/guest-init" "$root/init"
    (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$CACHE/$build.initramfs"
    rm -rf "$root"
}

# ---- a pass ----------------------------------------------------------------

# timeout has a process group of its own, so that an interrupt doesn't get there
qemu=
trap '[ -z "$qemu" ] || kill "$qemu"' EXIT
trap 'exit 130' INT TERM

# result PASS NAME STATUS SECONDS
result() { printf '%-9s %-28s %-34s %s\n' "$1" "$2" "$3" "$4"; }

# show_log FILE: its end, with the escapes of a terminal taken out
show_log() { tail -n "${2:-40}" "$1" | tr -d '\r\033' | sed 's/^/    | /'; }

# run_pass PASS: $kernel with the pass's image; fails if anything does
run_pass() {
    local pass=$1 build image dir word a b c bad=0 mem failed=() seen=' ' finished='' setting='' expected='' release='' attempt
    build=$(build_for "$pass")
    image=$CACHE/$build.initramfs
    dir=$LOGS/$pass
    # the image is in memory twice while it is unpacked
    mem=$((512 + 2 * $(stat -c %s "$image") / 1048576))
    # Emulated processors sometimes trip over code that a booting kernel patches. Only a guest
    # that has not come up is started again.
    for attempt in 1 2 3; do
        rm -rf "$dir"
        mkdir -p "$dir"
        : >"$dir/control"
        timeout -k 5 "$KERNEL_TIMEOUT" qemu-system-x86_64 -accel "$ACCEL" -cpu max -smp "$GUEST_CPUS" -m "$mem" \
            -nodefaults -no-user-config -display none -no-reboot -kernel "$kernel" -initrd "$image" \
            -append "console=ttyS0 quiet panic=-1 reboot=t mitigations=off random.trust_cpu=on 8250.nr_uarts=4 $(guest_cmdline "$pass" | tr '\n' ' ')" \
            -serial "file:$dir/kernel.log" -serial "file:$dir/output.log" -serial "file:$dir/control" \
            </dev/null >"$dir/qemu.log" 2>&1 &
        qemu=$!

        while read -r word a b c; do
            case $word in
                KERNEL) release=$a setting=$b expected=$c;;
                END)
                    seen+="$a "
                    case $b in
                        0)   result "$pass" "$a" ok "${c}s";;
                        137) failed+=("$a")
                             if [ "$c" -ge "$TEST_TIMEOUT" ]; then b='time limit'; else b='killed'; fi
                             result "$pass" "$a" "FAILED ($b)" "${c}s";;
                        *)   failed+=("$a")
                             result "$pass" "$a" "FAILED (exit status $b)" "${c}s";;
                    esac;;
                DONE) finished=1;;
            esac
        done < <(tail -n +1 -s 0.2 -f --pid="$qemu" "$dir/control" | tr -d '\r')
        wait "$qemu" || true    # what it did is in the protocol
        qemu=''
        [ -z "$release" ] || break
        echo "  the kernel did not come up (attempt $attempt of 3)"
    done

    # one file per binary out of what came through the one line
    [ ! -e "$dir/output.log" ] || awk -v mark="$MARK " -v dir="$dir" \
        'index($0, mark) == 1 {f = dir "/" substr($0, length(mark) + 1) ".log"; next} f {print > f}' "$dir/output.log"

    if [ "$pass" = disabled ] && [ -n "$release" ] && [ "$setting" != 2 ]; then
        result "$pass" - "FAILED (io_uring is not disabled: $setting)" "$release"
        bad=1
    fi
    if [ -n "$release" ] && [ "$expected" != "$(expected_doorbell "$pass")" ]; then
        result "$pass" - "FAILED (told to expect: $expected)" "$release"
        bad=1
    fi
    for a in "${failed[@]}"; do
        bad=1
        echo "  $a on $release: $dir/$a.log"
        show_log "$dir/$a.log"
    done
    while read -r a; do
        case $seen in *" $a "*) continue;; esac
        bad=1
        result "$pass" "$a" "FAILED (no result)" ''
        [ ! -e "$dir/$a.log" ] || show_log "$dir/$a.log"
    done <"$CACHE/$build.tests"
    if [ -z "$finished" ]; then
        bad=1
        echo "  the guest did not finish (pass limit: $KERNEL_TIMEOUT s); its kernel says:"
        show_log "$dir/kernel.log" 20
        show_log "$dir/qemu.log" 5
    fi
    return $bad
}

# ---- arguments -------------------------------------------------------------

passes=() globs=() cargo_args=() test_args=() fetch_only=
if [ "${1:-}" = fetch ]; then
    fetch_only=1
    shift
    passes=("$@")
    set --
fi
while [ $# -gt 0 ]; do
    case $1 in
        -k) [ $# -gt 1 ] || usage 2; passes+=("$2"); shift 2;;
        -t) [ $# -gt 1 ] || usage 2; globs+=("$2"); shift 2;;
        *)  break;;
    esac
done
while [ $# -gt 0 ]; do
    if [ "$1" = -- ]; then shift; test_args=("$@"); break; fi
    cargo_args+=("$1")
    shift
done
# all the tests there are, without the examples that cargo test builds besides
case " ${cargo_args[*]} " in
    *' --lib '*|*' --bin'*|*' --test'*|*' --example'*|*' --bench'*|*' --all-targets '*) ;;
    *) cargo_args+=(--tests);;
esac
[ ${#passes[@]} -gt 0 ] || passes=("${ALL_PASSES[@]}")
for pass in "${passes[@]}"; do series_for "$pass" >/dev/null; done

[ "$(uname -m)" = x86_64 ] || die "this needs an x86_64 machine"
[ -n "$fetch_only" ] || need qemu-system-x86 busybox-static cpio binutils

for pass in "${passes[@]}"; do
    get_kernel "$pass"
    [ -z "$fetch_only" ] || echo "$pass: $kernel"
done
[ -z "$fetch_only" ] || exit 0

for build in $(for pass in "${passes[@]}"; do build_for "$pass"; done | sort -u); do
    make_image "$build"
done

bad=()
for pass in "${passes[@]}"; do
    get_kernel "$pass"
    say "$pass: $(basename "$kernel" .vmlinuz)"
    run_pass "$pass" || bad+=("$pass")
done
[ ${#bad[@]} = 0 ] || die "failed: ${bad[*]} (logs in $LOGS)"
say "all passed: ${passes[*]}"
