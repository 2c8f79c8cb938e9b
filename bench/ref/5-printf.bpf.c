#include "ref.h"

struct record { u64 format; u64 arg0; u32 pid; char comm[16]; char text[1024]; };
struct map ring SEC("maps") = { BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 20 };

SEC("uprobe/s") int print(struct registers *ctx)
{
	u32 pid = pid_tgid() >> 32;
	struct record *record = reserve(&ring, (sizeof(struct record) + 7) & ~7, 0);
	if (RARE(!record)) {
		lose();
		return 0;
	}
	record->format = 1;
	record->pid = pid;
	record->arg0 = ctx->di;
	get_comm(record->comm, sizeof(record->comm));
	read_user_str(record->text, sizeof(record->text), (void *)ctx->si);
	submit(record, 0);
	return 0;
}
