python 'import mmap
for n in range(8): mmap.mmap(-1, 1 << 25).close()'
expect '^@kilobytes\[memory\]:'
expect '^@kilobytes\[file\]:'
expect '^\[32K, 64K\) +8 \|'
