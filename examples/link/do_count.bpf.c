// Counts allocations by the power of two of their size. Plain eBPF C, without any header.
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))

static void *(*map_lookup_elem)(void *map, const void *key) = (void *)1;

struct {
    int (*type)[2]; // BPF_MAP_TYPE_ARRAY
    int (*max_entries)[64];
    u32 *key;
    u64 *value;
} sizes SEC(".maps");

struct event {
    u64 bytes;
};

u64 calls;

SEC("uprobe")
int do_count(struct event *event)
{
    u32 power = 0;
    for (u64 rest = event->bytes; rest > 1; rest >>= 1)
        power++;
    u64 *count = map_lookup_elem(&sizes, &power);
    if (count)
        __sync_fetch_and_add(count, 1);
    calls++;
    return calls;
}
