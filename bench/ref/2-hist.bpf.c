#include "ref.h"

struct map counts SEC("maps") = { BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 66 };

SEC("uprobe/f") int hist(struct registers *ctx)
{
	count_entry(&counts, bucket(ctx->di));
	return 0;
}
