python 'import os; os.execv("/bin/echo", ["echo", "two words", "three"])'
expect '^[0-9]+ +python3 +echo two words three$'
