// record WRAPPERS SYMBOLS OFFSETS TRACE COMMAND...: runs COMMAND, and writes down what the eBPF programs that it loads are
// given and what they do with it. OFFSETS has lines with a field of `struct bpf_map` and its offset in bits.
//
// The kernel asks this process about each BPF_PROG_LOAD (seccomp's user notification). It loads the program in the
// caller's place, with its helper calls turned to the functions of `wrappers.bpf.c`, and gives the caller the result. So
// what is recorded is the bytecode that the caller made ready for this kernel, at the places that it attaches it to.
#define _GNU_SOURCE
#include "trace.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RING_SIZE (32u << 20)
// More than this is not kept: the records behind it are of runs like those before.
#define LARGEST_TRACE (96u << 20)
#define MOST 256

static void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, ": %s\n", strerror(errno));
    exit(1);
}

static int bpf(int command, union bpf_attr *attr) { return syscall(SYS_bpf, command, attr, sizeof *attr); }

// The added code, and its functions: first instruction and how many they are.
static struct bpf_insn *wrappers;
static unsigned wrapper_count;
static struct symbol { char name[32]; unsigned at, size; } symbols[MOST];
static unsigned symbol_count;

// What was seen: maps by their ids, and which of their values programs reach by address.
static struct known { unsigned id; int fd; struct bpf_map_info info; int is_section; } maps[MOST];
static unsigned map_count, program_count;
static int ring, stop, types;
// The process whose programs are recorded.
static unsigned recorded;
static volatile unsigned long *consumed, *produced;
static char *ring_data;

static char *trace;
static size_t trace_size;

static void append(const void *bytes, size_t size)
{
    static size_t room;
    if (trace_size + size > room)
        trace = realloc(trace, room = 2 * room + size + (1 << 20));
    memcpy(trace + trace_size, bytes, size);
    trace_size += size;
}

static void block(unsigned kind, const void *head, unsigned head_size, const void *rest, unsigned rest_size)
{
    struct block block = {kind, head_size + rest_size};
    append(&block, sizeof block);
    append(head, head_size);
    append(rest, rest_size);
}

static int make_map(int kind, unsigned key, unsigned value, unsigned entries)
{
    union bpf_attr attr = {.map_type = kind, .key_size = key, .value_size = value, .max_entries = entries};
    int fd = bpf(BPF_MAP_CREATE, &attr);
    if (fd < 0)
        fail("a map of the recorder");
    return fd;
}

static void make_ring(void)
{
    long page = sysconf(_SC_PAGESIZE);
    ring = make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, RING_SIZE);
    stop = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
    consumed = mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
    char *rest = mmap(0, page + 2 * (size_t)RING_SIZE, PROT_READ, MAP_SHARED, ring, page);
    if (consumed == MAP_FAILED || rest == MAP_FAILED)
        fail("the recorder's ring");
    produced = (unsigned long *)rest;
    ring_data = rest + page;
}

// Takes what is in the ring, without the room that records did not need.
static void drain(void)
{
    unsigned long at = *consumed;
    while (at < __atomic_load_n(produced, __ATOMIC_ACQUIRE) && trace_size < LARGEST_TRACE) {
        unsigned *head = (unsigned *)(ring_data + (at & (RING_SIZE - 1)));
        unsigned size = __atomic_load_n(head, __ATOMIC_ACQUIRE);
        if (size & BPF_RINGBUF_BUSY_BIT)
            break;
        struct record record = *(struct record *)(head + 2);
        const char *key = (const char *)(head + 2) + sizeof record, *data = key + record.key_room;
        struct block block = {RECORD, sizeof record + record.key_size + record.data_size};
        append(&block, sizeof block);
        append(&record, sizeof record);
        append(key, record.key_size);
        append(data, record.data_size);
        at += (size + 8 + 7) & ~7ul;
        __atomic_store_n(consumed, at, __ATOMIC_RELEASE);
    }
}

