// What the hand-written programs share: helpers by number (include/uapi/linux/bpf.h), maps as run.py reads them, and the
// registers of x86-64 as the kernel saves them (arch/x86/include/asm/ptrace.h).
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define RARE(condition) __builtin_expect(!!(condition), 0)

typedef __u64 u64;
typedef __u32 u32;

// A map: an instance in the section "maps".
struct map { u32 type, key_size, value_size, max_entries; };

struct registers { u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss; };

static void *(*const lookup)(const void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const update)(const void *map, const void *key, const void *value, u64 flags) = (void *)BPF_FUNC_map_update_elem;
static long (*const remove)(const void *map, const void *key) = (void *)BPF_FUNC_map_delete_elem;
static u64 (*const boot_ns)(void) = (void *)BPF_FUNC_ktime_get_boot_ns;
static u64 (*const pid_tgid)(void) = (void *)BPF_FUNC_get_current_pid_tgid;
static long (*const get_comm)(void *to, u32 size) = (void *)BPF_FUNC_get_current_comm;
static long (*const get_stack)(void *ctx, void *to, u32 size, u64 flags) = (void *)BPF_FUNC_get_stack;
static long (*const read_user_str)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user_str;
static long (*const read_kernel)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_kernel;
static void *(*const reserve)(const void *ring, u64 size, u64 flags) = (void *)BPF_FUNC_ringbuf_reserve;
static void (*const submit)(void *record, u64 flags) = (void *)BPF_FUNC_ringbuf_submit;

char gpl[] SEC("license") = "GPL";

// Events that could not be counted or sent; run.py reads it.
struct map lost SEC("maps") = { BPF_MAP_TYPE_ARRAY, 4, 8, 1 };

INLINE void lose(void)
{
	u32 zero = 0;
	u64 *count = lookup(&lost, &zero);
	if (count)
		__sync_fetch_and_add(count, 1);
}

// Adds 1 to the number of a per-CPU hash. Additions are atomic because programs of uprobes may be preempted by others.
INLINE void count_key(const struct map *map, const void *key)
{
	u64 *count = lookup(map, key);
	if (RARE(!count)) {
		u64 zero = 0;
		update(map, key, &zero, BPF_NOEXIST);
		count = lookup(map, key);
		if (!count) {
			lose();
			return;
		}
	}
	__sync_fetch_and_add(count, 1);
}

// Adds 1 to an entry of a per-CPU array.
INLINE void count_entry(const struct map *map, u32 entry)
{
	u64 *count = lookup(map, &entry);
	if (count)
		__sync_fetch_and_add(count, 1);
}

// 0 for negative values, 1 for 0, and so on for each power of two.
INLINE u32 bucket(long value)
{
	u64 rest = value;
	u32 bit = 0;
	if (value < 0)
		return 0;
	if (value == 0)
		return 1;
	if (rest >> 32) { rest >>= 32; bit += 32; }
	if (rest >> 16) { rest >>= 16; bit += 16; }
	if (rest >> 8) { rest >>= 8; bit += 8; }
	if (rest >> 4) { rest >>= 4; bit += 4; }
	if (rest >> 2) { rest >>= 2; bit += 2; }
	if (rest >> 1) bit += 1;
	return bit + 2;
}

// Memory of this CPU that nobody else uses until it is given back: programs may be preempted, so a buffer for each CPU would
// not be exclusive. None when all are in use.
#define SLOTS 4
#define CLAIM(slots) ({ \
	struct slot *found = 0; \
	for (u32 number = 0; number < SLOTS; number++) { \
		found = lookup(&slots, &number); \
		if (!found || !__sync_lock_test_and_set(&found->busy, 1)) \
			break; \
		found = 0; \
	} \
	found; })
#define RELEASE(slot) (*(volatile u64 *)&(slot)->busy = 0)
