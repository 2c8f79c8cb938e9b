// CO-RE relocations of every kind. The types here are those that the program was written for; `target.bpf.c` has those
// of the "kernel" that it meets.
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define PROGRAM(name) SEC("raw_tp") u64 name(struct shape *s)
#define PRESERVED __attribute__((preserve_access_index))

struct inner { u32 number; u32 after; } PRESERVED;
struct shape {
    u32 id;
    u32 flags : 3, level : 5;
    int balance : 6;
    u32 gone;
    u8 size;
    struct inner inner;
    u32 list[4];
} PRESERVED;
struct shape___new { u64 added; } PRESERVED;
struct vanished { u32 value; } PRESERVED;
struct inner___other { u64 number; } PRESERVED;
enum state { IDLE, BUSY = 1, LOST = 2 };
enum color { RED, GREEN };
union either { u32 number; u8 bytes[4]; };
typedef int (*callback_t)(struct shape *s, int code);

#define FIELD(field, what) __builtin_preserve_field_info(field, what)
#define TYPE(type, what) __builtin_preserve_type_info(*(type *)0, what)
#define VALUE(type, name, what) __builtin_preserve_enum_value(*(type *)name, what)
enum { OFFSET, SIZE, EXISTS, SIGNED, LEFT, RIGHT };
enum { TYPE_EXISTS, TYPE_SIZE, TYPE_MATCHES };

// The value of a bitfield: the word that holds it, shifted to the top and back.
#define BITS(s, field)                                                                                                 \
    ({                                                                                                                 \
        const void *at = (const void *)(s) + FIELD((s)->field, OFFSET);                                                \
        u64 word = 0;                                                                                                  \
        switch (FIELD((s)->field, SIZE)) {                                                                             \
        case 1: word = *(const u8 *)at; break;                                                                         \
        case 2: word = *(const unsigned short *)at; break;                                                             \
        case 4: word = *(const u32 *)at; break;                                                                        \
        case 8: word = *(const u64 *)at; break;                                                                        \
        }                                                                                                              \
        word <<= FIELD((s)->field, LEFT);                                                                              \
        FIELD((s)->field, SIGNED) ? (u64)((long long)word >> FIELD((s)->field, RIGHT))                                 \
                                  : word >> FIELD((s)->field, RIGHT);                                                  \
    })

PROGRAM(moved) { return s->id + s->inner.after * 100 + s->list[2] * 10000; }
// On the target it has 4 bytes instead of 1.
PROGRAM(widened) { return s->size; }
PROGRAM(bitfields) { return BITS(s, flags) + BITS(s, level) * 100; }
PROGRAM(signed_bitfield) { return BITS(s, balance); }
PROGRAM(guarded) { return FIELD(s->gone, EXISTS) ? s->gone : 77; }
PROGRAM(unguarded) { return s->gone; }
PROGRAM(flavour) { return ((struct shape___new *)s)->added; }
PROGRAM(types)
{
    return TYPE(struct shape, TYPE_EXISTS) + TYPE(struct vanished, TYPE_EXISTS) * 10 +
           TYPE(struct shape, TYPE_SIZE) * 100;
}
PROGRAM(enumerators)
{
    return VALUE(enum state, BUSY, 1) + VALUE(enum state, BUSY, 0) * 100 + VALUE(enum state, LOST, 0) * 1000;
}
PROGRAM(matches)
{
    return TYPE(struct inner, TYPE_MATCHES) + TYPE(struct inner___other, TYPE_MATCHES) * 10 +
           TYPE(enum color, TYPE_MATCHES) * 100 + TYPE(enum state, TYPE_MATCHES) * 1000 +
           TYPE(union either, TYPE_MATCHES) * 10000 + TYPE(callback_t, TYPE_MATCHES) * 100000 +
           TYPE(struct shape, TYPE_MATCHES) * 1000000;
}

char _license[] SEC("license") = "GPL";