static void read_file(const char *path, char **bytes, size_t *size)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail("%s", path);
    *bytes = malloc(1 << 20);
    *size = fread(*bytes, 1, (1 << 20) - 1, file);
    (*bytes)[*size] = 0;
    fclose(file);
}

// The offset of a field of this kernel's maps, in bytes.
static int offset_of(const char *offsets, const char *field)
{
    size_t length = strlen(field);
    for (const char *line = offsets; line && *line; line = strchr(line, '\n'), line += line != 0)
        if (!strncmp(line, field, length) && line[length] == ' ')
            return atoi(line + length) / 8;
    fprintf(stderr, "struct bpf_map has no %s\n", field);
    exit(1);
}

static void read_wrappers(const char *code, const char *names, const char *fields)
{
    static const char *const names_of_fields[] = {"id", "key_size", "value_size"};
    char *offsets;
    char *bytes;
    size_t size;
    read_file(code, &bytes, &size);
    wrappers = (struct bpf_insn *)bytes;
    size_t length;
    read_file(fields, &offsets, &length);
    wrapper_count = size / sizeof *wrappers;
    for (unsigned at = 0; at < wrapper_count; at++) {
        struct bpf_insn *insn = wrappers + at;
        if (insn->code == (BPF_LDX | BPF_MEM | BPF_W) && insn->off >= 0x7a00)
            insn->off = offset_of(offsets, names_of_fields[(insn->off - 0x7a00) / 4]);
        if (insn->code != (BPF_LD | BPF_DW | BPF_IMM) || insn[0].imm != insn[1].imm)
            continue;
        int is_ring = insn->imm == 0x52494e47, is_stop = insn->imm == 0x53544f50;
        if (is_ring || is_stop) {
            insn->src_reg = is_ring ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
            insn[0].imm = is_ring ? ring : stop;
            insn[1].imm = 0;
        }
    }
    read_file(names, &bytes, &size);
    for (char *line = strtok(bytes, "\n"); line && symbol_count < MOST; line = strtok(0, "\n"))
        if (sscanf(line, "%31s %u %u", symbols[symbol_count].name, &symbols[symbol_count].at,
                   &symbols[symbol_count].size) == 3)
            symbol_count++;
}

static void note_section(const struct known *map)
{
    char *value = calloc(1, map->info.value_size);
    unsigned key = 0;
    union bpf_attr attr = {.map_fd = map->fd, .key = (uintptr_t)&key, .value = (uintptr_t)value};
    if (bpf(BPF_MAP_LOOKUP_ELEM, &attr))
        fail("the section %s", map->info.name);
    struct bytes_block head = {map->id, 0};
    block(SECTION, &head, sizeof head, value, map->info.value_size);
    free(value);
}

