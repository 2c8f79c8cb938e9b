# The discard service: nobody offers it here.
python 'import socket
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
print(port, file=open("port", "w"))
socket.create_connection(("127.0.0.1", port)).close()
try: socket.create_connection(("127.0.0.1", 9))
except ConnectionRefusedError: pass'
expect "^[0-9]+ +python3 +connected ::ffff:127\.0\.0\.1:$(cat port)$"
expect '^[0-9]+ +python3 +failed +::ffff:127\.0\.0\.1:9$'
