python 'import os, threading
for n in range(3):
    if os.fork() == 0: os._exit(0)
    os.wait()
for n in range(4):
    t = threading.Thread(target=lambda: None); t.start(); t.join()'
expect '^@started\[python3, process\]: 3$'
expect '^@started\[python3, thread\]: 4$'