// Takes the caller's map, and writes down what it is when it is seen for the first time.
static int take_map(int process, int number, int is_section)
{
    int fd = syscall(SYS_pidfd_getfd, process, number, 0);
    struct known map = {.fd = fd, .is_section = is_section};
    union bpf_attr attr = {.info = {.bpf_fd = fd, .info_len = sizeof map.info, .info = (uintptr_t)&map.info}};
    if (fd < 0 || bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
        fail("a map of the program");
    map.id = map.info.id;
    for (unsigned n = 0; n < map_count; n++)
        if (maps[n].id == map.id) {
            close(fd);
            return maps[n].fd;
        }
    if (map_count == MOST)
        fail("more than %d maps", MOST);
    struct map_block head = {map.id, map.info.type, map.info.key_size, map.info.value_size, {0}};
    memcpy(head.name, map.info.name, sizeof head.name);
    block(MAP, &head, sizeof head, 0, 0);
    if (is_section)
        note_section(&map);
    return (maps[map_count++] = map).fd;
}

static struct bpf_insn move(int to, int from)
{
    return (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from};
}

static struct bpf_insn set(int to, int number)
{
    return (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .imm = number};
}

// A program while it is changed: the entry that is put in front, the program, the added functions and where they stand.
struct change { struct bpf_insn *code; unsigned size, placed[MOST]; };

#define ENTRY_SIZE 11

// The place of an added function. The verifier refuses functions that nothing calls, so each comes when it is wanted.
static unsigned place(struct change *change, const char *name)
{
    unsigned n = 0;
    while (n < symbol_count && strcmp(symbols[n].name, name))
        n++;
    if (n == symbol_count) {
        fprintf(stderr, "nothing records %s: add the helper to the table of tests/native/replay/trace.h\n", name);
        exit(1);
    }
    if (!change->placed[n]) {
        change->placed[n] = change->size;
        memcpy(change->code + change->size, wrappers + symbols[n].at, symbols[n].size * sizeof *wrappers);
        change->size += symbols[n].size;
    }
    return change->placed[n];
}

static struct bpf_insn call(unsigned from, unsigned target)
{
    return (struct bpf_insn){
        .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = (int)target - (int)from - 1};
}

static void put_entry(struct change *change, unsigned index, int is_iterator)
{
    unsigned enter = place(change, is_iterator ? "note_enter_iterator" : "note_enter"), leave = place(change, "note_leave");
    const struct bpf_insn entry[ENTRY_SIZE] = {
        move(6, 1),
        set(2, index),
        call(2, enter),
        move(1, 6),
        call(4, ENTRY_SIZE),
        move(6, 0),
        move(1, 6),
        set(2, index),
        call(8, leave),
        move(0, 6),
        {.code = BPF_JMP | BPF_EXIT},
    };
    memcpy(change->code, entry, sizeof entry);
}

// A function that notes its arguments and goes on in the callback.
static unsigned put_callback(struct change *change, unsigned target)
{
    unsigned note = place(change, "note_callback"), start = change->size;
    for (int n = 1; n <= 4; n++)
        change->code[change->size++] = move(5 + n, n);
    change->code[change->size] = call(change->size, note);
    change->size++;
    for (int n = 1; n <= 4; n++)
        change->code[change->size++] = move(n, 5 + n);
    change->code[change->size] = call(change->size, target);
    change->size++;
    change->code[change->size++] = (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
    return start;
}

// Turns helper calls and callbacks to the added functions, and the caller's maps to ours.
static void turn(struct change *change, unsigned start, unsigned end, int process)
{
    for (unsigned at = start; at < end; at++) {
        struct bpf_insn *insn = change->code + at;
        if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0 && insn->imm != BPF_FUNC_tail_call) {
            char name[32];
            snprintf(name, sizeof name, "wrap_%d", insn->imm);
            *insn = call(at, place(change, name));
        }
        if (insn->code != (BPF_LD | BPF_DW | BPF_IMM))
            continue;
        if (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE)
            insn->imm = take_map(process, insn->imm, insn->src_reg == BPF_PSEUDO_MAP_VALUE);
        if (insn->src_reg == BPF_PSEUDO_FUNC)
            insn->imm = (int)put_callback(change, at + insn->imm + 1) - (int)at - 1;
        at++;
    }
}

// A name for all functions, and a type: the verifier wants both where there are callbacks or jumps to other programs.
static int load_btf(void)
{
    static const char names[] = "\0number\0function";
    struct {
        struct btf_header header;
        struct btf_type integer;
        unsigned width;
        struct btf_type prototype, function;
        char names[sizeof names];
    } btf = {
        {BTF_MAGIC, BTF_VERSION, 0, sizeof(struct btf_header), 0, 40, 40, sizeof names},
        {1, BTF_KIND_INT << 24, {8}}, 64,
        {0, BTF_KIND_FUNC_PROTO << 24, {1}},
        {8, BTF_KIND_FUNC << 24, {2}},
        {0},
    };
    memcpy(btf.names, names, sizeof names);
    union bpf_attr attr = {.btf = (uintptr_t)&btf, .btf_size = sizeof btf.header + 40 + sizeof names};
    int fd = bpf(BPF_BTF_LOAD, &attr);
    if (fd < 0)
        fail("the recorder's types");
    return fd;
}

// The functions of a changed program, in order.
static unsigned functions_of(const struct change *change, struct bpf_func_info *functions)
{
    char *starts = calloc(1, change->size);
    unsigned count = 0;
    starts[0] = 1;
    for (unsigned at = 0; at < change->size; at++) {
        const struct bpf_insn *insn = change->code + at;
        int is_wide = insn->code == (BPF_LD | BPF_DW | BPF_IMM);
        if ((is_wide && insn->src_reg == BPF_PSEUDO_FUNC) ||
            (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL))
            starts[at + insn->imm + 1] = 1;
        at += is_wide;
    }
    for (unsigned at = 0; at < change->size; at++)
        if (starts[at])
            functions[count++] = (struct bpf_func_info){at, 3};
    free(starts);
    return count;
}

static int load(union bpf_attr *attr, const struct bpf_insn *original, int process)
{
    // Each of the program's instructions needs at most a callback's stub.
    unsigned end = ENTRY_SIZE + attr->insn_cnt;
    struct change change = {calloc(end + 12 * attr->insn_cnt + wrapper_count, sizeof *original), end, {0}};
    memcpy(change.code + ENTRY_SIZE, original, attr->insn_cnt * sizeof *original);
    int is_iterator = attr->prog_type == BPF_PROG_TYPE_TRACING && attr->expected_attach_type == BPF_TRACE_ITER;
    put_entry(&change, program_count, is_iterator);
    turn(&change, ENTRY_SIZE, end, process);
    static char log[1 << 24];
    union bpf_attr changed = *attr;
    changed.insns = (uintptr_t)change.code;
    changed.insn_cnt = change.size;
    // The lines of the script are not those of the changed program.
    changed.line_info = changed.line_info_cnt = 0;
    static struct bpf_func_info functions[MOST];
    changed.prog_btf_fd = types;
    changed.func_info = (uintptr_t)functions;
    changed.func_info_rec_size = sizeof *functions;
    changed.func_info_cnt = functions_of(&change, functions);
    changed.log_level = changed.log_size = changed.log_buf = 0;
    changed.license = (uintptr_t)"GPL";
    int fd = bpf(BPF_PROG_LOAD, &changed);
    if (fd < 0) {
        int error = errno;
        changed.log_level = 1;
        changed.log_size = sizeof log;
        changed.log_buf = (uintptr_t)log;
        bpf(BPF_PROG_LOAD, &changed);
        size_t size = strlen(log);
        fprintf(stderr, "%s is refused: %s\n%s", attr->prog_name, strerror(error), log + (size > 4000 ? size - 4000 : 0));
        exit(1);
    }
    struct program_block head = {program_count++, {0}};
    memcpy(head.name, attr->prog_name, sizeof head.name);
    block(PROGRAM, &head, sizeof head, 0, 0);
    free(change.code);
    return fd;
}

static void copy_in(int pid, uint64_t address, void *to, size_t size)
{
    struct iovec here = {to, size}, there = {(void *)(uintptr_t)address, size};
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)size)
        fail("the memory of the tool");
}

