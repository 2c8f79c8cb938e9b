// A program for each kind of map; what it returns is derived beside it.
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define uint(name, value) int (*name)[value]
#define PROGRAM(name) SEC("uprobe") u64 name(u64 *memory)

static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*delete)(void *map, const void *key) = (void *)3;
static long (*perf_output)(void *ctx, void *map, u64 flags, void *data, u64 size) = (void *)25;
static long (*get_stackid)(void *ctx, void *map, u64 flags) = (void *)27;
static long (*tail_call)(void *ctx, void *map, u32 index) = (void *)12;
static long (*push)(void *map, const void *value, u64 flags) = (void *)87;
static long (*pop)(void *map, void *value) = (void *)88;
static long (*peek)(void *map, void *value) = (void *)89;
static long (*ring_output)(void *map, void *data, u64 size, u64 flags) = (void *)130;
static void *(*ring_reserve)(void *map, u64 size, u64 flags) = (void *)131;
static void (*ring_submit)(void *data, u64 flags) = (void *)132;
static void (*ring_discard)(void *data, u64 flags) = (void *)133;
static u64 (*ring_query)(void *map, u64 flags) = (void *)134;
static long (*for_each)(void *map, void *callback, void *ctx, u64 flags) = (void *)164;

#define MAP(map, kind, key_type, entries)                                                                              \
    struct { uint(type, kind); key_type *key; u64 *value; uint(max_entries, entries); } map SEC(".maps")

MAP(hash, 1, u32, 2);
MAP(array, 2, u32, 4);
MAP(percpu_hash, 5, u32, 2);
MAP(percpu_array, 6, u32, 2);
MAP(lru, 9, u32, 2);
MAP(percpu_lru, 10, u32, 2);
struct { uint(type, 4); uint(key_size, 4); uint(value_size, 4); } events SEC(".maps");
struct { uint(type, 7); uint(key_size, 4); uint(value_size, 80); uint(max_entries, 4); } stacks SEC(".maps");
struct prefix { u32 bits; u8 address[4]; };
struct { uint(type, 11); struct prefix *key; u64 *value; uint(max_entries, 4); uint(map_flags, 1); } routes SEC(".maps");
struct { uint(type, 22); u64 *value; uint(max_entries, 2); } queue SEC(".maps");
struct { uint(type, 23); u64 *value; uint(max_entries, 2); } stack SEC(".maps");
struct { uint(type, 27); uint(max_entries, 4096); } ring SEC(".maps");
struct { uint(type, 30); u64 *value; uint(max_entries, 8); } bloom SEC(".maps");

struct inner { uint(type, 2); u32 *key; u64 *value; uint(max_entries, 2); } first SEC(".maps"), second SEC(".maps");
struct {
    uint(type, 12);
    uint(key_size, 4);
    uint(max_entries, 3);
    struct inner *values[];
} outer SEC(".maps") = { .values = { [0] = (void *)&first, [2] = (void *)&second } };
struct {
    uint(type, 13);
    u32 *key;
    uint(max_entries, 3);
    struct inner *values[];
} keyed SEC(".maps") = { .values = { [1] = (void *)&second } };

u64 reached(u64 *memory);
struct {
    uint(type, 3);
    uint(key_size, 4);
    uint(max_entries, 3);
    u64 (*values[])(u64 *);
} programs SEC(".maps") = { .values = { [1] = reached } };

// Two entries fit; the third is refused with -E2BIG; a flag forbids to replace (-EEXIST) or to add (-ENOENT).
PROGRAM(use_hash)
{
    u32 key;
    u64 value = 10, *found, sum = 0;
    key = 1, update(&hash, &key, &value, 0);
    key = 2, value = 20, update(&hash, &key, &value, 1);
    key = 3, sum += update(&hash, &key, &value, 0) == -7 ? 1000 : 0;
    key = 2, sum += update(&hash, &key, &value, 1) == -17 ? 2000 : 0;
    key = 4, sum += update(&hash, &key, &value, 2) == -2 ? 4000 : 0;
    key = 1, sum += delete(&hash, &key) == 0 ? 8000 : 0;
    key = 1, sum += delete(&hash, &key) == -2 ? 16000 : 0;
    found = lookup(&hash, &key), sum += found ? 1 : 0;
    key = 2, found = lookup(&hash, &key), sum += found ? *found : 0;
    return sum; // 31000 + 20
}

PROGRAM(use_array)
{
    u32 key = 3;
    u64 value = 5, *found, sum = 0;
    update(&array, &key, &value, 0);
    found = lookup(&array, &key), sum += found ? *found : 0;
    key = 4, sum += lookup(&array, &key) ? 0 : 100;
    sum += update(&array, &key, &value, 0) == -7 ? 1000 : 0;
    key = 0, sum += delete(&array, &key) == -22 ? 10000 : 0;
    return sum; // 11105
}

