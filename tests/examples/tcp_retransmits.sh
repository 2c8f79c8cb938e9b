# A server whose queue is full answers no more: the fourth client asks again after a second.
cat >workload.py <<'P'
import socket, time
server = socket.socket(); server.bind(("127.0.0.1", 47115)); server.listen(0)
clients = [socket.socket() for n in range(4)]
for client in clients: client.setblocking(False)
for client in clients: client.connect_ex(("127.0.0.1", 47115))
time.sleep(2.5)
P
beside /usr/bin/python3 workload.py
expect '^@retransmits\[::ffff:127\.0\.0\.1, 47115, connecting\]: [0-9]+$'
