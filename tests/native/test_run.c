// Runs pinned raw tracepoint programs by BPF_PROG_TEST_RUN, one after the other in one process: test_run PIN CONTEXT PIN
// CONTEXT … Each is given the words of its file and prints what it returns. (bpftool asks for outputs that this type of
// program does not have.)
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long bpf(int command, union bpf_attr *attr) { return syscall(SYS_bpf, command, attr, sizeof *attr); }

static int run(const char *pin, const char *path)
{
    static uint64_t context[12];
    union bpf_attr attr;
    int file = open(path, O_RDONLY);
    ssize_t size = file < 0 ? -1 : read(file, context, sizeof context);
    if (size < 0)
        return perror(path), 1;
    close(file);
    memset(&attr, 0, sizeof attr);
    attr.pathname = (uintptr_t)pin;
    int program = bpf(BPF_OBJ_GET, &attr);
    if (program < 0)
        return perror(pin), 1;
    memset(&attr, 0, sizeof attr);
    attr.test.prog_fd = program;
    attr.test.ctx_in = (uintptr_t)context;
    attr.test.ctx_size_in = size;
    if (bpf(BPF_PROG_TEST_RUN, &attr) < 0)
        return perror("BPF_PROG_TEST_RUN"), 1;
    printf("%u\n", attr.test.retval);
    close(program);
    return 0;
}

int main(int count, char **arguments)
{
    for (int index = 1; index + 1 < count; index += 2)
        if (run(arguments[index], arguments[index + 1]))
            return 1;
    return 0;
}
