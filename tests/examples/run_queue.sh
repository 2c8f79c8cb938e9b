options=--comm=sleep
beside sleep 0.1
expect '^@microseconds:'
refuse '^@ready'
