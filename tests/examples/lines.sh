# A terminal of its own: only then bash reads lines with readline. What is typed comes from a pipe.
mkfifo typed
script -qc 'echo $$ >bash; exec /bin/bash --norc -i' typescript <typed >/dev/null &
exec 3>typed
while [ ! -s bash ]; do sleep 0.05; done
start -p "$(cat bash)"
# The first line ends a call that began before the probe was there.
printf '%s\n' true 'true some words' exit >&3
finish
expect "^$(cat bash) +true some words$"
