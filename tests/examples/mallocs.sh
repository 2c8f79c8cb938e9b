python 'x = [bytearray(100000 + n) for n in range(50)]'
# Fifty blocks of 100 000 bytes and more.
expect '^\[64K, 128K\) +[0-9]+ \|'
expect '^@started_by\[python3, tool\]: [0-9]+$'
