// Calls an eBPF program that `btaot build` made native, with one map and the two helpers that it needs; docs/native.md
// has the contract. Prints what the program returns and what the map then holds.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

uint64_t bpf_main(void *ctx, uint64_t size);

static struct { int used; uint32_t key; uint64_t value; } entry;

uint64_t __lddw_helper_map_by_fd(uint32_t map) { return map == 0 ? (uint64_t)(uintptr_t)&entry : 0; }

uint64_t _bpf_helper_ext_0001(uint64_t map, uint64_t key, uint64_t a, uint64_t b, uint64_t c)
{
    return entry.used && !memcmp((void *)(uintptr_t)key, &entry.key, 4) ? (uint64_t)(uintptr_t)&entry.value : 0;
}

uint64_t _bpf_helper_ext_0002(uint64_t map, uint64_t key, uint64_t value, uint64_t flags, uint64_t a)
{
    entry.used = 1;
    memcpy(&entry.key, (void *)(uintptr_t)key, 4);
    memcpy(&entry.value, (void *)(uintptr_t)value, 8);
    return 0;
}

int main(void)
{
    for (int round = 0; round < 3; round++)
        printf("%llu\n", (unsigned long long)bpf_main(0, 0));
    printf("%u: %llu\n", entry.key, (unsigned long long)entry.value);
    return 0;
}
