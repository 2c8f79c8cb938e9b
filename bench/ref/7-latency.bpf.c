#include "ref.h"

struct map start SEC("maps") = { BPF_MAP_TYPE_HASH, 4, 8, 4096 };
struct map counts SEC("maps") = { BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 66 };

SEC("uprobe/lat") int enter(void *ctx)
{
	u32 tid = pid_tgid();
	u64 now = boot_ns();
	if (RARE(update(&start, &tid, &now, BPF_ANY)))
		lose();
	return 0;
}

SEC("uretprobe/lat") int leave(void *ctx)
{
	u32 tid = pid_tgid();
	u64 *since = lookup(&start, &tid);
	if (!since || !*since)
		return 0;
	count_entry(&counts, bucket(boot_ns() - *since));
	if (RARE(remove(&start, &tid)))
		lose();
	return 0;
}
