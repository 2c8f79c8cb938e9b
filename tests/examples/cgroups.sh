python 'import os
for n in range(500): os.getppid()'
expect '/.* [0-9]{3,}$'
