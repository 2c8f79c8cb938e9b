#include "ref.h"

// A stack is kept once, under the hash of its frames; what is counted is the hash.
#define FRAMES 127

struct id { u64 hash, frames_pid; };
struct slot { u64 busy; u64 frames[FRAMES]; };
struct map slots SEC("maps") = { BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct slot), SLOTS };
struct map stacks SEC("maps") = { BPF_MAP_TYPE_HASH, sizeof(struct id), FRAMES * 8, 4096 };
struct map counts SEC("maps") = { BPF_MAP_TYPE_PERCPU_HASH, sizeof(struct id), 8, 4096 };

INLINE void count_stack(const struct slot *slot, long bytes)
{
	struct id id = {};
	u32 number = bytes < 0 ? 0 : bytes / 8;
	for (u32 frame = 0; frame < FRAMES && frame < number; frame++) {
		u64 mixed = (id.hash ^ slot->frames[frame]) * 0x9e3779b97f4a7c15;
		id.hash = mixed ^ mixed >> 29;
	}
	id.frames_pid = number;
	if (RARE(!lookup(&stacks, &id)))
		update(&stacks, &id, slot->frames, BPF_NOEXIST);
	id.frames_pid |= pid_tgid() >> 32 << 32;
	count_key(&counts, &id);
}

SEC("uprobe/f") int ustack(void *ctx)
{
	struct slot *slot = CLAIM(slots);
	if (!slot) {
		lose();
		return 0;
	}
	long bytes = get_stack(ctx, slot->frames, sizeof(slot->frames), BPF_F_USER_STACK);
	count_stack(slot, bytes);
	RELEASE(slot);
	return 0;
}
