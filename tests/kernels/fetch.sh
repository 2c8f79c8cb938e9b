#!/bin/sh
# Prints the path of a kernel image of a Debian suite, downloading it when the cache has none. Beside NAME.vmlinuz, the
# folder NAME.types has a few of the kernel's modules and, where this machine can unpack the image, its BTF (`vmlinux`).
#
#   fetch.sh SUITE META-PACKAGE CACHE-FOLDER      for example: fetch.sh trixie linux-image-cloud-amd64 ~/.cache/x
#
# The package is downloaded through a private view of the archive and unpacked, never installed: nothing below /etc
# and /var changes. The archive's address and key are those that this machine already uses.
# Images are kept by package name, which has the version in it; BTAOT_REFRESH_KERNELS=1 asks the archive again.
set -eu
suite=$1
meta=$2
cache=$3/$suite

# Tests ask side by side.
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

newest=$(ls -t "$cache"/*.vmlinuz 2>/dev/null | head -n 1)
if [ -d "${newest%.vmlinuz}.types" ] && [ "${BTAOT_REFRESH_KERNELS:-0}" != 1 ]; then
    echo "$newest"
    exit 0
fi

# The first stanza of the machine's own sources, in the new format or the old one.
sources=/etc/apt/sources.list.d/debian.sources
if [ -r "$sources" ]; then
    uri=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' "$sources" | head -n 1)
    key=$(sed -n 's/^Signed-By: *//p' "$sources" | head -n 1)
else
    uri=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list | head -n 1)
    key=
fi
[ -n "$uri" ] || { echo "this machine has no Debian archive in its apt sources" >&2; exit 1; }
key=${key:-/usr/share/keyrings/debian-archive-keyring.gpg}

mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "deb [signed-by=$key] $uri $suite main" >"$cache/apt/sources.list"
# A private state, one suite, and none of the indexes that only a desktop reads.
set -- -qq \
    -oDir::State::Lists="$cache/apt/lists" -oDir::Cache="$cache/apt/cache" \
    -oDir::Etc::SourceList="$cache/apt/sources.list" -oDir::Etc::SourceParts=/dev/null \
    -oAcquire::Languages=none -oAcquire::Retries=2 -oAPT::Sandbox::User=root \
    -oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -oAcquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled=false \
    -oAcquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled=false
apt-get "$@" update >&2

package=$(apt-cache "$@" show "$meta/$suite" |
    sed -n 's/^Depends:.*\(linux-image-[0-9][^ ,]*\).*/\1/p' | head -n 1)
[ -n "$package" ] || { echo "$suite has no package $meta" >&2; exit 1; }
# From 7.2 on the image is in a package of its own.
binary=$(echo "$package" | sed s/linux-image/linux-binary/)
modules=$package
if apt-cache "$@" show "$binary/$suite" >/dev/null 2>&1; then
    modules=$(echo "$package" | sed s/linux-image/linux-modules/)
    package=$binary
fi

cd "$work"
apt-get "$@" download "$package/$suite" >&2
[ "$modules" = "$package" ] || apt-get "$@" download "$modules/$suite" >&2
for deb in ./*.deb; do
    dpkg-deb --fsys-tarfile "$deb" |
        tar -x --wildcards '*/vmlinuz*' '*/drivers/block/loop.ko*' '*/drivers/net/dummy.ko*' 2>/dev/null || true
done
image=$(find . -name 'vmlinuz*' -type f | head -n 1)
[ -n "$image" ] || { echo "$package holds no kernel image" >&2; exit 1; }

mkdir types
find . -name '*.ko*' -type f | while read -r module; do
    case $module in
    *.xz) xz -dc "$module" >"types/$(basename "$module" .xz)" ;;
    *) cp "$module" types/ ;;
    esac
done
# The image has its own length of set-up code, and the place and length of what that unpacks, in its header (kernel
# documentation, `arch/x86/boot`).
number() { od -An -t "u$2" -j "$1" -N "$2" "$image" | tr -d ' '; }
start=$((($(number 497 1) + 1) * 512 + $(number 584 4)))
tail -c +$((start + 1)) "$image" | head -c "$(number 588 4)" >payload
# A length follows what is compressed, of which these programs complain.
case $(od -An -t x1 -N 4 payload | tr -d ' ') in
28b52ffd) zstd -dcq <payload >unpacked 2>/dev/null || true ;;
fd377a58) xz -dc --single-stream <payload >unpacked || true ;;
esac
if [ -s unpacked ]; then
    objcopy -O binary --only-section=.BTF unpacked types/vmlinux
fi
rm -rf "$cache/$package.types"
mv types "$cache/$package.types"
mv "$image" "$cache/$package.vmlinuz"
# The lists are worth 20 MB a suite and are read once.
rm -rf "$cache/apt"
echo "$cache/$package.vmlinuz"
