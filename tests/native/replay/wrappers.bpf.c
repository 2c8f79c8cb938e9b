// What the recorder adds to a program: a function per helper, which calls it and writes down with what and what came back,
// and functions for the begin and the end of programs and callbacks. The program's own calls are turned to these; the
// verifier goes through them with what it knows of the caller's registers, so every pointer stays what it was.
//
// The recorder puts its ring, its flag and the offsets of three fields of the kernel's `struct bpf_map` where the numbers
// below stand.
#include "trace.h"

typedef unsigned long long u64;
typedef unsigned u32;

static void *(*const reserve)(void *, u64, u64) = (void *)131;
static void (*const submit)(void *, u64) = (void *)132;
static long (*const probe_read)(void *, u32, u64) = (void *)113;
static u64 (*const thread)(void) = (void *)14;
static u32 (*const processor)(void) = (void *)8;

#define RING ({ void *it; asm volatile("%0 = 0x52494e4752494e47 ll" : "=r"(it)); it; })
#define STOP ({ volatile u64 *it; asm volatile("%0 = 0x53544f5053544f50 ll" : "=r"(it)); it; })
#define MAP_ID 0x7a00
#define KEY_SIZE 0x7a04
#define VALUE_SIZE 0x7a08
#define INLINE static inline __attribute__((always_inline))
// The reader is not woken: it looks by itself.
#define NO_WAKEUP 1

struct facts {
    u32 kind, number, has_map, has_key;
    u64 arguments[5], result;
    u64 key, data;
    u32 key_size, data_size;
};

// Of a map: the verifier lets its fields be read.
INLINE u32 field(u64 map, u32 offset)
{
    return *(volatile u32 *)(map + offset);
}

INLINE u32 at_most(u32 size, u32 limit)
{
    asm volatile("" : "+r"(size));
    return size > limit ? limit : size;
}

INLINE void note_in(const struct facts *facts, u32 map, u32 key_size, u32 data_size, u32 key_room, u32 data_room)
{
    struct record *record = reserve(RING, sizeof *record + key_room + data_room, 0);
    if (!record) {
        *STOP = 1;
        return;
    }
    record->kind = facts->kind;
    record->number = facts->number;
    record->cpu = processor();
    record->map = map;
    record->thread = thread();
    for (int n = 0; n < 5; n++)
        record->arguments[n] = facts->arguments[n];
    record->result = facts->result;
    record->key_room = key_room;
    record->key_size = key_size = at_most(key_size, key_room);
    record->data_size = data_size = at_most(data_size, data_room);
    char *bytes = (char *)(record + 1);
    if (key_size && probe_read(bytes, at_most(key_size, key_room), facts->key))
        record->key_size = 0;
    // What lies behind the end of a context may not be there: all registers, twelve arguments.
    if (data_size && probe_read(bytes + key_room, at_most(data_size, data_room), facts->data)) {
        record->data_size = 168;
        if (data_room < 168 || probe_read(bytes + key_room, 168, facts->data)) {
            record->data_size = 96;
            if (data_room < 96 || probe_read(bytes + key_room, 96, facts->data))
                record->data_size = 0;
        }
    }
    submit(record, NO_WAKEUP);
}

INLINE void note(const struct facts *facts)
{
    u32 map = 0, key_size = facts->key_size, data_size = facts->data_size;
    if (*STOP)
        return;
    if (facts->has_map) {
        map = field(facts->arguments[0], MAP_ID);
        if (facts->has_key)
            key_size = field(facts->arguments[0], KEY_SIZE);
        if (facts->data && !data_size)
            data_size = field(facts->arguments[0], VALUE_SIZE);
    }
    if (!facts->data)
        data_size = 0;
    if (key_size <= 32 && data_size <= 64)
        note_in(facts, map, key_size, data_size, 32, 64);
    else if (key_size <= 128 && data_size <= 1152)
        note_in(facts, map, key_size, data_size, 128, 1152);
    else
        note_in(facts, map, key_size, data_size, LONGEST_KEY, LONGEST_DATA);
}

// The size that the ring keeps in front of a sample.
INLINE u32 sample_size(u64 sample)
{
    u32 size = 0;
    probe_read(&size, sizeof size, sample - 8);
    return size & 0x3fffffff;
}

#define PARAMETERS_0 void
#define PARAMETERS_1 u64 a
#define PARAMETERS_2 u64 a, u64 b
#define PARAMETERS_3 u64 a, u64 b, u64 c
#define PARAMETERS_4 u64 a, u64 b, u64 c, u64 d
#define PARAMETERS_5 u64 a, u64 b, u64 c, u64 d, u64 e
#define ARGUMENTS_0
#define ARGUMENTS_1 a
#define ARGUMENTS_2 a, b
#define ARGUMENTS_3 a, b, c
#define ARGUMENTS_4 a, b, c, d
#define LIST(...) {__VA_ARGS__}

#define WRAPPER(helper, arity, numbers, keyed, kind_of_data, address, size)                     \
    u64 wrap_##helper(PARAMETERS_##arity)                                                         \
    {                                                                                             \
        const u64 list[5] = LIST(ARGUMENTS_##arity);                                              \
        struct facts facts = {.kind = CALL, .number = helper, .arguments = LIST(ARGUMENTS_##arity)}; \
        facts.has_map = keyed || helper == 164;                                                 \
        facts.has_key = keyed;                                                                  \
        if (keyed)                                                                              \
            facts.key = list[1];                                                                  \
        if (kind_of_data == SAMPLE_IN) {                                                          \
            facts.data = list[0];                                                                 \
            facts.data_size = sample_size(list[0]);                                               \
            note(&facts);                                                                         \
        }                                                                                         \
        u64 result = ((u64(*)(PARAMETERS_##arity))helper)(ARGUMENTS_##arity);                     \
        facts.result = result;                                                                    \
        if (kind_of_data == SAMPLE_IN)                                                            \
            return 0;                                                                             \
        if (kind_of_data == READS || kind_of_data == WRITES) {                                    \
            facts.data = list[address];                                                           \
            facts.data_size = list[size];                                                         \
        }                                                                                         \
        if (kind_of_data == VALUE_IN)                                                             \
            facts.data = list[address];                                                           \
        if (kind_of_data == VALUE_OUT || kind_of_data == SAMPLE_OUT)                              \
            facts.data = result;                                                                  \
        if (kind_of_data == SAMPLE_OUT)                                                           \
            facts.data_size = list[size];                                                         \
        note(&facts);                                                                             \
        return result;                                                                            \
    }
HELPERS(WRAPPER)

void note_enter(u64 context, u64 program)
{
    struct facts facts = {.kind = ENTER, .number = program, .data = context, .data_size = 512};
    note(&facts);
}

// Of an iterator's context also what its first word points to, the place of the walk: programs read that by address.
void note_enter_iterator(u64 context, u64 program)
{
    struct facts facts = {.kind = ENTER, .number = program, .data = context, .data_size = 96, .key_size = 24};
    facts.key = *(volatile u64 *)context;
    note(&facts);
}

void note_leave(u64 result, u64 program)
{
    struct facts facts = {.kind = LEAVE, .number = program, .result = result};
    note(&facts);
}

void note_callback(u64 map, u64 key, u64 value)
{
    struct facts facts = {.kind = CALLBACK, .has_map = 1, .has_key = 1, .arguments = {map}, .key = key, .data = value};
    note(&facts);
}
