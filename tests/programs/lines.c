// lines [N]: goes N times (default 1) through statements whose lines are probed.
#include <stdlib.h>

volatile long sink;
volatile int turns = 3;

__attribute__((noipa)) static long odd(long value) {
    if (value % 2 == 0)
        return 0;
    sink += value;
    return value;
}

static inline __attribute__((always_inline)) void copied(long value) {
    sink += 2 * value;
}

__attribute__((noipa)) static void first(long value) { copied(value); }
__attribute__((noipa)) static void second(long value) { copied(value + 1); }

__attribute__((noipa)) static void loop(void) {
    for (int turn = 0; turn < turns; turn++) {
        sink += turn;
    }
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    for (int round = 0; round < rounds; round++) {
        sink += odd(round);
        first(round);
        second(round);
        loop();
    }
    return 0;
}
