# A server whose queue is full answers no more: the fourth client asks again after a second. The kernel's table of
# sockets tells when it has: state 2 is "connecting", and the seventh field counts the times.
cat >workload.py <<'P'
import socket, time
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(0)
port = server.getsockname()[1]
print(port, file=open("port", "w"))
clients = [socket.socket() for n in range(4)]
for client in clients: client.setblocking(False)
for client in clients: client.connect_ex(("127.0.0.1", port))
def asked_again(line):
    fields = line.split()
    return fields[2].endswith(":%04X" % port) and fields[3] == "02" and int(fields[6], 16) > 0
deadline = time.monotonic() + 60
while not any(map(asked_again, open("/proc/net/tcp"))) and time.monotonic() < deadline: time.sleep(0.05)
P
beside /usr/bin/python3 workload.py
expect "^@retransmits\[::ffff:127\.0\.0\.1, $(cat port), connecting\]: [0-9]+$"
