// What the native code of do_count.bpf.c calls: one map, which is a C array, and one helper.
#include <stdint.h>

uint64_t sizes[64];

uint64_t __lddw_helper_map_by_fd(uint32_t index)
{
    // The object has one map, so its index is 0.
    return (uint64_t)sizes;
}

uint64_t _bpf_helper_ext_0001(uint64_t map, uint64_t key, uint64_t a, uint64_t b, uint64_t c)
{
    uint32_t index = *(const uint32_t *)key;
    return index < 64 ? (uint64_t)((uint64_t *)map + index) : 0;
}
