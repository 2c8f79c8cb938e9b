// wait [COMM]: prints "ready", then for every line of its input calls mark(number of the line); ends with the input.
// For tests that attach to a process which runs already.
#include <stdio.h>
#include <sys/prctl.h>

volatile long sink;

__attribute__((noipa)) long mark(long number) { return sink += number; }

int main(int argc, char **argv)
{
    char line[256];
    if (argc > 1) prctl(PR_SET_NAME, argv[1]);
    puts("ready");
    fflush(stdout);
    for (long number = 1; fgets(line, sizeof line, stdin); number++) {
        mark(number);
        puts("marked");
        fflush(stdout);
    }
    return 0;
}
