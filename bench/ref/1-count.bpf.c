#include "ref.h"

struct map counts SEC("maps") = { BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1 };

SEC("uprobe/f") int count(void *ctx)
{
	count_entry(&counts, 0);
	return 0;
}