PROGRAM(use_percpu)
{
    u32 key = 1;
    u64 value = 7, *found, sum = 0;
    update(&percpu_array, &key, &value, 0);
    found = lookup(&percpu_array, &key), sum += found ? *found : 0;
    update(&percpu_hash, &key, &value, 0);
    found = lookup(&percpu_hash, &key), sum += found ? *found * 10 : 0;
    update(&percpu_lru, &key, &value, 0);
    found = lookup(&percpu_lru, &key), sum += found ? *found * 100 : 0;
    return sum; // 777
}

// The third entry pushes the oldest one out.
PROGRAM(use_lru)
{
    u64 value = 1, found = 0;
    for (u32 key = 0; key < 3; key++)
        update(&lru, &key, &value, 0);
    for (u32 key = 0; key < 3; key++)
        found |= lookup(&lru, &key) ? 1 << key : 0;
    return found; // 0b110
}

// 10.1.2.3 is in 10.1.0.0/16 and not in 10.1.2.128/25.
PROGRAM(use_routes)
{
    struct prefix key = { 8, { 10, 0, 0, 0 } };
    u64 value = 1, *found;
    update(&routes, &key, &value, 0);
    key = (struct prefix){ 16, { 10, 1, 0, 0 } }, value = 2, update(&routes, &key, &value, 0);
    key = (struct prefix){ 25, { 10, 1, 2, 128 } }, value = 4, update(&routes, &key, &value, 0);
    key = (struct prefix){ 32, { 10, 1, 2, 3 } };
    found = lookup(&routes, &key);
    return found ? *found : 0; // 2
}

PROGRAM(use_queue)
{
    u64 value = 1, sum = 0;
    push(&queue, &value, 0), push(&stack, &value, 0);
    value = 2, push(&queue, &value, 0), push(&stack, &value, 0);
    value = 3, sum += push(&queue, &value, 0) == -7 ? 1000 : 0;
    push(&queue, &value, 2); // makes room by dropping 1
    peek(&queue, &value), sum += value;
    pop(&queue, &value), sum += value * 10;
    pop(&stack, &value), sum += value * 100;
    pop(&queue, &value), sum += pop(&queue, &value) == -2 ? 10000 : 0;
    return sum; // 11000 + 2 + 20 + 200
}

PROGRAM(use_ring)
{
    u64 data = 5, sum = 0, *record;
    ring_output(&ring, &data, sizeof(data), 0);
    record = ring_reserve(&ring, 8, 0);
    if (record)
        *record = 6, ring_submit(record, 0);
    record = ring_reserve(&ring, 8, 0);
    if (record)
        ring_discard(record, 0);
    sum += ring_reserve(&ring, 8192, 0) ? 0 : 100;
    perf_output(memory, &events, 0xffffffffULL, &data, sizeof(data));
    return sum + ring_query(&ring, 1); // 100 + 4096
}

PROGRAM(use_bloom)
{
    u64 value = 42, sum;
    push(&bloom, &value, 0);
    sum = peek(&bloom, &value) == 0 ? 1 : 0;
    value = 43;
    return sum + (peek(&bloom, &value) == -2 ? 10 : 0); // 11
}

// There is no stack to walk in user space.
PROGRAM(use_stacks) { return get_stackid(memory, &stacks, 0) < 0; } // 1

PROGRAM(use_maps_of_maps)
{
    u32 key = 2, inside = 1;
    u64 value = 3, *found;
    void *map = lookup(&outer, &key);
    if (!map)
        return 1;
    update(map, &inside, &value, 0);
    key = 1, map = lookup(&outer, &key);
    if (map)
        return 2;
    map = lookup(&keyed, &key);
    if (!map)
        return 4;
    found = lookup(map, &inside); // the same map as above
    return found ? *found * 100 : 5; // 300
}

u64 seen;
SEC("uprobe/reached") u64 reached(u64 *memory)
{
    seen++;
    return *memory + seen; // 40 + 1
}

PROGRAM(use_programs)
{
    tail_call(memory, &programs, 0); // empty: goes on
    tail_call(memory, &programs, 9); // outside: goes on
    tail_call(memory, &programs, 1);
    return 9;
}

static long add(void *map, u32 *key, u64 *value, u64 *total)
{
    *total += *key * 100 + *value;
    return *key == 2; // ends the walk
}

PROGRAM(use_for_each)
{
    u32 key = 2;
    u64 value = 7, total = 0, visits;
    update(&array, &key, &value, 0);
    visits = for_each(&array, add, &total, 0);
    return visits * 1000 + total; // 3 visits; 0 + 100 + 200 + 7
}

char _license[] SEC("license") = "GPL";
