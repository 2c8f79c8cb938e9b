// ring_position MAP-ID: prints how many bytes were ever written to a BPF ring buffer.
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    union bpf_attr attributes = { .map_id = argc > 1 ? atoi(argv[1]) : 0 };
    int map = syscall(SYS_bpf, BPF_MAP_GET_FD_BY_ID, &attributes, sizeof attributes);
    long page = sysconf(_SC_PAGESIZE);
    // The producer's position stands at the start of the second page (kernel documentation, bpf/ringbuf).
    unsigned long *position = mmap(0, page, PROT_READ, MAP_SHARED, map, page);
    if (map < 0 || position == MAP_FAILED) return perror("ring_position"), 1;
    printf("%lu\n", *position);
    return 0;
}
