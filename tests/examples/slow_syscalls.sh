# How long the sleeps took as the program sees it is an upper bound of the calls' times.
printf '%s\n' 'import time
for asked in 0.3, 0.01:
    start = time.monotonic(); time.sleep(asked)
    print(int((time.monotonic() - start) * 1000), file=open("slept", "a"))' >workload.py
trace -c '/usr/bin/python3 workload.py' 200
expect '^[0-9]+ +python3 +(clock_)?nanosleep +([3-9][0-9]{2}|[0-9]{4,5}) ms$'
# On a busy machine the short one may become long, too.
long=$(awk '$1 >= 200 { long++ } END { print long }' slept)
shown=$(grep -c nanosleep out)
[ "$shown" -ge 1 ] && [ "$shown" -le "$long" ] || fail "$shown calls are shown, $long were long"
