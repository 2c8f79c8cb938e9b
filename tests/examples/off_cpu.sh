options=--comm=sleep
beside sleep 0.3
expect '^@microseconds\[sleep, *$'
expect 'nanosleep'
# 300 ms, and what a busy machine adds.
expect '^\]: (29[0-9]{4}|[3-9][0-9]{5}|[0-9]{7,8})$'
