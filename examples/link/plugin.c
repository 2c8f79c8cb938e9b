// The same program from a shared library: ./plugin ./do_count.so
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : 0;
    if (!library) {
        fprintf(stderr, "%s\n", argc > 1 ? dlerror() : "usage: plugin LIBRARY");
        return 1;
    }
    uint64_t (*run)(void *, uint64_t) = (uint64_t(*)(void *, uint64_t))dlsym(library, "bpf_main");
    uint64_t *sizes = dlsym(library, "sizes");
    uint64_t event = 100;
    run(&event, sizeof event);
    uint64_t calls = run(&event, sizeof event);
    printf("%" PRIu64 " calls\n2^6: %" PRIu64 "\n", calls, sizes[6]);
}
