#include "ref.h"

// Texts of up to 62 bytes are keys of 64 bytes: hashing is what a key costs. Longer ones are in a map of their own.
#define SHORT 64
#define LONG 1024

struct slot { u64 busy; char key[LONG]; };
struct map slots SEC("maps") = { BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct slot), SLOTS };
struct map counts SEC("maps") = { BPF_MAP_TYPE_PERCPU_HASH, SHORT, 8, 4096 };
struct map long_counts SEC("maps") = { BPF_MAP_TYPE_PERCPU_HASH, LONG, 8, 4096 };

SEC("uprobe/s") int strkey(struct registers *ctx)
{
	char key[SHORT] = {};
	const void *text = (void *)ctx->si;
	if (!RARE(read_user_str(key, SHORT, text) == SHORT)) {
		count_key(&counts, key);
		return 0;
	}
	struct slot *slot = CLAIM(slots);
	if (!slot) {
		lose();
		return 0;
	}
	read_kernel(slot->key, LONG, 0); // Fails, and so clears.
	read_user_str(slot->key, LONG, text);
	count_key(&long_counts, slot->key);
	RELEASE(slot);
	return 0;
}
