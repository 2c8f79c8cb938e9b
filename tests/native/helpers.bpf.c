// Helpers beside those on maps; what a program returns is derived beside it.
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define uint(name, value) int (*name)[value]
#define PROGRAM(name) SEC("uprobe") u64 name(u64 *memory)

static u32 (*random_number)(void) = (void *)7;
static long (*skb_store)(void *ctx, u32 offset, const void *from, u32 len, u64 flags) = (void *)9;
static long (*skb_load)(void *ctx, u32 offset, void *to, u32 len) = (void *)26;
static long (*write_user)(void *to, const void *from, u32 len) = (void *)36;
static u64 (*cgroup)(void) = (void *)80;
static long (*send_signal)(u32 number) = (void *)109;
static long (*send_signal_thread)(u32 number) = (void *)117;
static u64 (*ancestor_cgroup)(int level) = (void *)123;
static void *(*ring_reserve)(void *map, u64 size, u64 flags) = (void *)131;
static void (*ring_submit)(void *data, u64 flags) = (void *)132;
static long (*loop)(u32 count, void *callback, void *ctx, u64 flags) = (void *)181;
static u64 (*xdp_len)(void *ctx) = (void *)188;
static long (*xdp_load)(void *ctx, u32 offset, void *to, u32 len) = (void *)189;
static long (*xdp_store)(void *ctx, u32 offset, void *from, u32 len) = (void *)190;
static void *(*exchange)(void *place, void *pointer) = (void *)194;

struct dynptr { u64 opaque[2]; } __attribute__((aligned(8)));
static long (*from_mem)(void *data, u32 size, u64 flags, struct dynptr *pointer) = (void *)197;
static long (*ring_reserve_dynptr)(void *map, u32 size, u64 flags, struct dynptr *pointer) = (void *)198;
static void (*ring_submit_dynptr)(struct dynptr *pointer, u64 flags) = (void *)199;
static void (*ring_discard_dynptr)(struct dynptr *pointer, u64 flags) = (void *)200;
static long (*dynptr_read)(void *to, u32 len, const struct dynptr *pointer, u32 offset, u64 flags) = (void *)201;
static long (*dynptr_write)(const struct dynptr *pointer, u32 offset, void *from, u32 len, u64 flags) = (void *)202;
static void *(*dynptr_data)(const struct dynptr *pointer, u32 offset, u32 len) = (void *)203;

struct range { u64 opaque[1]; } __attribute__((aligned(8)));
extern int bpf_iter_num_new(struct range *range, int start, int end) SEC(".ksyms");
extern int *bpf_iter_num_next(struct range *range) SEC(".ksyms");
extern void bpf_iter_num_destroy(struct range *range) SEC(".ksyms");

struct { uint(type, 27); uint(max_entries, 4096); } ring SEC(".maps");

// Records come in the order of their reservation, whatever the order in which they are complete.
PROGRAM(use_ring_order)
{
    u64 *first = ring_reserve(&ring, 8, 0), *second = ring_reserve(&ring, 8, 0);
    if (!first || !second)
        return 1;
    *second = 2, ring_submit(second, 0);
    *first = 1, ring_submit(first, 0);
    return 0; // 0
}

PROGRAM(use_packet)
{
    u8 byte = 9;
    u64 sum = 0, word = 1;
    sum += skb_store(memory, 1, &byte, 1, 0) == 0 && ((u8 *)memory)[1] == 9 ? 1 : 0;
    sum += skb_load(memory, 1, &word, 1) == 0 && (u8)word == 9 ? 10 : 0;
    word = ~0ULL, sum += skb_load(memory, 4, &word, 8) == -14 && word == 0 ? 100 : 0;
    sum += xdp_len(memory) == 8 ? 1000 : 0;
    byte = 7, sum += xdp_store(memory, 7, &byte, 1) == 0 && xdp_load(memory, 7, &word, 1) == 0 ? 10000 : 0;
    sum += (u8)word == 7 && xdp_store(memory, 8, &byte, 1) == -22 && xdp_load(memory, 8, &word, 1) == -22 ? 100000 : 0;
    return sum; // 111111
}

PROGRAM(use_memory)
{
    u64 place = 0, value = 5, pointer = 3, sum = 0;
    sum += write_user(&place, &value, 8) == 0 ? *(volatile u64 *)&place : 0;
    sum += write_user((void *)8, &value, 8) == -14 ? 10 : 0;
    sum += (u64)exchange(&pointer, (void *)7) * 100 + *(volatile u64 *)&pointer * 1000;
    return sum; // 5 + 10 + 300 + 7000
}

// 28 is SIGWINCH, which nobody minds; there is no signal 10000.
PROGRAM(use_signals)
{
    return (send_signal(28) == 0) + (send_signal_thread(28) == 0) * 10 + (send_signal(10000) == -22) * 100; // 111
}

// The group itself is its own ancestor at its own depth, and nothing is that deep.
PROGRAM(use_cgroups)
{
    u64 own = cgroup();
    for (int level = 0; level < 64; level++)
        if (ancestor_cgroup(level) == own)
            return ancestor_cgroup(10000) == 0; // 1
    return 2;
}

PROGRAM(use_dynptr)
{
    u8 bytes[4] = { 1, 2, 3, 4 }, two[2] = { 0, 0 };
    struct dynptr pointer;
    u64 sum = 0;
    u8 *third;
    sum += from_mem(bytes, 4, 0, &pointer) == 0 ? 1 : 0;
    sum += dynptr_read(two, 2, &pointer, 2, 0) == 0 && two[0] == 3 && two[1] == 4 ? 10 : 0;
    sum += dynptr_read(two, 2, &pointer, 3, 0) == -7 ? 100 : 0;
    sum += dynptr_write(&pointer, 0, two, 2, 0) == 0 && ((volatile u8 *)bytes)[1] == 4 ? 1000 : 0;
    third = dynptr_data(&pointer, 2, 1);
    sum += third && *third == 3 && !dynptr_data(&pointer, 4, 1) ? 10000 : 0;
    sum += from_mem(bytes, 4, 1, &pointer) == -22 && !dynptr_data(&pointer, 0, 1) ? 100000 : 0;
    return sum; // 111111
}

PROGRAM(use_ring_dynptr)
{
    struct dynptr sent, dropped, large;
    u64 value = 42, sum = 0;
    sum += ring_reserve_dynptr(&ring, 8, 0, &sent) == 0 ? 1 : 0;
    sum += ring_reserve_dynptr(&ring, 8, 0, &dropped) == 0 ? 10 : 0;
    sum += ring_reserve_dynptr(&ring, 8192, 0, &large) == -22 ? 100 : 0;
    sum += dynptr_write(&sent, 0, &value, 8, 0) == 0 ? 1000 : 0;
    ring_submit_dynptr(&sent, 0), ring_discard_dynptr(&dropped, 0), ring_discard_dynptr(&large, 0);
    return sum; // 1111
}

PROGRAM(use_range)
{
    struct range range;
    int *number;
    u64 sum = 0;
    sum += bpf_iter_num_new(&range, 3, 6) == 0 ? 1000 : 0;
    while ((number = bpf_iter_num_next(&range)))
        sum = sum * 10 + *number;
    bpf_iter_num_destroy(&range);
    sum += bpf_iter_num_new(&range, 6, 3) == -22 && !bpf_iter_num_next(&range) ? 1 : 0;
    bpf_iter_num_destroy(&range);
    return sum; // 1000345 + 1
}

PROGRAM(use_random) { return random_number(); }

PROGRAM(call_nothing)
{
    return loop(1, 0, memory, 0);
}

char _license[] SEC("license") = "GPL";
