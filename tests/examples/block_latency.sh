options=--comm=dd
beside dd if=/dev/zero of=data bs=64k count=20 oflag=direct status=none
expect '^@microseconds\[[0-9]+, [0-9]+, W[A-Z]*\]:'
refuse '^@start'
