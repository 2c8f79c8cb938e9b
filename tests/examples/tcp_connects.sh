# The discard service: nobody offers it here.
python 'import socket
server = socket.create_server(("127.0.0.1", 47112))
socket.create_connection(("127.0.0.1", 47112)).close()
try: socket.create_connection(("127.0.0.1", 9))
except ConnectionRefusedError: pass'
expect '^[0-9]+ +python3 +connected ::ffff:127\.0\.0\.1:47112$'
expect '^[0-9]+ +python3 +failed +::ffff:127\.0\.0\.1:9$'
