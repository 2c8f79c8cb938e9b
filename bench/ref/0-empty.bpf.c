#include "ref.h"

SEC("uprobe/f") int empty(void *ctx)
{
	return 0;
}
