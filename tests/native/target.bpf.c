// The types of the "kernel" that `core.bpf.c` is relocated against.
typedef unsigned int u32;
typedef unsigned long long u64;

struct inner { u64 before; u32 after, number; };
struct shape {
    u64 added;                                // at 0
    int balance : 6;                          // at 8, bits 0 to 5
    u32 : 10, level : 5, flags : 3;           // bits 16 to 20 and 21 to 23
    u32 size;                                 // at 12
    struct { u32 list[3], id; };              // at 16 and 28
    struct inner inner;                       // at 32, after at 40
};                                            // 48 bytes
enum state { IDLE, BUSY = 5 };
enum color { BLUE, GREEN, RED };
union either { unsigned char bytes[4]; u32 number; u64 all; };
typedef int (*callback_t)(struct shape *shape, int code);

struct shape s;
enum state state;
enum color color;
union either either;
callback_t callback;
