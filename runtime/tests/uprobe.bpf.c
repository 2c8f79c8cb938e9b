// What the compiler would make of
//     uprobe:SELF:traced { printf("%d %d", arg0, curtask->tgid); @ = count(); @scalar = 7; }
// with the layouts that btaot-abi describes.
typedef unsigned long u64;
typedef unsigned int u32;
#define SECTION(name) __attribute__((section(name), used))

struct {
    int (*type)[27];
    int (*max_entries)[4096];
} events SECTION(".maps");

struct row {
    u64 words[8];
};

struct {
    int (*type)[2];
    int (*max_entries)[1];
    u32 *key;
    struct row *value;
} counts SECTION(".maps");

struct {
    int (*type)[1];
    int (*max_entries)[16];
    u64 *key;
    u64 *value;
} keyed SECTION(".maps");

u64 globals[4] SECTION(".bss");
const volatile u64 ints[3] SECTION(".rodata.int");
const volatile char texts[2][64] SECTION(".rodata.str");

struct task_struct {
    int tgid;
} __attribute__((preserve_access_index));

static void *(*const lookup)(void *, const void *) = (void *)1;
static long (*const update)(void *, const void *, const void *, u64) = (void *)2;
static u64 (*const cpu)(void) = (void *)8;
static void *(*const current)(void) = (void *)35;
static long (*const read_kernel)(void *, u32, const void *) = (void *)113;
static void *(*const reserve)(void *, u64, u64) = (void *)131;
static void (*const submit)(void *, u64) = (void *)132;
static u64 (*const cookie)(void *) = (void *)174;

SECTION("uprobe/traced") int traced(u64 *context) {
    u32 index = cpu();
    u64 key = context[14], one = 1;
    struct row *row = lookup(&counts, &index);
    if (row)
        __sync_fetch_and_add(&row->words[0], 1);
    update(&keyed, &key, &one, 0);
    globals[2] = 7;
    globals[3] = 1;
    u64 *record = reserve(&events, 56, 0);
    if (!record) {
        __sync_fetch_and_add(&globals[0], 1);
        return 0;
    }
    struct task_struct *task = current();
    int tgid = 0;
    read_kernel(&tgid, sizeof tgid, &task->tgid);
    record[0] = 1;
    record[1] = context[14];
    record[2] = tgid;
    record[3] = cookie(context);
    record[4] = ints[0];
    record[5] = ints[1];
    record[6] = texts[1][0];
    submit(record, 0);
    return 0;
}

SECTION("raw_tp/begin") int begin(u64 *context) {
    u64 *record = reserve(&events, 16, 0);
    if (record) {
        record[0] = 1;
        record[1] = context[0];
        submit(record, 0);
    }
    return 0;
}

char licence[] SECTION("license") = "GPL";
