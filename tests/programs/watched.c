// watched [N [FIFO]]: writes N times (default 1) to the 8 bytes at 0x10000000, once more from a second thread, and reads
// them as often in between. After the first time it waits until somebody opens FIFO.
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

static volatile unsigned long *place = (volatile unsigned long *)0x10000000;

static void *again(void *argument) {
    *place = 100;
    return argument;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    unsigned long read = 0;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    if (mmap((void *)place, 4096, PROT_READ | PROT_WRITE, flags, -1, 0) != (void *)place)
        return 1;
    for (int round = 1; round <= rounds; round++) {
        *place = round;
        read += *place;
        if (round == 1 && argc > 2 && open(argv[2], O_RDONLY) < 0)
            return 1;
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, again, NULL) || pthread_join(thread, NULL))
        return 1;
    return read == 0;
}
