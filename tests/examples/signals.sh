python 'import os, signal
signal.signal(signal.SIGUSR1, lambda *_: None)
os.kill(os.getpid(), signal.SIGUSR1)'
expect '^([0-9]+) +python3 +-> \1 +python3 +User defined signal 1$'
