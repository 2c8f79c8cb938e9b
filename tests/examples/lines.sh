# A terminal of its own: only then bash reads lines with readline.
script -qc '/bin/bash --norc -i' typescript >/dev/null <<'TYPED' &
sleep 1
true some words
exit
TYPED
bash=
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    bash=$(ps -o pid= --ppid $!) && break
    sleep 0.1
done
trace -p $bash
expect "^$(echo $bash) +true some words$"
