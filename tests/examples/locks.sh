python 'import threading
lock = threading.Lock()
lock.acquire()
lock.acquire(timeout=0.4)'
expect '^@milliseconds\[python3, *$'
# 400 ms, and what a busy machine adds, or takes between the look at the clock and the call.
expect '^\]: ([3-9][0-9]{2}|[0-9]{4,5})$'
