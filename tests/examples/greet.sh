trace 3 world
expect '^hello world, 1 of 2 parameters is a number: 3$'
