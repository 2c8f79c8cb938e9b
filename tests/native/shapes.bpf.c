// An eBPF object of many shapes: maps of several kinds, globals of three kinds, a subprogram, two programs in one
// section, a callback, a tail call, atomics. What each program returns is derived beside it.
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define uint(name, value) int (*name)[value]

static void *(*map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*tail_call)(void *ctx, void *map, u32 index) = (void *)12;
static long (*loop)(u32 count, void *callback, void *ctx, u64 flags) = (void *)181;

struct { uint(type, 1); u32 *key; u64 *value; uint(max_entries, 16); } counts SEC(".maps");
struct { uint(type, 2); u32 *key; u64 *value; uint(max_entries, 2); } sums SEC(".maps");
struct { uint(type, 3); u32 *key; u32 *value; uint(max_entries, 1); } programs SEC(".maps");

u64 zeroed;
u64 initialised = 40;
const volatile u64 step = 2;

static __attribute__((noinline)) u64 add(u64 *to, u64 what)
{
    return __sync_fetch_and_add(to, what);
}

// A first call inserts 2; zeroed becomes 2; 40 + 2 = 42.
SEC("uprobe") int globals_and_maps(void *ctx)
{
    u32 key = 7;
    u64 first = step, *value = map_lookup_elem(&counts, &key);
    if (value)
        add(value, step);
    else
        map_update_elem(&counts, &key, &first, 0);
    zeroed += step;
    return initialised + zeroed;
}

static long add_index(u32 index, u64 *total)
{
    *total += index;
    return 0;
}

// 0 + 1 + ... + 9 = 45, also left in sums[1].
SEC("uprobe") int callback(void *ctx)
{
    u32 key = 1;
    u64 total = 0, *sum;
    loop(10, add_index, &total, 0);
    sum = map_lookup_elem(&sums, &key);
    if (sum)
        *sum = total;
    return total;
}

// Bytes of the memory: 9 / 2 = 4; a division by zero gives 0, a remainder by zero the dividend.
SEC("uprobe/divide") int divide(unsigned char *memory)
{
    return memory[0] / memory[1];
}

// Nothing is in the table, so the call falls through.
SEC("uprobe/tail") int falls_through(void *ctx)
{
    tail_call(ctx, &programs, 0);
    return 5;
}

// Reads where nothing is mapped.
SEC("uprobe/fault") int fault(u64 *memory)
{
    return *(volatile u64 *)8;
}

char _license[] SEC("license") = "GPL";
