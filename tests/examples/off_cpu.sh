options=--comm=sleep
# The kernel may leave out a program while another one has the processor: three have a chance.
beside sh -c 'for round in 1 2 3; do sleep 0.3; done'
expect '^@microseconds\[sleep, *$'
expect 'nanosleep'
# 300 ms, and what a busy machine adds.
expect '^\]: (29[0-9]{4}|[3-9][0-9]{5}|[0-9]{7,8})$'
