python 'import os
for n in range(100): os.pipe()'
expect '^@bytes\[alloc_pipe_info\]: [0-9]+$'
