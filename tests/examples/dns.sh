python 'import socket
socket.getaddrinfo("localhost", 80)
try: socket.getaddrinfo("no-such-host.invalid", 80)
except OSError: pass'
expect '^python3 +[0-9]+ us found  localhost$'
expect '^python3 +[0-9]+ us failed no-such-host.invalid$'
