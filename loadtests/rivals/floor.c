/* The floor: the cost of the kernel alone. A client that sends "GET" is a subscriber. A client that sends "PUB" and bytes, and
 * then closes its sending side, publishes these bytes: the loop writes them to every subscriber, in order of arrival. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 65536 };
static int subscribers[MOST], count;
static char payload[1 << 20];

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 4096)) return 1;
    for (;;) {
        int peer = accept(listener, 0, 0);
        if (peer < 0) continue;
        ssize_t got = read(peer, payload, sizeof payload);
        if (got >= 3 && !memcmp(payload, "PUB", 3)) {
            ssize_t more;
            while ((more = read(peer, payload + got, sizeof payload - got)) > 0) got += more;
            for (int i = 0; i < count; i++)
                if (write(subscribers[i], payload + 3, got - 3) < 0 && errno != EAGAIN) continue;
            close(peer);
        } else if (count < MOST) {
            setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            fcntl(peer, F_SETFL, O_NONBLOCK);
            if (write(peer, "ready\n\n", 7) != 7) return 1;
            subscribers[count++] = peer;
        }
    }
}
