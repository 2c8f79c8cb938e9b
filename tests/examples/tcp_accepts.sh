python 'import socket
server = socket.create_server(("127.0.0.1", 47113))
for n in range(3): socket.create_connection(("127.0.0.1", 47113)).close()'
expect '^[0-9][0-9]:[0-9][0-9]:[0-9][0-9] port 47113 from ::ffff:127\.0\.0\.1:[0-9]+$'
expect '^@accepted\[47113\]: 3$'
