// Runs the program at every allocation and prints what it counted.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "helpers.c"

uint64_t bpf_main(void *ctx, uint64_t size);

int main(void)
{
    uint64_t calls = 0;
    for (size_t bytes = 1; bytes <= 4096; bytes *= 4) {
        struct { uint64_t bytes; } event = {bytes};
        free(malloc(bytes));
        calls = bpf_main(&event, sizeof event);
    }
    printf("%" PRIu64 " calls\n", calls);
    for (int power = 0; power < 64; power++)
        if (sizes[power])
            printf("2^%d: %" PRIu64 "\n", power, sizes[power]);
}
