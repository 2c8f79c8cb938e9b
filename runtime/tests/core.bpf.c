// One relocation of each kind, on types that every kernel has.
typedef unsigned long u64;
typedef unsigned int u32;
#define SECTION(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
#define offset(field) __builtin_preserve_field_info(field, 0)
#define size(field) __builtin_preserve_field_info(field, 1)
#define exists(field) __builtin_preserve_field_info(field, 2)
#define is_signed(field) __builtin_preserve_field_info(field, 3)
#define left(field) __builtin_preserve_field_info(field, 4)
#define right(field) __builtin_preserve_field_info(field, 5)

struct list_head {
    struct list_head *next, *prev;
} CORE;

struct signal_struct {
    struct {
        u64 cputime;
    } CORE;
    int nr_threads;
} CORE;

struct task_struct {
    int tgid;
    char comm[16];
    u64 start_time;
    u32 sched_reset_on_fork : 1;
    u32 no_such_field;
    struct task_struct *real_parent;
    struct list_head tasks;
    struct signal_struct *signal;
} CORE;

struct sock_common {
    union {
        struct {
            u32 skc_daddr;
            u32 skc_rcv_saddr;
        } CORE;
    } CORE;
    unsigned short skc_family;
    unsigned char skc_reuse : 4;
} CORE;

struct sock {
    struct sock_common __sk_common;
} CORE;

union no_such_union {
    int a;
} CORE;

enum pid_type { PIDTYPE_PID = 10, PIDTYPE_NO_SUCH = 11 };

typedef struct {
    int counter;
} CORE atomic_t;

u64 out[32] SECTION(".bss");

SECTION("raw_tp/all") int all(u64 *context) {
    struct task_struct *task = (void *)context[0];
    struct sock *sock = (void *)context[1];
    out[0] = offset(task->tgid);
    out[1] = offset(task->comm[3]);
    out[2] = size(task->comm);
    out[3] = exists(task->no_such_field);
    out[4] = exists(task->sched_reset_on_fork);
    out[5] = offset(task->sched_reset_on_fork);
    out[6] = left(task->sched_reset_on_fork);
    out[7] = right(task->sched_reset_on_fork);
    out[8] = is_signed(task->tgid);
    out[9] = offset(task->tasks.prev);
    out[10] = offset(sock->__sk_common.skc_rcv_saddr);
    out[11] = size(sock->__sk_common.skc_family);
    out[12] = left(sock->__sk_common.skc_reuse);
    out[13] = offset(task->signal->nr_threads);
    out[14] = __builtin_preserve_type_info(*(struct task_struct *)0, 1);
    out[15] = __builtin_preserve_type_info(*(union no_such_union *)0, 0);
    out[16] = __builtin_preserve_type_info(*(atomic_t *)0, 1);
    out[17] = __builtin_preserve_enum_value(*(enum pid_type *)PIDTYPE_PID, 1);
    out[18] = __builtin_preserve_enum_value(*(enum pid_type *)PIDTYPE_NO_SUCH, 0);
    return 0;
}

char licence[] SECTION("license") = "GPL";
