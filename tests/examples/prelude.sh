# What the scripts of this folder share: each runs one example on a workload that makes it print.
# $TOOL is the example's tool; the working folder is empty and goes away.
set -eu

# fail REASON: ends the test, with what the tool said.
fail() {
    echo "$1"
    echo '--- the tool printed'
    cat out err
    exit 1
}

# trace [ARGUMENT]...: runs the tool; its output is kept for the lines below.
trace() { "$TOOL" "$@" >out 2>err || fail "the tool's exit code is $?"; }

# expect REGEX: a line of the output looks like this.
expect() { grep -Eq -- "$1" out || fail "no line looks like: $1"; }

# refuse REGEX: no line does.
refuse() { ! grep -E -- "$1" out || fail "a line looks like: $1"; }

# python PROGRAM [ARGUMENT of the tool]...: traces a Python program.
python() {
    printf '%s\n' "$1" >workload.py
    shift
    trace "$@" -c '/usr/bin/python3 workload.py'
}

# start [ARGUMENT]...: runs the tool in the background, and goes on when its probes are attached.
start() {
    "$TOOL" "$@" >out 2>err &
    tool=$!
    while ! grep -qs Attached err; do
        kill -0 $tool 2>/dev/null || fail 'the tool stopped early'
        sleep 0.05
    done
}

# finish: waits for the tool that was started.
finish() { wait $tool || fail "the tool's exit code is $?"; }

# beside COMMAND...: the tool sees the whole machine while COMMAND runs, and is then interrupted.
beside() {
    start $options
    "$@"
    kill -INT $tool
    finish
}
options=
