// threads THREADS CALLS: so many threads at the same time, each of which calls `hit` so many times.
// `hit` is given the thread's number, the number of the call, and a name that is the thread's alone.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

volatile long sink;
static long calls;

// hit(thread, 0 … CALLS-1, name)
__attribute__((noipa)) long hit(long thread, long call, const char *name) { return thread + call + name[0]; }

static void *work(void *argument)
{
    long thread = (long)argument, sum = 0;
    char name[40];
    // Names of different lengths, whose characters are all of the thread.
    snprintf(name, sizeof name, "%.*s", (int)(8 + 7 * (thread % 4)), (char *[]){
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "cccccccccccccccccccccccccccccccccccc", "dddddddddddddddddddddddddddddddddddd" }[thread % 4]);
    for (long call = 0; call < calls; call++) sum += hit(thread, call, name);
    sink = sum;
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    long count = argc > 1 ? atol(argv[1]) : 1;
    calls = argc > 2 ? atol(argv[2]) : 1;
    if (count > 64) return 1;
    for (long thread = 0; thread < count; thread++)
        if (pthread_create(&threads[thread], NULL, work, (void *)thread)) return 1;
    for (long thread = 0; thread < count; thread++) pthread_join(threads[thread], NULL);
    return 0;
}
