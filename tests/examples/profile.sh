python 'import time
end = time.process_time() + 0.5
while time.process_time() < end: pass'
expect '^@samples\[python3, *$'
expect '^\]: [0-9]+$'
