#!/usr/bin/env bash
# Installs what building and testing btaot needs and this Debian machine lacks, by package name.
#
#   .ci/setup.sh build    what the compiler itself needs
#   .ci/setup.sh test     the above, and what the tests and the benchmark need (the default)
#
# A second run finds everything present and does nothing. Without root it names the packages and stops.
set -euo pipefail

# The third column says what a package is for, so that a reader can judge the list.
packages_for_build='
llvm-19-dev        LLVM 19: the eBPF and native back ends (a shared library, opened to generate code)
gcc                links Rust programs
libc6-dev          the C library for the static shim
make               runs this Makefile
git                records the revision; the tests list the files of the repository
'
packages_for_test='
binutils           strip and readelf: a tool has to survive stripping
bpftool            counts instructions, loads the extracted object, shows that maps are frozen
clang-19           compiles C to eBPF: objects that the loader and the native back end are tested with
busybox-static     the user land of the test machines
qemu-system-x86    boots other kernels without touching this one
python3            the benchmark, and workloads of the examples
openssl            a certificate for the example that shows TLS plaintext
procps             ps: finds the shell whose lines are shown
gcc-aarch64-linux-gnu links native code for aarch64 in the tests
libc6-dev-arm64-cross  the C library for it
qemu-user-static   runs it
bsdutils           script: a pseudo terminal for the readline test
util-linux         unshare: mount namespaces for the empty-root test
'

wanted() {
    case "${1:-test}" in
    build) printf '%s' "$packages_for_build" ;;
    test) printf '%s%s' "$packages_for_build" "$packages_for_test" ;;
    *)
        echo "setup: unknown part '$1'; say build or test" >&2
        exit 1
        ;;
    esac
}

missing_packages() {
    wanted "$1" | while read -r package why; do
        [ -n "$package" ] || continue
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || printf '%s\t%s\n' "$package" "$why"
    done
}

install_missing() {
    local missing names
    missing=$(missing_packages "$1")
    [ -n "$missing" ] || return 0
    echo "setup: these Debian packages are missing:"
    printf '%s\n' "$missing" | sed 's/^/  /'
    names=$(printf '%s\n' "$missing" | cut -f1 | tr '\n' ' ')
    if [ "$(id -u)" != 0 ]; then
        echo "setup: run as root:  apt-get install --no-install-recommends $names" >&2
        exit 1
    fi
    echo "setup: installing them"
    export DEBIAN_FRONTEND=noninteractive
    # Package lists may be absent (a container) or stale: refresh once, then install.
    # shellcheck disable=SC2086 # the names are separate words
    apt-get -qq update && apt-get -qq install -y --no-install-recommends $names </dev/null >/dev/null
}

check_rust() {
    if ! command -v cargo >/dev/null; then
        echo "setup: cargo is missing; install Rust 1.95 or newer with rustup (https://rustup.rs)" >&2
        exit 1
    fi
}

# Tracepoints need tracefs. Most machines mount it; containers and bare VMs often do not.
mount_tracefs() {
    local where=/sys/kernel/tracing
    [ -d "$where" ] && [ ! -e "$where/events" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "setup: tracefs is not mounted; as root:  mount -t tracefs tracefs $where" >&2
        return 0
    fi
    echo "setup: mounting tracefs on $where"
    mount -t tracefs tracefs "$where" ||
        echo "setup: this kernel refuses tracefs; tracepoint tests will be reported as skipped" >&2
}

part=${1:-test}
if ! command -v dpkg-query >/dev/null; then
    echo "setup: not a Debian system; provide these yourself:" >&2
    wanted "$part" | sed '/^$/d; s/^/  /' >&2
    exit 0
fi
check_rust
install_missing "$part"
[ "$part" = build ] || mount_tracefs
