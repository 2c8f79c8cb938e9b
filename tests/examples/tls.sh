openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -subj /CN=test -days 1 2>/dev/null
python 'import socket, ssl, threading
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); server.load_cert_chain("certificate", "key")
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); client.check_hostname = False; client.verify_mode = ssl.CERT_NONE
a, b = socket.socketpair()
def serve():
    with server.wrap_socket(a, server_side=True) as tls: tls.recv(100); tls.sendall(b"the answer")
thread = threading.Thread(target=serve); thread.start()
with client.wrap_socket(b) as tls: tls.sendall(b"a question"); tls.recv(100)
thread.join()'
expect '^python3 [0-9]+ sends:$'
expect '^a question$'
expect '^the answer$'
