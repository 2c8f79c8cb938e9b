# The tool names the lower port, so the server's must be below those that clients are given.
python 'import socket, time
for port in range(10114, 30000):
    try: server = socket.create_server(("127.0.0.1", port)); break
    except OSError: pass
print(port, file=open("port", "w"))
client = socket.create_connection(("127.0.0.1", port))
accepted, _ = server.accept()
time.sleep(0.2)
client.close(); accepted.close()'
expect "^@milliseconds\[$(cat port)\]:"
# Both ends, after 200 ms and what a busy machine adds.
lives=$(awk -F '[][, ]+' '/^\[/ { if ($2 ~ /^(128|256|512|[1248]K|16K|32K)$/) seen += $4; else wrong = 1 } END { print seen, wrong + 0 }' out)
[ "$lives" = '2 0' ] || fail "lives of 128 ms and more, and others: $lives"
