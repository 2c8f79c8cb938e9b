python 'import socket
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
print(port, file=open("port", "w"))
for n in range(3): socket.create_connection(("127.0.0.1", port)).close()'
port=$(cat port)
expect "^[0-9][0-9]:[0-9][0-9]:[0-9][0-9] port $port +from ::ffff:127\.0\.0\.1:[0-9]+$"
expect "^@accepted\[$port\]: 3$"
