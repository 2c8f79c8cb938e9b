python 'import socket, time
server = socket.create_server(("127.0.0.1", 10114))
client = socket.create_connection(("127.0.0.1", 10114))
accepted, _ = server.accept()
time.sleep(0.2)
client.close(); accepted.close()'
expect '^@milliseconds\[10114\]:'
# Both ends, after 200 ms.
expect '^\[128, 256\) +2 \|'
