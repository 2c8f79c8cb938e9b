#!/usr/bin/env bash
# Compiles the examples into tools and runs each on a program of its own. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
btaot=${BTAOT:-target/release/btaot}
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT

[ "$(id -u)" = 0 ] || { echo "demo: tracing the kernel needs root" >&2; exit 1; }

# demo NAME [OPTIONS OF THE TOOL]...
demo() {
    local name=$1
    shift
    printf '\n$ btaot examples/%s.bt -o %s\n' "$name" "$name"
    "$btaot" "examples/$name.bt" -o "$tools/$name"
    printf '  %s: %s bytes, static\n' "$name" "$(stat -c %s "$tools/$name")"
    printf '$ ./%s' "$name"
    for word in "$@"; do
        case $word in *' '*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
    # The middle of a long output says nothing new.
    "$tools/$name" "$@" | awk 'NR <= 12 { print; next } { kept[NR] = $0 }
        END { if (NR > 32) print "..."; for (i = (NR > 32 ? NR - 19 : 13); i <= NR; i++) print kept[i] }'
}

demo greet 3 world
demo mallocs -c '/bin/ls -l /etc'
if [ -e /sys/kernel/tracing/events ]; then
    demo opens -c '/bin/cat /etc/hostname /no/such/file'
    demo reads -c '/usr/bin/md5sum /usr/bin/bash'
else
    echo "demo: no tracefs on /sys/kernel/tracing, so no tracepoints"
fi
