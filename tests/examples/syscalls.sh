python 'import os
for n in range(7): os.getppid()
for n in range(5):
    try: os.rmdir("/no/such/folder")
    except OSError: pass'
expect '^@calls\[getppid\]: 7$'
expect '^@errors\[python3, rmdir, No such file or directory\]: 5$'
