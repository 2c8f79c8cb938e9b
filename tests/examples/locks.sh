python 'import threading, time
lock = threading.Lock()
lock.acquire()
waiter = threading.Thread(target=lock.acquire); waiter.start()
time.sleep(0.4)
lock.release(); waiter.join()'
expect '^@milliseconds\[python3, *$'
expect '^\]: (39|4[0-9])[0-9]$'
