python 'import mmap
memory = mmap.mmap(-1, 4096 * 1000)
for page in range(1000): memory[page * 4096] = 1'
expect '^@faults\[python3, *$'
expect '^\]: [0-9]{3,}$'
