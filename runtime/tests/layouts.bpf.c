// A tracepoint program whose record has several layouts, and programs that no kernel accepts.
typedef unsigned long u64;
typedef unsigned int u32;
#define SECTION(name) __attribute__((section(name), used))

struct {
    int (*type)[27];
    int (*max_entries)[4096];
} events SECTION(".maps");

const volatile u64 ints[1] SECTION(".rodata.int");

struct trace_args {
    u64 count;
} __attribute__((preserve_access_index));

static u64 (*const process)(void) = (void *)14;
static void *(*const reserve)(void *, u64, u64) = (void *)131;
static void (*const submit)(void *, u64) = (void *)132;
static u64 (*const cookie)(void *) = (void *)174;

SECTION("tracepoint/count") int count(struct trace_args *record) {
    if (ints[0] != process() >> 32)
        return 0;
    u64 *event = reserve(&events, 24, 0);
    if (!event)
        return 0;
    event[0] = 1;
    event[1] = record->count;
    event[2] = cookie(record);
    submit(event, 0);
    return 0;
}

SECTION("raw_tp/wild") int wild(u64 *context) {
    return context[1000];
}

struct task_struct {
    u64 no_such_field;
} __attribute__((preserve_access_index));

static struct task_struct *(*const current)(void) = (void *)35;
static long (*const read_kernel)(void *, u32, const void *) = (void *)113;

SECTION("raw_tp/lacks") int lacks(u64 *context) {
    u64 value = 0;
    read_kernel(&value, sizeof value, &current()->no_such_field);
    return value;
}

char licence[] SECTION("license") = "GPL";