static void answer(int listener)
{
    struct seccomp_notif question = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question))
        return;
    union bpf_attr attr = {0};
    size_t size = question.data.args[2] < sizeof attr ? question.data.args[2] : sizeof attr;
    copy_in(question.pid, question.data.args[1], &attr, size);
    struct seccomp_notif_resp response = {.id = question.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    // Trials of what the kernel can do are not ours; nor are tools after the first, whose constants may be others.
    int is_program = strcmp(attr.prog_name, "feature") && attr.prog_name[0];
    if (is_program && !recorded)
        recorded = question.pid;
    if (is_program && recorded == question.pid) {
        int process = syscall(SYS_pidfd_open, question.pid, 0);
        struct bpf_insn *code = malloc(attr.insn_cnt * sizeof *code);
        copy_in(question.pid, attr.insns, code, attr.insn_cnt * sizeof *code);
        if (process < 0)
            fail("the process of the tool");
        if (attr.attach_prog_fd)
            attr.attach_prog_fd = syscall(SYS_pidfd_getfd, process, attr.attach_prog_fd, 0);
        struct seccomp_notif_addfd add = {
            .id = question.id, .flags = SECCOMP_ADDFD_FLAG_SEND, .newfd_flags = O_CLOEXEC};
        add.srcfd = load(&attr, code, process);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
            fail("giving the tool its program");
        close(add.srcfd);
        close(process);
        free(code);
    } else if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response)) {
        return;
    }
}

