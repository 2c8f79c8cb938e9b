head -c 3000000 /dev/zero >zeros
trace -c '/usr/bin/sha256sum zeros'
# The file, and what the loader read before it.
expect '^@bytes\[sha256sum\]: 300[0-9]{4}$'
expect '^@nanoseconds:'
