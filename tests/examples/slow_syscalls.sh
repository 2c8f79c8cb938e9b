printf '%s\n' 'import time; time.sleep(0.3); time.sleep(0.01)' >workload.py
trace -c '/usr/bin/python3 workload.py' 200
expect '^[0-9]+ +python3 +(clock_)?nanosleep +3[0-9]{2} ms$'
[ "$(grep -c nanosleep out)" = 1 ] || fail 'a short call is shown'