// Entries of a map at the end.
static void note_last(const struct known *map)
{
    const struct bpf_map_info *info = &map->info;
    int is_plain = info->type == BPF_MAP_TYPE_HASH || info->type == BPF_MAP_TYPE_LRU_HASH ||
                   (info->type == BPF_MAP_TYPE_ARRAY && !map->is_section);
    int is_per_cpu = info->type == BPF_MAP_TYPE_PERCPU_HASH || info->type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
                     info->type == BPF_MAP_TYPE_PERCPU_ARRAY;
    if (!is_plain && !is_per_cpu)
        return;
    size_t each = (info->value_size + 7) & ~7ul, cpus = is_per_cpu ? sysconf(_SC_NPROCESSORS_CONF) : 1;
    char *key = calloc(1, info->key_size), *value = calloc(cpus, each), *row = malloc(info->key_size + each);
    union bpf_attr next = {.map_fd = map->fd, .next_key = (uintptr_t)key};
    while (!bpf(BPF_MAP_GET_NEXT_KEY, &next)) {
        union bpf_attr attr = {.map_fd = map->fd, .key = (uintptr_t)key, .value = (uintptr_t)value};
        for (size_t cpu = 0; !bpf(BPF_MAP_LOOKUP_ELEM, &attr) && cpu < cpus; cpu++) {
            struct bytes_block head = {map->id, cpu};
            memcpy(row, key, info->key_size);
            memcpy(row + info->key_size, value + cpu * each, info->value_size);
            block(LAST_VALUE, &head, sizeof head, row, info->key_size + info->value_size);
        }
        next.key = (uintptr_t)key;
    }
}

// The command, as a process whose loading of programs the kernel asks about.
static pid_t start(char **command, int *listener)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BPF_PROG_LOAD, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    int ready[2], go[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
        fail("a pipe");
    pid_t child = fork();
    if (child == 0) {
        struct sock_fprog filter = {sizeof code / sizeof *code, code};
        int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
        if (fd < 0 || write(ready[1], &fd, sizeof fd) != sizeof fd || read(go[0], &byte, 1) != 1)
            fail("watching the tool");
        close(fd);
        execvp(command[0], command);
        fail("%s", command[0]);
    }
    int number;
    if (read(ready[0], &number, sizeof number) != sizeof number)
        exit(1);
    int process = syscall(SYS_pidfd_open, child, 0);
    *listener = syscall(SYS_pidfd_getfd, process, number, 0);
    if (*listener < 0 || write(go[1], "", 1) != 1)
        fail("watching the tool");
    close(process);
    return child;
}

int main(int count, char **arguments)
{
    int listener, status;
    if (count < 6)
        return 2;
    make_ring();
    types = load_btf();
    read_wrappers(arguments[1], arguments[2], arguments[3]);
    pid_t child = start(arguments + 5, &listener);
    while (waitpid(child, &status, WNOHANG) == 0) {
        struct pollfd wanted = {listener, POLLIN, 0};
        if (poll(&wanted, 1, 10) > 0 && (wanted.revents & POLLIN))
            answer(listener);
        drain();
    }
    drain();
    for (unsigned n = 0; n < map_count; n++)
        note_last(maps + n);
    for (unsigned n = 0; n < map_count; n++)
        if (maps[n].is_section)
            note_section(maps + n);
    FILE *file = fopen(arguments[4], "w");
    if (!file || fwrite(trace, 1, trace_size, file) != trace_size || fclose(file))
        fail("%s", arguments[4]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
