// Traffic of the machine with itself: `net connect N` opens that many connections, which are refused;
// `net send TEXT` sends one packet with that text.
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 1;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (strcmp(argv[1], "connect") == 0) {
        for (int left = atoi(argv[2]); left > 0; left--) {
            int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
            connect(socket_fd, (struct sockaddr *)&to, sizeof to);
            close(socket_fd);
        }
        return 0;
    }
    int socket_fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(1000), .sin_addr = to.sin_addr };
    if (bind(socket_fd, (struct sockaddr *)&from, sizeof from) != 0)
        return 2;
    size_t length = strlen(argv[2]);
    return sendto(socket_fd, argv[2], length, 0, (struct sockaddr *)&to, sizeof to) != (ssize_t)length;
}
