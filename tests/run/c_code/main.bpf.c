// What a script asks of C: numbers of all widths, memory, variables, maps, and types of the kernel.
#define SEC(name) __attribute__((section(name), used))
#define TYPED __attribute__((preserve_access_index))
typedef unsigned long long u64;

static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static u64 (*bpf_get_current_task)(void) = (void *)35;
static long (*bpf_probe_read_kernel)(void *to, unsigned size, const void *from) = (void *)113;
static long (*bpf_for_each_map_elem)(void *map, void *callback, void *context, u64 flags) = (void *)164;

struct {
    int (*type)[1]; // BPF_MAP_TYPE_HASH
    int (*max_entries)[8];
    int *key;
    long *value;
} memory SEC(".maps");

static long counter;
long first = 40;
const int table[4] = { 7, 8, 9, 10 };
// The script decides about the licence, and knows nothing of this program.
char licence[] SEC("license") = "Dual BSD/GPL";
SEC("kprobe/vfs_read") int unused(void *context) { return counter++; }

int c_add(int a, int b) { return a + b; }
long next_one(void) { return ++counter + first; }
int from_table(unsigned i) { return i < 4 ? table[i] : -1; }
char first_char(const char *text) { return *text; }
unsigned char wrap(unsigned char x) { return x + 250; }
signed char negative(signed char x) { return -x; }
_Bool is_big(u64 x) { return x > 1000; }

void remember(int key, long value) { bpf_map_update_elem(&memory, &key, &value, 0); }

long recall(int key)
{
    long *value = bpf_map_lookup_elem(&memory, &key);
    return value ? *value : -1;
}

static long one(void *map, const void *key, void *value, long *context)
{
    ++*context;
    return 0;
}

long count_elements(void *map)
{
    long count = 0;
    bpf_for_each_map_elem(map, one, &count, 0);
    return count;
}

// Not inlined, so a function of its own in the tool.
__attribute__((noinline)) int squares(int n)
{
    int sum = 0;
    for (int i = 0; i < n && i < 100; i++) sum += i * i;
    return sum;
}

struct task_struct___mine {
    int tgid;
} TYPED;

int process(void)
{
    struct task_struct___mine *task = (void *)bpf_get_current_task();
    int tgid = 0;
    bpf_probe_read_kernel(&tgid, sizeof tgid, &task->tgid);
    return tgid;
}
