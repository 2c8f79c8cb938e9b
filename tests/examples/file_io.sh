python 'import os
fd = os.open("data", os.O_RDWR | os.O_CREAT)
fd = os.dup2(fd, 77)
os.write(fd, b"x" * 5000)
os.lseek(fd, 0, 0)
os.read(fd, 4000)'
expect '^@written\[python3, 77\]: 5000$'
expect '^@read\[python3, 77\]: 4000$'
