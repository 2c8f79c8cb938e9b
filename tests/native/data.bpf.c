// Variables that hold addresses, sections of variables with names of their own, and instructions of all versions.
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define PROGRAM(name) SEC("uprobe") u64 name(u8 *memory)

static long (*loop)(u32 count, void *callback, void *ctx, u64 flags) = (void *)181;
static long (*snprintf)(char *to, u32 size, const char *format, u64 *data, u32 len) = (void *)165;

static const char *const names[] = { "zero", "one", "two" };
u64 first = 7;
u64 *const pointer = &first;
u64 counter SEC(".bss.own");
u64 base SEC(".data.own") = 100;
const volatile u64 limit SEC(".rodata.own") = 3;

static __attribute__((noinline)) long add(u32 index, u64 *total) { return *total += index, 0; }
static __attribute__((noinline)) long count(u32 index, u64 *total) { return ++*total, 0; }
static long (*const table[])(u32, u64 *) = { add, count };

PROGRAM(strings) { return names[memory[0] & 1][1]; } // 'e' or 'n'
PROGRAM(pointers) { return *pointer += 1; }
PROGRAM(own_sections) { return base + limit * 10 + ++counter; }

PROGRAM(functions)
{
    u64 total = 0;
    loop(4, table[memory[0] & 1], &total, 0);
    return total; // 0 + 1 + 2 + 3, or 4
}

PROGRAM(formatted)
{
    char text[16] = {};
    u64 data[] = { 42, (u64)names[1] };
    static const char format[] = "%d %s";
    long len = snprintf(text, sizeof(text), format, data, sizeof(data));
    return len * 1000 + text[0]; // "42 one" and its end
}

// Each call of a function has a frame of its own: the inner one must not touch the outer one's.
static __attribute__((noinline)) u64 inner(u64 seed)
{
    volatile u64 own[8];
    for (int index = 0; index < 8; index++)
        own[index] = seed + index;
    return own[seed & 7];
}

static __attribute__((noinline)) u64 outer(u64 seed)
{
    volatile u64 own[8];
    for (int index = 0; index < 8; index++)
        own[index] = seed * 2;
    u64 below = inner(seed);
    return own[3] * 100 + below;
}

PROGRAM(frames) { return outer(memory[0]) + outer(memory[0] + 1); }

// Atomics, with the old value and without. Version 2 knows only the addition.
u64 word = 5;
u32 half = 9;
PROGRAM(atomics)
{
    u64 sum = 0;
    __sync_fetch_and_add(&word, 3); // 8
#if __BPF_CPU_VERSION__ >= 3
    sum += __sync_fetch_and_add(&word, 0);             // 8
    sum += __sync_fetch_and_or(&word, 1) * 10;         // 8, then 9
    sum += __sync_fetch_and_and(&word, 12) * 100;      // 9, then 8
    sum += __sync_fetch_and_xor(&word, 2) * 1000;      // 8, then 10
    sum += __sync_lock_test_and_set(&half, 4) * 10000; // 9, then 4
    sum += __sync_val_compare_and_swap(&half, 4, 6) * 100000; // 4, then 6
#endif
    return sum + half * 1000000 + word * 10000000;
}

// Signed divisions and extensions, which only version 4 has instructions for.
#if __BPF_CPU_VERSION__ >= 4
PROGRAM(signed_numbers)
{
    signed char small = (signed char)memory[0];
    int divisor = (int)memory[1] - 10;
    return small / divisor * 1000 + small % divisor; // by zero the quotient is 0 and the remainder is `small`
}
#endif

char _license[] SEC("license") = "GPL";
