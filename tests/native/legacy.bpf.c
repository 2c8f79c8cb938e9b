// What older objects contain, and what refers to the kernel.
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))

static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;

struct definition { u32 type, key_size, value_size, max_entries, flags; };
struct definition SEC("maps") old = { 1, 4, 8, 3, 0 };
struct definition SEC("maps") older = { 2, 4, 4, 2, 0 };

unsigned long long load_byte(void *skb, unsigned long long offset) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long offset) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long offset) asm("llvm.bpf.load.word");

SEC("socket") int old_maps(void *skb)
{
    u32 key = 1, small = 4;
    u64 value = 30, *found;
    update(&old, &key, &value, 0);
    update(&older, &key, &small, 0);
    found = lookup(&old, &key);
    u32 *other = lookup(&older, &key);
    return found && other ? *found + *other : 0; // 34
}

// The packet's numbers are big-endian; a load outside of it ends the program with 0.
SEC("socket/packet") int packet(void *skb)
{
    u64 sum = load_byte(skb, 0) + load_half(skb, 1) + load_word(skb, 3);
    return sum + load_byte(skb, sum & 7);
}

SEC("socket/outside") int outside(void *skb) { return load_byte(skb, 4000) + 7; }

extern int kernel_function(int number) __attribute__((section(".ksyms")));
SEC("tc/kfunc") int calls_kernel(void *skb) { return kernel_function(3) + 1; }

extern const int kernel_variable __attribute__((section(".ksyms")));
SEC("tc/variable") int reads_variable(void *skb) { return kernel_variable; }

static long (*redirect)(u32 interface, u64 flags) = (void *)23;
SEC("tc/helper") int calls_helper(void *skb) { return redirect(1, 0); }

char _license[] SEC("license") = "GPL";
