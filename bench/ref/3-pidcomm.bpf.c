#include "ref.h"

struct key { u32 pid; char comm[16]; };
struct map counts SEC("maps") = { BPF_MAP_TYPE_PERCPU_HASH, sizeof(struct key), 8, 4096 };

SEC("uprobe/f") int pidcomm(void *ctx)
{
	struct key key = { .pid = pid_tgid() >> 32 };
	get_comm(key.comm, sizeof(key.comm));
	count_key(&counts, &key);
	return 0;
}
