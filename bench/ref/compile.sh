#!/bin/sh
# compile.sh SCRIPT OUTPUT CLANG…: compiles the hand-written program of a script of ../scripts.
set -e
script=$1 output=$2
shift 2
exec "$@" -Wall -c "$(dirname "$0")/$(basename "$script" .bt).bpf.c" -o "$output"
