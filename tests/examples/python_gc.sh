python 'import gc
for n in range(3): gc.collect()'
expect '^@microseconds\[2\]:'
