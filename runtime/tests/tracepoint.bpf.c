// Reads fields of a tracepoint's record, of which only the runtime knows the places.
typedef unsigned long u64;
#define SECTION(name) __attribute__((section(name), used))

enum state { RUNNING, SLEEPING };

struct trace_args {
    int nr;
    char comm[16];
    u64 args[3];
    const char *name;
    enum state state;
} __attribute__((preserve_access_index));

SECTION("tracepoint/any") int any(struct trace_args *record) {
    return record->nr + record->comm[3] + record->args[2] + (u64)record->name + record->state;
}

char licence[] SECTION("license") = "GPL";
